"""Scenario 4: no missed call is lost. A task to call back, who is told when nobody does, and what ends it (S135)."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.e2e.company import Person, becomes, ok, phone, refused
from tests.e2e.market import WARSAW, dated, market, moment, now
from tests.e2e.switchboard import Switchboard, opened, workday
from tests.service.gateway import sse
from tests.service.gateway.conftest import Crm

pytestmark = pytest.mark.large

MINUTE = timedelta(minutes=1)
LADDER = [
    {"afterMinutes": 5, "whom": "WHOM_OWNER"},
    {"afterMinutes": 10, "whom": "WHOM_HEAD"},
]


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market("telephony") as made:
        yield made


@pytest.fixture
async def board(crm: Crm) -> AsyncIterator[Switchboard]:
    async with opened(crm) as made:
        yield made


def at(record: dict[str, Any], field: str) -> datetime:
    return datetime.fromisoformat(record[field])


def number_of(contact: dict[str, Any]) -> str:
    return str(contact["phones"][0]["number"])


async def only_task(board: Switchboard) -> dict[str, Any]:
    (task,) = await board.tasks()
    return task


async def notices(person: Person, code: str) -> list[str]:
    """The records of which this person was told so, the oldest first."""
    found = ok(await person.http.get("/v1/me/notices")).get("notices", [])
    return [each["objectId"] for each in reversed(found) if each["code"] == code]


async def test_a_missed_call_waits_in_a_task_of_five_minutes_with_a_ladder(
    board: Switchboard,
) -> None:
    body = {"name": "Calls", "clock": "CLOCK_REACTION", "steps": LADDER}
    ok(await board.http.post("/v1/ladders", json=body))
    contact = await board.customer(board.ana)

    async with sse.opened(board.ana.http, types="CallMissed") as window:
        call = await board.missed(number_of(contact), board.ana)
        _, event = await window.next()

    assert event["data"]["call"]["missedState"] == "MISSED_STATE_OPEN"
    assert (call["outcome"], call["missedReason"]) == ("OUTCOME_MISSED", "MISSED_REASON_ABANDONED")
    assert (call["spellId"], call["spellCount"], call["ownerId"]) == (call["id"], 1, board.ana.id)
    task = await only_task(board)
    assert (task["subject"], task["ownerId"], task["contactId"]) == (
        "Call back", board.ana.id, contact["id"],
    )  # fmt: skip
    assert at(task, "dueTime") == at(call, "endTime") + 5 * MINUTE
    assert (task["callBack"]["callId"], task["callBack"]["missedCount"]) == (call["id"], 1)
    assert task["origin"]["rule"] == "missed_call"
    assert await notices(board.ana, "call_missed") == [call["id"]]
    card = ok(await board.ana.http.get(f"/v1/contacts/{contact['id']}/card"))
    assert [each["id"] for each in card["missedCalls"]] == [call["id"]]
    assert [each["id"] for each in card["openTasks"]] == [task["id"]]
    assert await board.timeline(contact) == ["CallMissed"]

    await board.wait(minutes=5)
    assert await notices(board.ana, "escalated") == [task["id"]]
    assert await notices(board.head, "escalated") == []
    await board.wait(minutes=5)

    assert await notices(board.head, "escalated") == [task["id"]]


async def test_calls_of_one_number_are_one_task_with_a_count(board: Switchboard) -> None:
    contact, other = [await board.customer(board.ana) for _ in range(2)]
    first = await board.missed(number_of(contact), board.ana)
    await board.wait(minutes=1)
    again = await board.missed(number_of(contact), board.ana, board.budi)
    apart = await board.missed(number_of(other), board.ana)

    counted, own = await board.tasks()

    assert (again["spellId"], again["spellCount"]) == (first["id"], 2)
    assert (counted["subject"], counted["callBack"]["missedCount"]) == (
        "Call back: 2 missed calls", 2,
    )  # fmt: skip
    assert (own["contactId"], own["callBack"]["spellId"]) == (other["id"], apart["id"])


async def test_an_attempt_in_vain_is_counted_and_any_colleague_s_call_back_ends_it(
    board: Switchboard,
) -> None:
    contact = await board.customer(board.ana)
    missed = [await board.missed(number_of(contact), board.ana) for _ in range(2)]

    tried = await board.dials(board.ana, number_of(contact))
    await board.acts(tried, "CUSTOMER_BUSY")
    await board.settle()

    assert (await board.call(tried))["outcome"] == "OUTCOME_BUSY"
    first = await board.call(missed[0])
    assert (first["attempts"], first["missedState"]) == (1, "MISSED_STATE_OPEN")
    task = await only_task(board)
    assert (task["state"], task["attemptCount"]) == ("STATE_OPEN", 1)

    async with sse.opened(board.ana.http, types="CallReturned") as window:
        back = await board.dials(board.budi, number_of(contact))
        spoken = await board.acts(back, "CUSTOMER_ANSWERS")
        told = [(await window.next())[1]["data"] for _ in missed]
    await board.acts(back, "COLLEAGUE_HANGS_UP", board.budi)
    await board.settle()

    assert [each["call"]["id"] for each in told] == [each["id"] for each in missed]
    assert [each["change"]["actor"]["userId"] for each in told] == [board.budi.id] * 2
    for call in [await board.call(each) for each in missed]:
        assert (call["missedState"], call["madeGoodCallId"]) == (
            "MISSED_STATE_RETURNED", back["id"],
        )  # fmt: skip
        assert call["missedEndTime"] == spoken["answerTime"]
    assert (await board.call(back))["returnsCallId"] == missed[0]["id"]
    done = await only_task(board)
    assert (done["state"], done["callBack"]["endedBy"]) == ("STATE_DONE", "returned")
    assert (done["callBack"]["madeGoodCallId"], done["endedById"]) == (back["id"], board.budi.id)
    card = ok(await board.ana.http.get(f"/v1/contacts/{contact['id']}/card"))
    assert (card["missedCalls"], card["openTasks"]) == ([], [])


async def test_who_calls_again_and_is_answered_needs_no_call_back(board: Switchboard) -> None:
    contact = await board.customer(board.ana)
    missed = await board.missed(number_of(contact), board.ana)
    await board.wait(minutes=2)

    again = await board.spoken(number_of(contact), board.budi)
    await board.settle()

    call = await board.call(missed)
    assert (call["missedState"], call["madeGoodCallId"]) == ("MISSED_STATE_CAME_BACK", again["id"])
    task = await only_task(board)
    assert (task["state"], task["callBack"]["endedBy"]) == ("STATE_DONE", "came_back")
    day = dated(now(board.crm).date())
    query = {f"{end}.{part}": value for end in ("startDate", "endDate") for part, value in day.items()}  # fmt: skip
    told = ok(await board.head.http.get("/v1/calls:statistics", params=query))
    assert (told["missed"], told.get("missedOpen", 0)) == (1, 0)
    assert [(line["userId"], line["answered"]) for line in told["lines"]] == [(board.budi.id, 1)]
    assert int(told["madeGoodSeconds"]) >= 120


async def test_a_missed_stranger_is_one_request_and_one_task_and_the_call_back_answers_both(
    board: Switchboard,
) -> None:
    number = phone()
    call = await board.missed(number, board.ana, board.budi)

    (request,) = await board.all("/v1/requests", "")
    task = await only_task(board)
    assert (request["callId"], request["state"]) == (call["id"], "STATE_NEW")
    assert (request["sourceId"], request["lastTouch"]["keyword"]) == (
        board.line["sourceId"], "plastic windows",
    )  # fmt: skip
    assert call["requestId"] == request["id"]
    assert (task.get("ownerId", ""), task["departmentId"]) == ("", board.sales)
    assert (task["link"]["requestId"], task["contactId"]) == (request["id"], request["contactId"])

    back = await board.dials(board.budi, number)
    await board.acts(back, "CUSTOMER_ANSWERS")
    await board.settle()

    answered = ok(await board.http.get(f"/v1/requests/{request['id']}"))
    assert (answered["state"], answered["ownerId"], answered["firstResponseBy"]) == (
        "STATE_ANSWERED", board.budi.id, board.budi.id,
    )  # fmt: skip
    assert (await only_task(board))["state"] == "STATE_DONE"
    assert len(await board.all("/v1/requests", "")) == 1


async def test_what_is_missed_out_of_hours_is_due_at_the_next_opening(board: Switchboard) -> None:
    contact = await board.customer(board.ana)
    evening = now(board.crm).replace(hour=20, minute=0)
    await board.wait(seconds=(evening - now(board.crm)).total_seconds())

    call = await board.missed(number_of(contact), board.ana)

    morning = await next_opening(evening)
    assert (call["missedReason"], call["dueBackTime"]) == (
        "MISSED_REASON_OUT_OF_HOURS", moment(morning),
    )  # fmt: skip
    task = await only_task(board)
    assert at(task, "dueTime") == morning + 5 * MINUTE
    await workday(board.crm, 9, 4)
    assert await notices(board.ana, "deadline_missed") == []


async def next_opening(evening: datetime) -> datetime:
    """Nine o'clock of the next working day."""
    day = evening + timedelta(days=1)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return datetime(day.year, day.month, day.day, 9, tzinfo=WARSAW)


async def test_what_needs_no_call_back_is_written_off_with_its_reason(board: Switchboard) -> None:
    contact = await board.customer(board.ana)
    call = await board.missed(number_of(contact), board.ana)
    path = f"/v1/calls/{call['id']}:writeOff"

    done = ok(await board.ana.http.post(path, json={"reason": "He sells insurance"}))
    await board.settle()

    assert (done["missedState"], done["note"]) == ("MISSED_STATE_WRITTEN_OFF", "He sells insurance")
    task = await only_task(board)
    assert (task["state"], task["callBack"]["endedBy"]) == ("STATE_CANCELLED", "written_off")
    refused(await board.ana.http.post(path, json={"reason": "Again"}), 422, "CALL_WRONG_STATE")
    assert (await board.call(call))["etag"] == done["etag"]
    await becomes(lambda: board.timeline(contact), ["CallMissed", "CallReturned"], "it is told")
