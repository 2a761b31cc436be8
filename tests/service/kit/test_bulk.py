"""Bulk writes leave exactly what single writes leave: rows, versions, events; and guard each record by its version."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from chassis import errors
from chassis.call import Actor, Cause
from chassis.events import reading
from chassis.events.outbox import CAUSE_HEADER
from chassis.kit import bulk
from chassis.testing.installation import Installation, Tenant
from chassis.tx import Tx
from crm.contacts.v1 import contact_pb2 as pb
from services.contacts import store
from tests.service.kit.support import Desk, event_counts, unchanged, until, versions, written

CAUSE = Cause("import", "the-import")


class Writer:
    """Bulk writes of one tenant, as a step of an operation would make them."""

    def __init__(self, crm: Installation, tenant: Tenant) -> None:
        self.runtime, self.tenant = crm.process.runtimes["contacts"], tenant
        self.actor = Actor("user", tenant.admin.id, tenant.admin.id)

    async def write(self, *writes: bulk.Write) -> bulk.Outcome:
        async def step(tx: Tx) -> bulk.Outcome:
            return await bulk.write(tx, store.contacts, writes, actor=self.actor, cause=CAUSE)

        outcome: bulk.Outcome = await self.runtime.run_system(self.tenant.id, CAUSE, step)
        return outcome


@pytest.fixture
def writer(crm: Installation, tenant: Tenant) -> Writer:
    return Writer(crm, tenant)


def person(name: str, owner_id: str, **fields: Any) -> pb.Contact:
    made = pb.Contact(display_name=name, owner_id=owner_id, **fields)
    made.emails.add(address=f"{name.lower()}@example.com")
    made.custom["note"].string_value = 'with "quotes", \\ and {braces}'
    made.external_ids.add(system="old", id='a"b\\c,{d}')
    return made


async def docs(crm: Installation, ids: Sequence[str]) -> dict[str, bytes]:
    sql = "SELECT id, doc FROM contacts WHERE id = ANY($1::uuid[])"
    return {str(row["id"]): row["doc"] for row in await crm.rows("contacts", sql, list(ids))}


async def row_of(crm: Installation, id: str) -> dict[str, Any]:
    """The row without what differs between two records of one content."""
    (row,) = await crm.rows("contacts", "SELECT * FROM contacts WHERE id = $1", id)
    kept = {k: v for k, v in row.items() if k not in ("id", "create_time", "update_time", "doc")}
    json = orjson.loads(kept.pop("json"))
    return {**kept, "json": {k: v for k, v in json.items() if k not in _OWN}}


_OWN = ("id", "createTime", "updateTime")


async def causes_told(crm: Installation, tenant: Tenant, name: str) -> list[str]:
    """The kinds of causes in the headers of the tenant's events of this name."""
    subject = f"crm.{tenant.id}.contacts.{name}"
    stored = reading.read(crm.process.nats, "CONTACTS", subjects=[subject])
    return [(message.headers or {})[CAUSE_HEADER] async for message in stored]


async def test_bulk_creation_leaves_the_row_the_version_and_the_event_of_a_single_one(
    crm: Installation, tenant: Tenant, desk: Desk, writer: Writer
) -> None:
    await desk.custom_field("note")
    sent = person("Ana", tenant.admin.id)
    single = await desk.stub.CreateContact(pb.CreateContactRequest(contact=sent))
    await written(crm, tenant)
    mine = person("Ana", tenant.admin.id)

    outcome = await writer.write(bulk.Write(mine))

    assert (outcome.written, outcome.lost, outcome.unchanged) == ({mine.id}, set(), set())
    assert await row_of(crm, mine.id) == await row_of(crm, single.id)
    assert (await docs(crm, [mine.id]))[mine.id] == mine.SerializeToString()
    history = (await desk.history(mine.id))[0]
    assert (history.version, history.action) == (1, "created")
    assert (history.actor.user_id, history.cause.kind) == (tenant.admin.id, "import")
    one, two = await crm.events(tenant, "ContactCreated", count=2)
    assert two["contact"] == orjson.loads(
        (await crm.rows("contacts", "SELECT json FROM contacts WHERE id = $1", mine.id))[0]["json"]
    )
    assert two["change"]["cause"] == {"kind": "import", "id": "the-import"}
    assert await causes_told(crm, tenant, "ContactCreated") == ["rpc", "import"]
    assert two["change"]["actor"] == one["change"]["actor"]
    assert (two["change"]["version"], two["change"].keys()) == ("1", one["change"].keys())


