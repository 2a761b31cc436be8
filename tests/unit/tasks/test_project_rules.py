"""The order of a project's tasks, who reads them, and what a change of many does to one."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.hours import Calendar, Hours
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1.bulk_pb2 import Reschedule, TaskChangeItem
from services.tasks.rules import bulk, projects
from services.tasks.rules.projects import Task

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WEEK = {day: ((540, 1080),) for day in range(1, 6)}
OFFICE = Hours(Calendar(ZoneInfo("Europe/Warsaw"), WEEK))


def row(*positions: int) -> list[Task]:
    return [Task(id=str(n), position=position) for n, position in enumerate(positions)]


def order(tasks: list[Task], places: dict[str, int]) -> list[str]:
    return [t.id for t in sorted(tasks, key=lambda t: (places.get(t.id, t.position), t.id))]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=2, max_size=8), st.data())
def test_a_task_comes_right_behind_the_one_named(positions: list[int], data: st.DataObject) -> None:
    tasks = row(*positions)
    ids = [task.id for task in tasks]
    moved = data.draw(st.sampled_from(ids))
    after = data.draw(st.sampled_from(["", *(id for id in ids if id != moved)]))
    places = projects.place_after(tasks, moved, after)
    rest = [id for id in order(tasks, {}) if id != moved]
    rest.insert(rest.index(after) + 1 if after else 0, moved)
    assert order(tasks, places) == rest
    assert 0 not in places.values()
    assert all(-(2**31) <= place < 2**31 for place in places.values())


def test_where_there_is_room_only_one_moves_and_else_all_get_new_places() -> None:
    assert set(projects.place_after(row(1024, 2048, 3072), "2", "0")) == {"2"}
    assert projects.place_after(row(7, 8, 9), "2", "0") == {"0": 1024, "2": 2048, "1": 3072}


def test_who_leaves_reads_no_more_unless_he_made_the_task() -> None:
    task = Task(owner_id="me", creator_id="maker", follower_ids=["friend", "ola", "maker"])
    projects.let_read(task, ["me", "jan"], ["me", "ola", "maker"])
    assert list(task.follower_ids) == ["friend", "maker", "jan"]


def shifted(days: int, due: datetime, hours: Hours = OFFICE) -> datetime:
    task = Task(due_time=to_timestamp(due), due_zone="Europe/Warsaw")
    bulk.reschedule(task, Reschedule(shift_working_days=days), hours, zone="UTC", now=NOW)
    return to_datetime(task.due_time)


@pytest.mark.parametrize(
    ("days", "due", "wanted"),
    [
        (
            1,
            "2030-03-29T09:00",
            "2030-04-01T08:00",
        ),  # Friday to Monday, over the change of the clocks
        (5, "2030-03-04T09:00", "2030-03-11T09:00"),
        (-1, "2030-03-04T09:00", "2030-03-01T09:00"),
        (1, "2030-03-03T09:00", "2030-03-04T09:00"),  # from a Sunday
    ],
)
def test_working_days_are_those_of_the_assignee(days: int, due: str, wanted: str) -> None:
    utc = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (due, wanted)]
    assert shifted(days, utc[0]) == utc[1]


def test_who_never_works_keeps_his_task_where_it_is() -> None:
    never = Hours(Calendar(ZoneInfo("UTC"), {}))
    with pytest.raises(bulk.Left) as left:
        shifted(1, datetime(2030, 3, 1, 9, tzinfo=UTC), never)
    assert left.value.reason == TaskChangeItem.REASON_NEVER_WORKS


def test_a_moved_deadline_is_not_missed() -> None:
    past = to_timestamp(datetime(2029, 12, 31, 23, tzinfo=UTC))
    task = Task(due_time=past, miss_time=past, due_zone="UTC")
    bulk.reschedule(task, Reschedule(shift_minutes=120), OFFICE, zone="UTC", now=NOW)
    assert not task.HasField("miss_time")
