"""What a task must be, its matter, and what its type gives it."""

import pytest

from chassis.keys import uuid7
from crm.common.v1.common_pb2 import Link
from crm.tasks.v1.task_pb2 import Reminder, Task
from crm.tasks.v1.task_type_pb2 import TaskType
from services.tasks import errors
from services.tasks.rules import tasks as rules

ANNA, JAN, FIRM = uuid7(), uuid7(), uuid7()


def copy_of(task: Task) -> Task:
    made = Task()
    made.CopyFrom(task)
    return made


def test_a_subject_of_blanks_is_refused() -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.normalise(Task(subject=" \n "))
    assert [v.field for v in refused.value.violations] == ["subject"]


def test_followers_files_and_reminders_stand_once() -> None:
    task = Task(
        subject=" a  b ", owner_id="o", follower_ids=["x", "o", "x", "y"], file_ids=["f", "f"],
        reminders=[Reminder(minutes_before=n) for n in (5, 60, 5)],
    )  # fmt: skip
    rules.normalise(task)
    assert (task.subject, list(task.follower_ids), list(task.file_ids)) == (
        "a b",
        ["x", "y"],
        ["f"],
    )
    assert [r.minutes_before for r in task.reminders] == [60, 5]


def test_the_type_says_what_the_task_does_not() -> None:
    type = TaskType(
        priority=Task.PRIORITY_HIGH, estimated_minutes=20, reminders=[Reminder(minutes_before=15)]
    )
    plain, own = (
        Task(),
        Task(priority=Task.PRIORITY_LOW, estimated_minutes=5, reminders=[Reminder()]),
    )
    for task in (plain, own):
        rules.begin(task, type, by="eva")
    assert (plain.priority, plain.estimated_minutes) == (Task.PRIORITY_HIGH, 20)
    assert [r.minutes_before for r in plain.reminders] == [15]
    assert (own.priority, own.estimated_minutes) == (Task.PRIORITY_LOW, 5)
    assert [r.minutes_before for r in own.reminders] == [0]
    assert (plain.state, plain.creator_id) == (Task.STATE_OPEN, "eva")


def test_without_a_type_the_priority_is_normal() -> None:
    task = Task()
    rules.begin(task, None, by="")
    assert task.priority == Task.PRIORITY_NORMAL


def test_the_person_or_company_of_the_matter_is_the_tasks() -> None:
    task = Task(link=Link(contact_id=ANNA))
    rules.follow_link(task, None)
    assert (task.contact_id, task.company_id) == (ANNA, "")
    task = Task(link=Link(company_id=FIRM), contact_id=JAN)
    rules.follow_link(task, None)
    assert (task.contact_id, task.company_id) == (JAN, FIRM)


def test_a_person_beside_another_persons_matter_is_refused() -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.follow_link(Task(link=Link(contact_id=ANNA), contact_id=JAN), None)
    (violation,) = refused.value.violations
    assert violation.field == "contact_id"
    assert ANNA in violation.description
    assert JAN in violation.description


@pytest.mark.parametrize("end", ["task_id", "user_id"])
def test_a_task_or_a_user_is_no_matter(end: str) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.follow_link(Task(link=Link(**{end: uuid7()})), None)
    assert [v.field for v in refused.value.violations] == [f"link.{end}"]


def test_with_the_matter_go_its_person_and_company() -> None:
    old = Task(link=Link(contact_id=ANNA), contact_id=ANNA, company_id=FIRM)
    to_jan, to_deal, named = copy_of(old), copy_of(old), copy_of(old)
    to_jan.link.contact_id = JAN
    rules.follow_link(to_jan, old)
    assert (to_jan.contact_id, to_jan.company_id) == (JAN, "")
    to_deal.link.deal_id = uuid7()
    rules.follow_link(to_deal, old)
    assert (to_deal.contact_id, to_deal.company_id) == ("", "")
    named.link.deal_id = uuid7()
    named.contact_id = JAN
    rules.follow_link(named, old)
    assert (named.contact_id, named.company_id) == (JAN, "")


def test_a_first_matter_leaves_the_person_alone() -> None:
    old = Task(contact_id=ANNA)
    new = copy_of(old)
    new.link.deal_id = uuid7()
    rules.follow_link(new, old)
    assert new.contact_id == ANNA


def test_what_is_over_is_corrected_but_not_moved() -> None:
    old = Task(subject="x", owner_id="o", state=Task.STATE_DONE)
    corrected, moved = copy_of(old), copy_of(old)
    corrected.description = "more"
    rules.keep_ended(corrected, old)
    moved.owner_id = "p"
    with pytest.raises(errors.TaskWrongState, match="done"):
        rules.keep_ended(moved, old)
