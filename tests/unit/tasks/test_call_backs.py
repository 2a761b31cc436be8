"""The task that a missed call makes."""

import pytest

from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1.task_pb2 import Task
from crm.telephony.v1.call_pb2 import Call
from services.tasks.rules import call_backs as rules
from tests.unit.tasks.people import MONDAY, OFFICE, Firm


def missed(**given: str) -> Call:
    return Call(
        id="call", spell_id="first", number="+48600100200", direction=Call.DIRECTION_INBOUND,
        missed_state=Call.MISSED_STATE_OPEN, end_time=to_timestamp(MONDAY), **given,
    )  # fmt: skip


def made(firm: Firm, call: Call) -> Task:
    return rules.call_back_task(call, None, firm.view, event_id="e", minutes=5, now=MONDAY)


def test_out_of_hours_it_is_due_when_whoever_must_call_has_begun_to_work() -> None:
    firm = Firm(hours=OFFICE)
    firm.change("anna", working_hours=[{"weekday": 2, "start": "10:00", "end": "12:00"}])

    task = made(firm, missed(owner_id="anna"))

    assert to_datetime(task.due_time).strftime("%a %H:%M") == "Tue 10:05"
    assert (task.owner_id, task.department_id, task.due_zone) == ("anna", "sales", "UTC")


@pytest.mark.parametrize(
    ("given", "owner", "department"),
    [
        ({"owner_id": "anna"}, "anna", "sales"),
        ({"department_id": "sales"}, "", "sales"),
        ({"owner_id": "unknown", "department_id": "sales"}, "", "sales"),
        ({"department_id": "unknown"}, "", ""),
    ],
    ids=["the owner", "the queue", "an owner who has left", "an unknown queue"],
)
def test_it_is_always_somebodys(given: dict[str, str], owner: str, department: str) -> None:
    task = made(Firm(), missed(**given))

    assert (task.owner_id, task.department_id) == (owner, department)
    assert list(task.candidate_ids) == ([] if owner or department else ["admin"])


@pytest.mark.parametrize(
    ("count", "subject"), [(1, "Call back"), (3, "Call back: 3 missed calls")], ids=str
)
def test_its_subject_says_how_many_calls_there_were(count: int, subject: str) -> None:
    task = made(Firm(), missed())

    rules.count(task, missed(), missed=count)

    assert task.subject == subject


def test_only_an_open_call_with_a_number_from_outside_asks_for_one() -> None:
    assert rules.asks_for_one(missed())
    for field, value in (
        ("number", ""),
        ("withheld", True),
        ("direction", Call.DIRECTION_INTERNAL),
        ("missed_state", Call.MISSED_STATE_CAME_BACK),
    ):
        call = missed()
        setattr(call, field, value)
        assert not rules.asks_for_one(call), field
