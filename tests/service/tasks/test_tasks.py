"""Tasks by the standard methods."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from crm.common.v1 import common_pb2 as common
from crm.common.v1.common_pb2 import CustomField, Link
from crm.tasks.v1 import customization_pb2, task_pb2
from crm.tasks.v1.task_pb2 import Reminder, Visit
from tests.service.tasks.world import Refused, Task, World, at, values

INVALID = errors.InvalidArgument


async def update(world: World, task: Task, by: Any = None, etag: str = "", **given: Any) -> Task:
    request = task_pb2.UpdateTaskRequest(
        task=Task(id=task.id, **given), update_mask=FieldMask(paths=list(given)), etag=etag
    )
    return await (by or world.admin).UpdateTask(request)


async def found(world: World, filter: str, **more: Any) -> list[str]:
    request = task_pb2.ListTasksRequest(filter=filter, page_size=200, **more)
    return [task.subject for task in (await world.admin.ListTasks(request)).tasks]


async def test_a_task_is_its_makers_and_open(world: World) -> None:
    me = await world.worker()
    task = await world.make(me, subject="  Send   the offer ")
    assert (task.subject, task.state, task.priority) == (
        "Send the offer",
        Task.STATE_OPEN,
        Task.PRIORITY_NORMAL,
    )
    assert (task.owner_id, task.creator_id, task.assigner_id) == (me.id, me.id, me.id)
    assert await world.task(task.id, me) == task
    (event,) = await world.events("TaskCreated")
    assert event["task"]["subject"] == "Send the offer"
    assert await world.published() == 1


async def test_a_task_for_a_colleague_is_his_and_its_maker_follows(world: World) -> None:
    home = await world.tenant.department()
    me, jan = await world.worker(), await world.worker(home, time_zone="Asia/Kolkata")
    task = await world.make(me, owner_id=jan.id, due_time=at("2027-05-04T10:00"))
    assert (task.department_id, task.due_zone) == (home, "Asia/Kolkata")
    assert (list(task.follower_ids), task.assign_time) == ([me.id], task.create_time)
    assert await world.sees(me, task.id)
    assert await world.sees(jan, task.id)
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await update(world, task, world.stub(me), subject="Else")


async def test_a_queue_is_seen_by_its_department_only(world: World) -> None:
    home, other = await world.tenant.department(), await world.tenant.department()
    mate, stranger = await world.worker(home), await world.worker(other)
    task = await world.make(department_id=home, due_time=at("2027-05-04T10:00"))
    assert (task.owner_id, task.due_zone) == ("", "Europe/Warsaw")
    assert await world.sees(mate, task.id)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.task(task.id, stranger)


async def test_who_is_away_still_gets_tasks(world: World) -> None:
    away = await world.worker(away_from=0, away_until=4102444800)
    assert (await world.make(owner_id=away.id)).owner_id == away.id


@pytest.mark.parametrize("state", ["invited", "inactive", ""])
async def test_who_is_not_active_gets_none(world: World, state: str) -> None:
    id = (await world.worker(state=state)).id if state else uuid7()
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "owner_id"):
        await world.make(owner_id=id)
    task = await world.make()
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "owner_id"):
        await update(world, task, owner_id=id)


@pytest.mark.parametrize(
    ("given", "reason", "field"),
    [
        ({"subject": " \n"}, "VALUES_INVALID", "subject"),
        ({"start_time": at("2027-05-04T10:00"), "due_time": at("2027-05-04T09:00")}, "VALUES_INVALID", "due_time"),
        ({"all_day": True}, "VALUES_INVALID", "all_day"),
        ({"link": Link(user_id=uuid7())}, "VALUES_INVALID", "link.user_id"),
        ({"link": Link(contact_id=uuid7()), "contact_id": uuid7()}, "VALUES_INVALID", "contact_id"),
        ({"type_id": uuid7()}, "REFERENCE_UNKNOWN", "type_id"),
        ({"department_id": uuid7()}, "REFERENCE_UNKNOWN", "department_id"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(
    world: World, given: dict[str, Any], reason: str, field: str
) -> None:
    async with Refused(world, INVALID, reason, field):
        await world.make(**given)
    task = await world.make()
    async with Refused(world, INVALID, reason, field):
        await update(world, task, **given)


async def test_an_unknown_zone_is_refused_by_name(world: World) -> None:
    with pytest.raises(INVALID, match=r"task\.due_zone.*Europe/Atlantis"):
        await world.make(due_time=at("2027-05-04T10:00"), due_zone="Europe/Atlantis")
    assert await world.count("tasks") == 0


async def test_a_visit_is_told_with_place_appointment_and_departure(world: World) -> None:
    visit = Visit(place="Mokra 1", appointment_time=at("2027-05-04T10:00"), travel_minutes=45)
    task = await world.make(visit=visit)
    assert task.visit.departure_time == at("2027-05-04T09:15")
    assert task.due_time == at("2027-05-04T10:00")
    (event,) = await world.events("TaskCreated")
    told = event["task"]["visit"]
    assert (told["place"], told["departureTime"]) == ("Mokra 1", "2027-05-04T09:15:00Z")
    moved = await update(
        world, task, visit=Visit(place="Mokra 1", appointment_time=at("2027-05-05T10:00"))
    )
    assert (moved.visit.departure_time, moved.due_time) == (at("2027-05-05T10:00"),) * 2


async def test_the_matter_gives_the_person(world: World) -> None:
    contact = uuid7()
    task = await world.make(link=Link(contact_id=contact))
    assert task.contact_id == contact
    (event,) = await world.events("TaskCreated")
    assert event["task"]["contactId"] == contact


async def test_the_type_says_what_the_task_does_not(world: World) -> None:
    type = await world.type(
        priority=Task.PRIORITY_HIGH, estimated_minutes=45, reminders=[Reminder(minutes_before=60)]
    )
    task = await world.make(type_id=type.id)
    assert (task.priority, task.estimated_minutes) == (Task.PRIORITY_HIGH, 45)
    assert [r.minutes_before for r in task.reminders] == [60]


async def test_an_update_that_gives_it_away_is_told_as_an_assignment(world: World) -> None:
    me, jan = await world.worker(), await world.worker()
    task = await world.make(me, due_time=at("2027-05-04T10:00"))
    given = await update(
        world, task, world.stub(me), owner_id=jan.id, due_time=at("2027-05-05T10:00")
    )
    assert (given.owner_id, given.assigner_id) == (jan.id, me.id)
    assert list(given.follower_ids) == [me.id]
    (event,) = await world.events("TaskAssigned")
    assert event["previousOwnerId"] == me.id
    assert {"owner_id", "due_time"} <= set(event["change"]["changedFields"])
    assert await world.published() == 2  # no TaskUpdated besides


async def test_an_update_puts_it_into_a_queue_and_between_queues(world: World) -> None:
    first, second = await world.tenant.department(), await world.tenant.department()
    task = await world.make()
    queued = await update(world, task, owner_id="", department_id=first)
    assert (queued.owner_id, queued.department_id) == ("", first)
    moved = await update(world, queued, department_id=second)
    assert (moved.owner_id, moved.department_id) == ("", second)
    assert [e["task"].get("ownerId", "") for e in await world.events("TaskAssigned", 2)] == ["", ""]
    async with Refused(world, INVALID, "VALUES_INVALID", "owner_id"):
        await update(world, moved, department_id="")


async def test_any_other_change_is_told_as_an_update(world: World) -> None:
    task = await world.make()
    await update(world, task, subject="Else")
    (event,) = await world.events("TaskUpdated")
    assert event["change"]["changedFields"] == ["subject"]


async def test_a_late_update_lands_where_nobody_was(world: World) -> None:
    task = await world.make()
    await update(world, task, subject="New subject")
    both = await update(world, task, etag=task.etag, description="From the road")
    assert (both.subject, both.description) == ("New subject", "From the road")
    async with Refused(world, errors.Aborted, "FIELDS_CHANGED", "subject"):
        await update(world, task, etag=task.etag, subject="Mine")


async def test_what_only_the_verbs_change_cannot_be_set(world: World) -> None:
    task = await world.make(state=Task.STATE_DONE, attempt_count=7, candidate_ids=[uuid7()])
    assert (task.state, task.attempt_count, list(task.candidate_ids)) == (Task.STATE_OPEN, 0, [])
    async with Refused(world, INVALID, "INVALID_MASK", "update_mask"):
        await update(world, task, state=Task.STATE_DONE)


async def test_a_task_made_without_network_lands_once(world: World) -> None:
    request = task_pb2.CreateTaskRequest(
        task=Task(id=uuid7(), subject="Made in the lift"), request_id="phone-1"
    )
    first = await world.admin.CreateTask(request)
    assert await world.admin.CreateTask(request) == first
    assert await world.count("tasks") == 1
    async with Refused(world, errors.AlreadyExists, "ALREADY_EXISTS"):
        await world.admin.CreateTask(task_pb2.CreateTaskRequest(task=request.task))


async def test_a_deleted_task_comes_back(world: World) -> None:
    task = await world.make()
    await world.admin.DeleteTask(task_pb2.DeleteTaskRequest(id=task.id))
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.task(task.id)
    await world.admin.UndeleteTask(task_pb2.UndeleteTaskRequest(id=task.id))
    assert (await world.task(task.id)).subject == task.subject
    assert len(await world.events("TaskDeleted")) == len(await world.events("TaskUndeleted")) == 1


async def test_custom_fields_of_tasks(world: World) -> None:
    field = CustomField(
        resource="tasks",
        key="car",
        label="Car",
        type=common.CUSTOM_FIELD_TYPE_TEXT,
        filterable=True,
    )
    await world.admin.CreateCustomField(
        customization_pb2.CreateCustomFieldRequest(custom_field=field)
    )
    await world.make(subject="With a car", custom=values(car="KR 1"))
    await world.make(subject="On foot")
    assert await found(world, 'custom.car = "KR 1"') == ["With a car"]
    async with Refused(world, INVALID, "CUSTOM_FIELD_INVALID", "custom.cat"):
        await world.make(custom=values(cat="x"))


@pytest.fixture
async def full(world: World) -> World:
    """A tenant with three tasks that differ in everything lists look at."""
    contact, request, deal = uuid7(), uuid7(), uuid7()
    await world.make(
        subject="First", due_time=at("2027-05-04T10:00"), link=Link(contact_id=contact)
    )
    await world.make(
        subject="Second", due_time=at("2027-05-03T10:00"), link=Link(request_id=request), priority=Task.PRIORITY_URGENT
    )  # fmt: skip
    await world.make(subject="Third", link=Link(deal_id=deal), start_time=at("2027-05-01T08:00"))
    world.ids = {"contact": contact, "request": request, "deal": deal}  # type: ignore[attr-defined]
    return world


@pytest.mark.parametrize(
    ("filter", "subjects"),
    [
        ("", ["Second", "First", "Third"]),
        ("state = OPEN", ["Second", "First", "Third"]),
        ("state = DONE", []),
        ('due_time < "2027-05-04T00:00:00Z"', ["Second"]),
        ("NOT due_time:*", ["Third"]),
        ('start_time > "2027-04-30T00:00:00Z"', ["Third"]),
        ("priority = URGENT", ["Second"]),
        ('contact_id = "{contact}"', ["First"]),
        ('link.request_id = "{request}"', ["Second"]),
        ('link.deal_id = "{deal}"', ["Third"]),
        ("miss_time:*", []),
    ],
)
async def test_lists_filter(full: World, filter: str, subjects: list[str]) -> None:
    ids = full.ids  # type: ignore[attr-defined]
    assert await found(full, filter.format(**ids)) == subjects


async def test_lists_sort_page_and_search(full: World) -> None:
    assert (await found(full, "", order_by="priority desc"))[0] == "Second"
    assert await found(full, "", order_by="due_time desc") == ["Third", "First", "Second"]
    assert await found(full, "", order_by="create_time") == ["First", "Second", "Third"]
    assert await found(full, "", q="secon") == ["Second"]
    request = task_pb2.ListTasksRequest(page_size=2)
    first = await full.admin.ListTasks(request)
    request.page_token = first.next_page_token
    second = await full.admin.ListTasks(request)
    assert [t.subject for t in (*first.tasks, *second.tasks)] == ["Second", "First", "Third"]


async def test_who_may_not_see_subjects_cannot_search_them(full: World) -> None:
    blind = await full.tenant.person(
        [{"object": "task", "action": "read", "scope": "all"}], hidden=["task.subject"]
    )
    listed = await full.stub(blind).ListTasks(task_pb2.ListTasksRequest(q="second"))
    assert list(listed.tasks) == []
    assert {t.subject for t in (await full.stub(blind).ListTasks(task_pb2.ListTasksRequest())).tasks} == {""}  # fmt: skip
