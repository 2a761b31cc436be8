"""Old versions go after the days that the company keeps them, and nothing pretends to know them (ADR-0009)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.kit import retention
from chassis.testing.events import running
from chassis.testing.installation import Installation, Tenant
from chassis.times import to_timestamp
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import operation_pb2
from tests.service.kit.support import Desk, unchanged, until, versions

_AGE = """
UPDATE contacts_history SET valid_from = valid_from - $2::interval,
    valid_to = CASE WHEN version < $3 THEN valid_to - $2::interval ELSE valid_to END
WHERE tenant_id = $1 AND version <= $3
"""


@pytest.fixture
async def tenant(crm: Installation) -> Tenant:
    """A company that keeps old versions for 30 days."""
    return await crm.tenant(history_days=30)


async def aged(desk: Desk) -> pb.Contact:
    """A contact of three versions: the first ended 40 days ago, the second began then and ended now."""
    made = await desk.create("Ana")
    await desk.update(made.id, display_name="Anna")
    last = await desk.update(made.id, salutation="Pani")
    await desk.crm.rows("contacts", _AGE, desk.tenant.id, timedelta(days=40), 2)
    return last


async def forget(desk: Desk) -> int:
    runtime = desk.crm.process.runtimes["contacts"]
    return await retention.forget(runtime, desk.tenant.id, asyncio.Event())


async def test_only_versions_that_ended_before_the_days_go(crm: Installation, desk: Desk) -> None:
    made = await aged(desk)
    old_but_present = await desk.create("Old")
    await crm.rows(
        "contacts", "UPDATE contacts_history SET valid_from = '2001-01-01' WHERE id = $1", old_but_present.id
    )  # fmt: skip

    assert await forget(desk) == 1

    assert await versions(crm, "contacts", made.id) == [2, 3]
    assert await versions(crm, "contacts", old_but_present.id) == [1]
    assert (await desk.get(made.id)).etag == "3"
    assert await forget(desk) == 0


async def test_company_without_days_keeps_everything(crm: Installation) -> None:
    tenant = await crm.tenant()
    desk = Desk(tenant, tenant.admin)
    made = await aged(desk)

    async with unchanged(crm, tenant):
        assert await forget(desk) == 0

    assert await versions(crm, "contacts", made.id) == [1, 2, 3]


@pytest.mark.large
async def test_more_than_a_batch_goes_and_another_company_keeps_its_own(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made, other = await aged(desk), await crm.tenant()
    kept = await aged(Desk(other, other.admin))
    copies = (
        "INSERT INTO contacts_history SELECT tenant_id, gen_random_uuid(), 1, valid_from, valid_to, action, actor, cause,"
        " changed, doc FROM contacts_history, generate_series(1, 4500) WHERE id = $1 AND version = 1"
    )
    await crm.rows("contacts", copies, made.id)  # all of one instant, as after an import

    assert await forget(desk) == 4501

    assert await versions(crm, "contacts", made.id) == [2, 3]
    assert await versions(crm, "contacts", kept.id) == [1, 2, 3]


async def test_leader_forgets_when_its_term_begins(crm: Installation, desk: Desk) -> None:
    made, stop = await aged(desk), asyncio.Event()
    night: Any = retention.nightly(crm.process.runtimes["contacts"])

    async def gone() -> bool:
        return await versions(crm, "contacts", made.id) == [2, 3]

    async with running(night(None, stop)) as (task,):
        await until(gone)
        stop.set()
        await task


async def test_instant_before_the_days_is_refused(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await aged(desk)
    then = datetime.now(UTC) - timedelta(days=31)

    async with unchanged(crm, tenant):
        for refused in (
            desk.get(made.id, as_of=then),
            desk.page(as_of=then),
            desk.stub.ListAsOf(
                operation_pb2.ListAsOfRequest(resource="contacts", as_of=to_timestamp(then))
            ),
        ):
            with pytest.raises(errors.FailedPrecondition) as refusal:
                await refused
            assert refusal.value.reason == "AS_OF_OUT_OF_REACH"
            assert "30 days" in refusal.value.message
            assert [v.field for v in refusal.value.violations] == ["as_of"]
    within = datetime.now(UTC) - timedelta(days=29)
    assert (await desk.get(made.id, as_of=within)).display_name == "Anna"


async def test_oldest_kept_version_tells_only_what_it_changed(desk: Desk) -> None:
    made = await aged(desk)
    await forget(desk)

    newest, oldest = await desk.history(made.id)

    assert [change.field for change in newest.changes] == ["salutation"]
    assert [(c.field, c.after.string_value) for c in oldest.changes] == [("display_name", "Anna")]
    assert oldest.changes[0].before.WhichOneof("kind") == "null_value"


async def test_late_command_of_a_forgotten_version_is_refused(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await aged(desk)
    await forget(desk)

    async with unchanged(crm, tenant):
        with pytest.raises(errors.Aborted) as refusal:
            await desk.update(made.id, display_name="Late", etag="1")

    assert "older than" in refusal.value.message
    assert (await desk.update(made.id, position="chief", etag="2")).etag == "4"


def test_night_is_always_ahead() -> None:
    for hour, minute, expected in ((1, 59, 60.0), (2, 0, 86_400.0), (23, 0, 3 * 3600.0)):
        assert retention.seconds_to_night(datetime(2026, 5, 1, hour, minute, tzinfo=UTC)) == expected  # fmt: skip