async def test_bulk_change_closes_the_old_version_and_names_what_changed(
    crm: Installation, tenant: Tenant, writer: Writer, desk: Desk
) -> None:
    made = [person(f"P{n}", tenant.admin.id) for n in range(3)]
    await writer.write(*(bulk.Write(one) for one in made))
    old = await docs(crm, [one.id for one in made])
    for one in made[:2]:
        one.position = "Chief"

    outcome = await writer.write(*(bulk.Write(one, old[one.id]) for one in made))

    assert outcome.written == {made[0].id, made[1].id}
    assert outcome.unchanged == {made[2].id}
    assert await versions(crm, "contacts", made[0].id) == [1, 2]
    assert await versions(crm, "contacts", made[2].id) == [1]
    closed = await crm.rows(
        "contacts", "SELECT version, valid_from, valid_to FROM contacts_history WHERE id = $1 ORDER BY 1",
        made[0].id,
    )  # fmt: skip
    assert closed[0]["valid_to"] == closed[1]["valid_from"]
    assert closed[1]["valid_to"] is None
    got = await desk.get(made[0].id)
    assert (got.position, got.etag) == ("Chief", "2")
    told = await crm.events(tenant, "ContactUpdated", count=2)
    assert [event["change"]["changedFields"] for event in told] == [["position"], ["position"]]
    assert {event["change"]["version"] for event in told} == {"2"}


async def test_record_that_was_changed_meanwhile_is_lost_and_left_as_it_is(
    crm: Installation, tenant: Tenant, desk: Desk, writer: Writer
) -> None:
    raced, other = person("Raced", tenant.admin.id), person("Other", tenant.admin.id)
    await writer.write(bulk.Write(raced), bulk.Write(other))
    old = await docs(crm, [raced.id, other.id])
    await desk.update(raced.id, salutation="Pak")
    for one in (raced, other):
        one.position = "Chief"

    outcome = await writer.write(bulk.Write(raced, old[raced.id]), bulk.Write(other, old[other.id]))

    assert (outcome.written, outcome.lost) == ({other.id}, {raced.id})
    got = await desk.get(raced.id)
    assert (got.position, got.salutation, got.etag) == ("", "Pak", "2")
    assert await versions(crm, "contacts", raced.id) == [1, 2]
    await written(crm, tenant)
    assert (await event_counts(crm, tenant))["ContactUpdated"] == 2


async def test_writers_of_the_same_records_win_each_record_once(
    crm: Installation, tenant: Tenant, writer: Writer
) -> None:
    made = [person(f"R{n}", tenant.admin.id) for n in range(40)]
    await writer.write(*(bulk.Write(one) for one in made))
    old = await docs(crm, [one.id for one in made])

    def rival(number: int) -> list[bulk.Write]:
        writes = []
        for one in made if number % 2 else made[::-1]:
            mine = pb.Contact.FromString(old[one.id])
            mine.position = f"by {number}"
            writes.append(bulk.Write(mine, old[one.id]))
        return writes

    outcomes = await asyncio.gather(*(writer.write(*rival(n)) for n in range(8)))

    assert sorted(id for o in outcomes for id in o.written) == sorted(one.id for one in made)
    assert {v for one in made for v in await versions(crm, "contacts", one.id)} == {1, 2}
    await written(crm, tenant)
    assert (await event_counts(crm, tenant))["ContactUpdated"] == 40


async def test_id_that_is_taken_refuses_the_whole_batch_and_changes_nothing(
    crm: Installation, tenant: Tenant, writer: Writer
) -> None:
    taken = person("Taken", tenant.admin.id)
    await writer.write(bulk.Write(taken))
    again = person("Again", tenant.admin.id)
    again.id = taken.id

    async with unchanged(crm, tenant):
        with pytest.raises(errors.AlreadyExists):
            await writer.write(bulk.Write(person("New", tenant.admin.id)), bulk.Write(again))


async def test_record_named_twice_is_a_defect_and_nothing_is_written(
    crm: Installation, tenant: Tenant, writer: Writer
) -> None:
    one = person("One", tenant.admin.id)
    async with unchanged(crm, tenant):
        with pytest.raises(ValueError, match="named twice"):
            await writer.write(bulk.Write(one), bulk.Write(one))


async def test_bulk_deletes_and_brings_back(
    crm: Installation, tenant: Tenant, desk: Desk, writer: Writer
) -> None:
    one = person("One", tenant.admin.id)
    await writer.write(bulk.Write(one))

    old = (await docs(crm, [one.id]))[one.id]
    one.delete_time.GetCurrentTime()
    await writer.write(bulk.Write(one, old, "deleted"))

    with pytest.raises(errors.NotFound):
        await desk.get(one.id)
    old = (await docs(crm, [one.id]))[one.id]
    one.ClearField("delete_time")
    await writer.write(bulk.Write(one, old, "undeleted"))
    assert (await desk.get(one.id)).display_name == "One"
    await written(crm, tenant)
    counts = await event_counts(crm, tenant)
    assert (counts["ContactDeleted"], counts["ContactUndeleted"]) == (1, 1)


async def test_one_call_takes_hundreds(crm: Installation, tenant: Tenant, writer: Writer) -> None:
    outcome = await writer.write(
        *(bulk.Write(person(f"N{n}", tenant.admin.id)) for n in range(500))
    )

    assert len(outcome.written) == 500

    async def told() -> bool:
        return (await event_counts(crm, tenant)).get("ContactCreated") == 500

    await until(told)
