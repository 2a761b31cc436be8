"""Bodies run again: forced once, on conflicts among many, and when the connection is lost during the commit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chassis import errors
from chassis.testing import servers
from chassis.testing.installation import Installation, Tenant, installation
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from tests.service.kit.proxy import Wire, wire
from tests.service.kit.support import Desk, event_counts, versions, written


@pytest.fixture(scope="module")
async def retrying() -> AsyncIterator[Installation]:
    """Every write's first try is thrown away."""
    async with installation(["contacts"], force_retry=True) as running:
        yield running


@pytest.fixture
async def again(retrying: Installation) -> Desk:
    tenant = await retrying.tenant()
    return Desk(tenant, tenant.admin)


Write = Callable[[Desk], Awaitable[Any]]


async def create(desk: Desk) -> Any:
    return await desk.create("Ana", external_ids=[{"system": "erp", "id": "7"}])


async def update(desk: Desk) -> Any:
    made = await desk.create("Ana")
    return await desk.update(made.id, "emails", emails=[{"address": "a@example.com"}])


async def delete(desk: Desk) -> Any:
    return await desk.delete(
        (await desk.create("Ana", external_ids=[{"system": "erp", "id": "7"}])).id
    )


async def undelete(desk: Desk) -> Any:
    made = await desk.create("Ana", external_ids=[{"system": "erp", "id": "7"}])
    await desk.delete(made.id)
    return await desk.undelete(made.id)


async def unique(desk: Desk) -> Any:
    return await desk.source("site")


async def field(desk: Desk) -> Any:
    return await desk.custom_field("shoe", filterable=True)


async def intake(desk: Desk) -> Any:
    """Makes a contact and a request in one body, with ids drawn for both."""
    inquiry = request_pb2.Request(text="Two windows", phone="+48 512 345 678", name="Ana Nowak")
    return await desk.stub.CreateRequest(request_pb2.CreateRequestRequest(request=inquiry))


async def close(desk: Desk) -> Any:
    request = await intake(desk)
    return await desk.stub.CloseRequest(verbs.CloseRequestRequest(id=request.id, reason=1))


WRITES: list[Write] = [create, update, delete, undelete, unique, field, intake, close]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
async def test_body_that_runs_twice_leaves_what_one_run_leaves(
    crm: Installation, retrying: Installation, desk: Desk, again: Desk, write: Write
) -> None:
    once, twice = await write(desk), await write(again)

    assert without_identity(once) == without_identity(twice)
    for table in ("contacts", "contacts_history", "requests", "sources", "external_ids", "outbox"):
        counts = [await count(crm, table, each) for each in (desk, again)]
        assert table == "outbox" or counts[0] == counts[1], table
    await written(crm, desk.tenant)
    await written(retrying, again.tenant)
    assert await event_counts(crm, desk.tenant) == await event_counts(retrying, again.tenant)


async def count(crm: Installation, table: str, desk: Desk) -> int:
    return len(
        await crm.rows("contacts", f"SELECT FROM {table} WHERE tenant_id = $1", desk.tenant.id)
    )


def without_identity(message: Any) -> Any:
    """The message without what differs between two tenants: ids and times."""
    for field in list(message.DESCRIPTOR.fields):
        if field.name.endswith(("_time", "_id", "_ids")) or field.name in (
            "id",
            "follower_ids",
            "raw",
        ):
            message.ClearField(field.name)
    return message


async def test_id_of_the_first_try_is_the_id_of_the_record(
    retrying: Installation, again: Desk
) -> None:
    made = await again.create("Ana", request_id="r-1")

    assert (await again.create("Ana", request_id="r-1")).id == made.id
    assert [r.version for r in await again.history(made.id)] == [1]


