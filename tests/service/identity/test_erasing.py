"""identity's part of an erasure is answered in the end, whatever becomes of the operation that does it."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from chassis import erasure
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2
from crm.contacts.v1.privacy_events_pb2 import ContactErased
from services.identity import erasing
from tests.service.identity.conftest import Company, until

_OPERATIONS = "SELECT id, kind, state FROM operations WHERE tenant_id = $1 ORDER BY id"
_WATCHING = "SELECT due_at, payload::text AS payload FROM timers WHERE tenant_id = $1 AND kind = 'erasure-watch'"


async def system(company: Company, work: Any) -> Any:
    return await company.crm.process.runtimes["identity"].run_system(
        company.id, Cause("event"), work
    )


async def asked(company: Company) -> ContactErased:
    """An erasure that identity has heard of."""
    event = ContactErased(erasure_id=uuid7(), contact_id=uuid7())
    await system(company, lambda tx: erasing.erased.begin(event, tx))
    return event


async def over(company: Company, count: int) -> None:
    async def done() -> bool:
        states = [row["state"] for row in await company.rows(_OPERATIONS, company.id)]
        return len(states) == count and set(states) <= {"done", "failed", "cancelled"}

    await until(done, 30)


async def fire(company: Company) -> None:
    """The watch looks now instead of in a minute."""
    sql = "UPDATE timers SET due_at = now(), try_at = now() WHERE tenant_id = $1 AND kind = 'erasure-watch'"
    (before,) = await company.rows(_WATCHING, company.id)
    await company.rows(sql, company.id)

    async def fired() -> bool:
        rows = await company.rows(_WATCHING, company.id)
        return not rows or rows[0]["due_at"] > before["due_at"]

    await until(fired)


async def test_it_answers_once_and_looks_no_more(company: Company) -> None:
    event = await asked(company)
    await over(company, 2)
    told = (await company.event("ErasureDone"))["report"]
    assert (told["erasureId"], told["service"]) == (event.erasure_id, "identity")
    assert await company.rows(_WATCHING, company.id) == []
    kinds = [row["kind"] for row in await company.rows(_OPERATIONS, company.id)]
    assert kinds == ["erasure", "erasure-clean"]


@pytest.mark.large
async def test_one_rewriting_of_the_database_serves_all_who_wait_for_it(company: Company) -> None:
    runtime = company.crm.process.runtimes["identity"]
    before = await rewritten(company)

    async with erasure.cleaning_turn(runtime):  # nobody else rewrites meanwhile
        events = [await asked(company) for _ in range(3)]

        async def waiting() -> bool:
            rows = await company.rows(_WATCHING, company.id)
            return [orjson.loads(row["payload"])["kind"] for row in rows] == ["erasure-clean"] * 3

        await until(waiting, 30)

    await over(company, 6)
    told = [await company.event("ErasureDone", count=n) for n in (1, 2, 3)]
    assert {each["report"]["erasureId"] for each in told} == {each.erasure_id for each in events}
    for each in told:
        cause = each["change"]["cause"]
        assert (cause["kind"], cause["id"]) == ("erasure", each["report"]["erasureId"])

    async def once() -> bool:
        return await rewritten(company) == before + 1

    await until(once)


async def rewritten(company: Company) -> int:
    """How often the database was rewritten: each time the rewritten table is analysed."""
    sql = "SELECT analyze_count FROM pg_stat_user_tables WHERE relname = 'recovery_codes'"
    return int((await company.rows(sql))[0]["analyze_count"])


@pytest.mark.large
async def test_an_operation_that_ended_without_an_answer_is_started_again(company: Company) -> None:
    event = ContactErased(erasure_id=uuid7(), contact_id=uuid7())

    async def cancelled_at_once(tx: Tx) -> None:
        await erasing.erased.begin(event, tx)
        (one,) = await tx.runtime.operations.list(tx)
        await tx.runtime.operations.cancel(tx, one.name.rpartition("/")[2])

    await system(company, cancelled_at_once)
    await over(company, 1)

    await fire(company)

    await over(company, 3)
    assert (await company.event("ErasureDone"))["report"]["erasureId"] == event.erasure_id
    rows = await company.rows(_OPERATIONS, company.id)
    assert [(row["kind"], row["state"]) for row in rows] == [
        ("erasure", "cancelled"),
        ("erasure", "done"),
        ("erasure-clean", "done"),
    ]


async def test_a_large_database_is_cleaned_at_night_and_then_confirmed(company: Company) -> None:
    report = privacy_pb2.ErasureReport(
        erasure_id=uuid7(),
        service="identity",
        places=[privacy_pb2.ErasedPlace(name="answers", count=3)],
    )
    began = []

    async def swept(tx: Tx) -> None:
        began.append(tx.now)
        await erasing.erased.tonight(tx, report)

    await system(company, swept)
    (timer,) = await company.rows(_WATCHING, company.id)
    assert timer["due_at"].strftime("%H:%M") == "02:00"
    assert timedelta(0) < timer["due_at"] - began[0] <= timedelta(days=1)
    assert await company.rows(_OPERATIONS, company.id) == []

    await fire_at_night(company)

    await over(company, 1)
    told = (await company.event("ErasureDone"))["report"]
    assert (told["erasureId"], told["places"]) == (
        report.erasure_id,
        [{"name": "answers", "count": "3"}],
    )
    assert to_datetime_of(told["time"]) > began[0]


async def fire_at_night(company: Company) -> None:
    sql = "UPDATE timers SET due_at = now(), try_at = now() WHERE tenant_id = $1 AND kind = 'erasure-watch'"
    await company.rows(sql, company.id)

    async def started() -> bool:
        return bool(await company.rows(_OPERATIONS, company.id))

    await until(started)


def to_datetime_of(text: str) -> Any:
    moment = privacy_pb2.ErasureReport().time
    moment.FromJsonString(text)
    return to_datetime(moment)
