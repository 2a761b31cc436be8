"""Giving, taking and declining tasks."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.tasks.v1 import task_verbs_pb2 as verbs
from tests.service.tasks.world import WORKER, Refused, Task, World


async def assign(world: World, task: Task, by: Person | None = None, **to: str) -> Task:
    request = verbs.AssignTaskRequest(id=task.id, **to)
    return await world.stub(by or world.tenant.admin).AssignTask(request)


async def take(world: World, id: str, by: Person, **more: str) -> Task:
    return await world.stub(by).TakeTask(verbs.TakeTaskRequest(id=id, **more))


async def decline(world: World, task: Task, by: Person, reason: str = "no car") -> Task:
    return await world.stub(by).DeclineTask(verbs.DeclineTaskRequest(id=task.id, reason=reason))


async def offered(world: World, *people: Person, by: Person | None = None) -> Task:
    request = verbs.QuickAssignRequest(
        tasks=[Task(subject="Measure")],
        owner_ids=[person.id for person in people],
        share=verbs.QuickAssignRequest.SHARE_FIRST_TAKES,
    )
    (task,) = (await world.stub(by or world.tenant.admin).QuickAssign(request)).tasks
    return task


# -- :assign -------------------------------------------------------------------------------------


async def test_an_assigned_task_is_his_and_who_gave_it_follows(world: World) -> None:
    home = await world.tenant.department()
    me, jan = await world.worker(), await world.worker(home)
    task = await world.make(me)
    given = await assign(world, task, me, owner_id=jan.id)
    assert (given.owner_id, given.department_id, given.assigner_id) == (jan.id, home, me.id)
    assert list(given.follower_ids) == [me.id]
    (event,) = await world.events("TaskAssigned")
    assert (event["previousOwnerId"], event["task"]["ownerId"]) == (me.id, jan.id)


async def test_into_a_queue(world: World) -> None:
    home = await world.tenant.department()
    task = await world.make()
    queued = await assign(world, task, department_id=home)
    assert (queued.owner_id, queued.department_id) == ("", home)
    assert not queued.HasField("assign_time")


async def test_to_whom_it_belongs_already_nothing_changes(world: World) -> None:
    task = await world.make()
    before = await world.state()
    assert await assign(world, task, owner_id=task.owner_id) == task
    assert await world.state() == before


@pytest.mark.parametrize(
    ("to", "kind", "reason", "field"),
    [
        ({}, errors.InvalidArgument, "VALUES_INVALID", "owner_id"),
        ({"owner_id": uuid7()}, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "owner_id"),
        ({"department_id": uuid7()}, errors.InvalidArgument, "REFERENCE_UNKNOWN", "department_id"),
    ],
)
async def test_to_nobody_is_refused(
    world: World, to: dict[str, str], kind: Any, reason: str, field: str
) -> None:
    task = await world.make()
    async with Refused(world, kind, reason, field):
        await assign(world, task, **to)


async def test_an_old_etag_and_a_foreign_task_are_refused(world: World) -> None:
    jan, eva = await world.worker(), await world.worker()
    task = await world.make(jan)
    await assign(world, task, jan, owner_id=eva.id)
    async with Refused(world, errors.Aborted, "CHANGED_MEANWHILE"):
        await assign(world, task, owner_id=jan.id, etag=task.etag)
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await assign(world, task, jan, owner_id=jan.id)  # he follows it only


# -- :take ---------------------------------------------------------------------------------------


async def test_twenty_want_it_one_gets_it_and_the_others_hear_who(world: World) -> None:
    home = await world.tenant.department()
    people = [await world.worker(home, name=f"W{n}") for n in range(20)]
    task = await world.make(department_id=home)
    answers = await asyncio.gather(
        *(take(world, task.id, person) for person in people), return_exceptions=True
    )
    won = [n for n, answer in enumerate(answers) if isinstance(answer, Task)]
    assert len(won) == 1
    now = await world.task(task.id)
    assert (now.owner_id, now.department_id, now.etag) == (people[won[0]].id, home, "2")
    lost = [answer for n, answer in enumerate(answers) if n != won[0]]
    assert {(type(e), e.reason) for e in lost} == {(errors.Aborted, "TASK_TAKEN")}
    assert {e.metadata["taken_by"] for e in lost} == {f"W{won[0]}"}
    assert len(await world.events("TaskAssigned")) == 1
    assert await world.published() == 2


async def test_an_offer_goes_to_the_first_and_the_others_lose_sight_of_it(world: World) -> None:
    me, jan, eva = [await world.worker(name=name) for name in ("Me", "Jan", "Eva")]
    task = await offered(world, jan, eva, by=me)
    assert (task.owner_id, list(task.candidate_ids)) == ("", [jan.id, eva.id])
    assert [await world.sees(person, task.id) for person in (me, jan, eva)] == [True] * 3
    taken = await take(world, task.id, jan)
    assert (taken.owner_id, taken.assigner_id, list(taken.candidate_ids)) == (jan.id, me.id, [])
    assert [await world.sees(person, task.id) for person in (me, jan, eva)] == [True, True, False]
    async with Refused(world, errors.Aborted, "TASK_TAKEN") as refused:
        await take(world, task.id, eva)
    assert refused.error.metadata == {"taken_by": "Jan"}


async def test_pressed_twice_it_is_taken_once(world: World) -> None:
    home = await world.tenant.department()
    jan = await world.worker(home)
    task = await world.make(department_id=home)
    first = await take(world, task.id, jan, request_id="tap")
    before = await world.state()
    assert await take(world, task.id, jan, request_id="tap") == first
    assert await take(world, task.id, jan) == first
    assert await world.state() == before


async def test_what_was_not_offered_cannot_be_taken(world: World) -> None:
    home = await world.tenant.department()
    jan, mate, follower = await world.worker(), await world.worker(home), await world.worker()
    own = await world.make(jan, follower_ids=[follower.id])
    async with Refused(world, errors.PermissionDenied, "NOT_OFFERED"):
        await take(world, own.id, follower)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await take(world, own.id, mate)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await take(world, uuid7(), mate)
    offer = await offered(world, jan, by=follower)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await take(world, offer.id, mate)


async def test_what_is_over_cannot_be_taken(world: World) -> None:
    home = await world.tenant.department()
    jan = await world.worker(home)
    task = await world.make(department_id=home)
    await world.admin.CancelTask(verbs.CancelTaskRequest(id=task.id))
    async with Refused(world, errors.FailedPrecondition, "TASK_WRONG_STATE"):
        await take(world, task.id, jan)


# -- :decline ------------------------------------------------------------------------------------


async def test_a_declined_task_returns_to_who_gave_it_with_the_reason(world: World) -> None:
    home = await world.tenant.department()
    head, jan = await world.worker(home), await world.worker()
    task = await world.make(head, owner_id=jan.id)
    back = await decline(world, task, jan)
    assert (back.owner_id, back.department_id) == (head.id, home)
    assert (back.last_decline.user_id, back.last_decline.reason) == (jan.id, "no car")
    (event,) = await world.events("TaskDeclined")
    assert event["task"]["lastDecline"]["reason"] == "no car"
    assert not await world.sees(jan, task.id)


async def test_out_of_a_queue_it_returns_to_the_queue(world: World) -> None:
    home = await world.tenant.department()
    jan = await world.worker(home)
    task = await world.make(department_id=home)
    taken = await take(world, task.id, jan)
    back = await decline(world, taken, jan)
    assert (back.owner_id, back.department_id) == ("", home)


async def test_whoever_gave_it_is_gone_so_it_goes_to_the_queue(world: World) -> None:
    home = await world.tenant.department()
    head, jan = await world.worker(), await world.worker(home)
    task = await world.make(head, owner_id=jan.id)
    gone = {
        **world.running.process.directory.of(world.tenant.id).user(head.id),
        "state": "inactive",
    }
    await world.tenant.put("user", head.id, gone)
    back = await decline(world, task, jan)
    assert (back.owner_id, back.department_id) == ("", home)


async def test_the_last_one_declines_an_offer_and_it_returns(world: World) -> None:
    me, jan, eva = [await world.worker() for _ in range(3)]
    task = await offered(world, jan, eva, by=me)
    left = await decline(world, task, jan)
    assert (left.owner_id, list(left.candidate_ids)) == ("", [eva.id])
    assert not await world.sees(jan, task.id)
    back = await decline(world, task, eva)
    assert (back.owner_id, list(back.candidate_ids)) == (me.id, [])


async def test_declining_needs_a_reason(world: World) -> None:
    jan = await world.worker()
    task = await world.make(owner_id=jan.id)
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "reason"):
        await decline(world, task, jan, reason="")


async def test_only_who_has_it_gives_it_back(world: World) -> None:
    home = await world.tenant.department()
    jan, mate = await world.worker(name="Jan"), await world.worker(home)
    task = await world.make(jan)
    async with Refused(world, errors.PermissionDenied, "NOT_YOURS") as refused:
        await decline(world, task, world.tenant.admin)
    assert "Jan has to do this task" in str(refused.error)
    queued = await world.make(department_id=home)
    async with Refused(world, errors.PermissionDenied, "NOT_YOURS"):
        await decline(world, queued, mate)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await decline(world, task, mate)


async def test_a_task_of_ones_own_has_nowhere_to_return(world: World) -> None:
    jan = await world.worker(await world.tenant.department())
    task = await world.make(jan)
    async with Refused(world, errors.FailedPrecondition, "NOBODY_TO_RETURN_TO"):
        await decline(world, task, jan)


# -- :quickAssign --------------------------------------------------------------------------------


async def quick(world: World, count: int = 1, by: Person | None = None, **more: Any) -> list[Task]:
    tasks = [Task(subject=f"T{n}") for n in range(count)]
    request = verbs.QuickAssignRequest(tasks=tasks, **more)
    return list((await world.stub(by or world.tenant.admin).QuickAssign(request)).tasks)


async def test_a_copy_for_each_in_the_order_asked(world: World) -> None:
    jan, eva = await world.worker(), await world.worker()
    made = await quick(world, 2, owner_ids=[jan.id, eva.id, jan.id])
    assert [(t.subject, t.owner_id) for t in made] == [
        ("T0", jan.id), ("T0", eva.id), ("T1", jan.id), ("T1", eva.id),
    ]  # fmt: skip
    assert len({t.id for t in made}) == 4
    assert [e["task"]["ownerId"] for e in await world.events("TaskCreated", 4)] == [
        t.owner_id for t in made
    ]
    assert [await world.task(t.id) for t in made] == made


async def test_many_into_a_queue(world: World) -> None:
    home = await world.tenant.department()
    made = await quick(world, 100, department_id=home)
    assert {(t.owner_id, t.department_id) for t in made} == {("", home)}
    assert await world.count("tasks") == 100


async def test_asked_again_with_the_same_key_it_makes_nothing_more(world: World) -> None:
    jan = await world.worker()
    first = await quick(world, 3, owner_ids=[jan.id], request_id="q")
    assert await quick(world, 3, owner_ids=[jan.id], request_id="q") == first
    assert await world.count("tasks") == 3


async def test_more_than_two_hundred_are_refused(world: World) -> None:
    people = [await world.worker() for _ in range(3)]
    async with Refused(world, errors.InvalidArgument, "TOO_MANY", "tasks") as refused:
        await quick(world, 67, owner_ids=[p.id for p in people])
    assert "201" in str(refused.error)
    assert "200" in str(refused.error)


async def test_all_or_none(world: World) -> None:
    jan = await world.worker()
    request = verbs.QuickAssignRequest(
        tasks=[Task(subject="Good"), Task(subject="Bad", all_day=True)], owner_ids=[jan.id]
    )
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "all_day"):
        await world.admin.QuickAssign(request)


async def test_to_whom_must_be_said_once_and_be_somebody(world: World) -> None:
    home, jan = await world.tenant.department(), await world.worker()
    for to in ({}, {"owner_ids": [jan.id], "department_id": home}):
        async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "owner_ids"):
            await quick(world, **to)
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "owner_ids[1]"):
        await quick(world, owner_ids=[jan.id, uuid7()])


async def test_who_may_make_only_his_own_gives_none_away(world: World) -> None:
    jan = await world.worker()
    own = [{**g, "scope": "own"} if g["action"] == "create" else g for g in WORKER]
    clerk = await world.tenant.person(own)
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await quick(world, owner_ids=[jan.id], by=clerk)
