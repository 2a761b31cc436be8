"""The day of a department: what is late and due with its people and queues, and whose ladders run."""

from datetime import timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.tasks.v1 import day_pb2 as pb
from crm.tasks.v1 import task_verbs_pb2
from crm.tasks.v1.ladder_pb2 import Ladder, LadderStep
from tests.service.tasks.days import dated, now, stub, today, zone_where_it_is
from tests.service.tasks.ladders import ladder
from tests.service.tasks.world import WORKER, Refused, World

NOON = zone_where_it_is(12)
HEAD = [{"object": "task", "action": "read", "scope": "subtree"}]


async def department_day(person: Person, id: str) -> pb.DepartmentDay:
    return await stub(person).GetDepartmentDay(pb.GetDepartmentDayRequest(department_id=id))


def due(hours: float) -> dict[str, Any]:
    return {"due_time": to_timestamp(now() + timedelta(hours=hours))}


def shares(of: Any) -> list[tuple[str, int, int]]:
    return [(each.id, each.overdue_count, each.due_today_count) for each in of]


async def test_it_counts_by_person_customer_and_day(world: World) -> None:
    sales = await world.tenant.department()
    team = await world.tenant.department(parent_id=sales)
    other = await world.tenant.department()
    head = await world.tenant.person(HEAD, department_id=sales, time_zone=NOON)
    anna = await world.tenant.person(WORKER, department_id=team)
    bob = await world.tenant.person(WORKER, department_id=sales)
    stranger = await world.tenant.person(WORKER, department_id=other)
    jan, firm = uuid7(), uuid7()
    latest = await world.make(owner_id=anna.id, contact_id=jan, company_id=firm, **due(-30))
    late = await world.make(owner_id=anna.id, company_id=firm, **due(-2))
    soon = await world.make(owner_id=bob.id, contact_id=jan, **due(2))
    queued = await world.make(department_id=team, **due(3))
    await world.make(owner_id=bob.id, **due(40))
    await world.make(owner_id=stranger.id, **due(-1))
    await world.make(department_id=other, **due(-1))
    done = await world.make(owner_id=bob.id, **due(-1))
    await world.admin.CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=done.id))

    read = await department_day(head, sales)

    assert (read.overdue_count, read.due_today_count, read.running_ladder_count) == (2, 2, 0)
    assert (read.date, read.zone) == (dated(today(NOON)), NOON)
    assert shares(read.people)[0] == (anna.id, 2, 0)
    assert set(shares(read.people)[1:]) == {(bob.id, 0, 1), ("", 0, 1)}
    assert [
        (c.contact_id, c.company_id, c.overdue_count, c.due_today_count) for c in read.customers
    ] == [(jan, "", 1, 1), ("", firm, 1, 0)]
    assert [each.task_id for each in read.overdue] == [latest.id, late.id]
    assert [each.task_id for each in read.due_today] == [soon.id, queued.id]
    assert (read.overdue[0].subject, read.overdue[0].owner_id) == ("Call back", anna.id)
    below = await department_day(head, team)
    assert (below.overdue_count, below.due_today_count) == (2, 1)


async def test_it_names_the_tasks_whose_ladders_run(world: World) -> None:
    sales = await world.tenant.department()
    head = await world.tenant.person(HEAD, department_id=sales, time_zone=NOON)
    anna = await world.tenant.person(WORKER, department_id=sales)
    steps = await ladder(world, (600, LadderStep.WHOM_OWNER), clock=Ladder.CLOCK_DEADLINE)
    late = await world.make(owner_id=anna.id, ladder_id=steps.id, **due(-1))

    read = await department_day(head, sales)

    assert read.running_ladder_count == 1
    assert [each.task_id for each in read.running_ladders] == [late.id]


async def test_it_is_for_who_may_read_everybodys_tasks(world: World) -> None:
    sales = await world.tenant.department()
    team = await world.tenant.department(parent_id=sales)
    await world.tenant.person(WORKER, department_id=team)
    colleague = await world.tenant.person(WORKER, department_id=sales)
    leader = await world.tenant.person(HEAD, department_id=team)

    async with Refused(world, errors.PermissionDenied, "DAY_NOT_YOURS"):
        await department_day(colleague, sales)
    async with Refused(world, errors.PermissionDenied, "DAY_NOT_YOURS"):
        await department_day(leader, sales)
    assert (await department_day(leader, team)).overdue_count == 0
    with pytest.raises(errors.NotFound):
        await department_day(leader, uuid7())
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "department_id"):
        await department_day(leader, "x")
