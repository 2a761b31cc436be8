"""The task that a request makes."""

from chassis.times import to_datetime
from crm.contacts.v1.request_pb2 import Request
from crm.tasks.v1.task_pb2 import Task
from services.tasks.rules import reactions as rules
from tests.unit.tasks.people import MONDAY, OFFICE, Firm


def made(firm: Firm, **request: str) -> Task:
    asked = Request(id="r", contact_id="c", state=Request.STATE_NEW, **request)  # type: ignore[arg-type]
    return rules.call_task(
        asked, None, firm.view, event_id="e", start=MONDAY, minutes=15, now=MONDAY
    )


def test_it_is_for_who_has_the_request_and_due_in_his_hours() -> None:
    firm = Firm(hours=OFFICE)
    firm.change("anna", working_hours=[{"weekday": 2, "start": "10:00", "end": "12:00"}])

    task = made(firm, owner_id="anna")

    assert (task.owner_id, task.department_id, task.subject) == ("anna", "sales", "Call")
    assert to_datetime(task.due_time).strftime("%a %H:%M") == "Tue 10:15"
    assert (task.due_zone, task.origin.effect_key) == ("UTC", "e call")


def test_it_waits_in_the_queue_of_the_request() -> None:
    task = made(Firm(), department_id="sales")

    assert (task.owner_id, task.department_id, list(task.candidate_ids)) == ("", "sales", [])


def test_a_request_that_is_nobodys_is_offered_to_the_administrators() -> None:
    task = made(Firm())

    assert (task.owner_id, list(task.candidate_ids)) == ("", ["admin"])
    assert rules.is_elsewhere(task, Request(owner_id="anna"))


def test_only_who_has_had_no_answer_waits() -> None:
    waiting = [state for state in Request.State.values() if rules.waits(Request(state=state))]

    assert waiting == [Request.STATE_NEW, Request.STATE_ASSIGNED, Request.STATE_IN_WORK]
    assert not rules.waits(Request(state=Request.STATE_NEW, delete_time={"seconds": 1}))  # type: ignore[arg-type]