async def test_twenty_updates_of_one_record_all_land_or_are_aborted(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")

    answers = await asyncio.gather(
        *(desk.update(made.id, salutation=f"S{n}") for n in range(20)), return_exceptions=True
    )

    landed = [answer for answer in answers if isinstance(answer, pb.Contact)]
    refused = [answer for answer in answers if isinstance(answer, errors.Aborted)]
    assert len(landed) + len(refused) == 20
    assert landed
    assert await versions(crm, "contacts", made.id) == list(range(1, len(landed) + 2))
    assert sorted(int(answer.etag) for answer in landed) == list(range(2, len(landed) + 2))
    await written(crm, tenant)
    assert (await event_counts(crm, tenant))["ContactUpdated"] == len(landed)


async def test_twenty_updates_with_one_etag_on_one_field_have_one_winner(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")

    answers = await asyncio.gather(
        *(desk.update(made.id, salutation=f"S{n}", etag=made.etag) for n in range(20)),
        return_exceptions=True,
    )

    (winner,) = [answer for answer in answers if isinstance(answer, pb.Contact)]
    assert all(isinstance(answer, errors.Aborted) for answer in answers if answer is not winner)
    assert (await desk.get(made.id)).salutation == winner.salutation
    assert await versions(crm, "contacts", made.id) == [1, 2]


async def test_updates_of_different_fields_at_once_all_land(crm: Installation, desk: Desk) -> None:
    made = await desk.create("Ana")
    fields = {
        "salutation": "Pani",
        "position": "chief",
        "given_name": "Anna",
        "family_name": "Żak",
        "language": "pl",
    }

    await asyncio.gather(
        *(desk.update(made.id, etag=made.etag, **{name: text}) for name, text in fields.items())
    )

    got = await desk.get(made.id)
    assert {name: getattr(got, name) for name in fields} == fields
    assert await versions(crm, "contacts", made.id) == [1, 2, 3, 4, 5, 6]


# -- the connection is lost while the server commits --------------------------------------------------


@pytest.fixture(scope="module")
async def wired() -> AsyncIterator[tuple[Wire, Installation]]:
    async with (
        wire(servers.postgres_url()) as (cable, url),
        installation(["contacts"], postgres_url=url) as running,
    ):
        yield cable, running


async def lone(desk: Desk, request_id: str) -> Any:
    """One statement, which is the commit too."""
    return await desk.source("site", "Łódź 42", request_id=request_id)


async def together(desk: Desk, request_id: str) -> Any:
    """A transaction of several statements with a COMMIT at its end."""
    return await desk.create(
        "Łódź 42", request_id=request_id, external_ids=[{"system": "erp", "id": "7"}]
    )


LOST = [(lone, "sources", "Łódź 42".encode()), (together, "contacts", b"COMMIT;")]


@pytest.mark.parametrize(("write", "table", "marker"), LOST, ids=["lone", "together"])
async def test_lost_answer_to_a_commit_is_found_again_by_its_key(
    wired: tuple[Wire, Installation], write: Any, table: str, marker: bytes
) -> None:
    cable, crm = wired
    tenant = await crm.tenant()
    desk = Desk(tenant, tenant.admin)
    await desk.get_nothing()

    cable.arm(marker)
    cuts = cable.cuts
    made = await write(desk, "once")

    assert cable.cuts == cuts + 1
    assert (
        len(await crm.rows("contacts", f"SELECT FROM {table} WHERE tenant_id = $1", tenant.id)) == 1
    )
    assert made.etag == "1"
    assert (await write(desk, "once")).id == made.id
    await written(crm, tenant)
    assert list((await event_counts(crm, tenant)).values()) == [1]


@pytest.mark.parametrize(("write", "table", "marker"), LOST, ids=["lone", "together"])
async def test_lost_answer_to_a_commit_without_a_key_is_unavailable_and_never_repeated(
    wired: tuple[Wire, Installation], write: Any, table: str, marker: bytes
) -> None:
    cable, crm = wired
    tenant = await crm.tenant()
    desk = Desk(tenant, tenant.admin)
    await desk.get_nothing()

    cable.arm(marker)
    with pytest.raises(errors.Unavailable) as refusal:
        await write(desk, "")

    assert refusal.value.retry_after_s
    rows = f"SELECT FROM {table} WHERE tenant_id = $1"

    assert (
        len(await crm.rows("contacts", rows, tenant.id)) == 1
    )  # it had been committed; the caller could not know
    assert (await desk.page()).next_page_token == ""  # the process goes on with another connection


@pytest.mark.large
async def test_lost_connection_of_a_read_is_unavailable(wired: tuple[Wire, Installation]) -> None:
    cable, crm = wired
    tenant = await crm.tenant()
    desk = Desk(tenant, tenant.admin)
    await desk.get_nothing()

    cable.arm(b"unicorn")
    with pytest.raises(errors.Unavailable):
        await desk.page(filter='position = "unicorn"')
    assert await desk.names() == []
