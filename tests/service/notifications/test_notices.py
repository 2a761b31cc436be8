"""From events to feeds: each shipped rule, once for each recipient, and only to who may read the record."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.contacts.v1 import events_pb2 as contacts
from crm.contacts.v1 import request_pb2
from crm.identity.v1 import absence_events_pb2 as absences
from crm.identity.v1 import absence_pb2
from crm.notifications.v1 import notice_rule_pb2 as rules
from crm.tasks.v1 import day_events_pb2, deadline_events_pb2, ladder_pb2
from crm.tasks.v1 import events_pb2 as tasks
from tests.service.notifications.world import HEAD, WORKER, Task, World

FEED, PUSH = rules.WAY_FEED, rules.WAY_PUSH


@pytest.fixture(autouse=True)
async def begun(world: World) -> None:
    await world.begin()


def task(owner_id: str, **values: Any) -> Task:
    return Task(
        **{
            "id": uuid7(),
            "subject": "Call back",
            "state": Task.STATE_OPEN,
            "owner_id": owner_id,
            **values,
        }
    )


async def test_an_assigned_task_is_told_as_data_with_its_times(world: World) -> None:
    ola = await world.worker()
    due = to_timestamp(world.now + timedelta(days=1))
    contact_id = uuid7()

    given = task(ola.id, due_time=due, due_zone="Europe/Warsaw", contact_id=contact_id)
    event_id = await world.publish(tasks.TaskCreated(task=given), actor_id=world.tenant.admin.id)

    (notice,) = await world.told(ola)
    assert (notice.code, notice.event_type, notice.event_id) == (
        "task_assigned", "crm.tasks.v1.TaskCreated", event_id,
    )  # fmt: skip
    assert (notice.object, notice.object_id, notice.headline) == ("task", given.id, "Call back")
    assert dict(notice.arguments) == {
        "task.due_time": due.ToJsonString(), "task.due_zone": "Europe/Warsaw", "task.all_day": "false",
    }  # fmt: skip
    assert list(notice.contact_ids) == [contact_id]
    assert (notice.because, notice.actor_id) == (rules.RECIPIENT_OWNER, world.tenant.admin.id)
    assert (await world.feed(ola)).unread_count == 1
    (told,) = await world.running.events(world.tenant, "NoticeCreated")
    assert told["notice"]["ownerId"] == ola.id


async def test_nobody_is_told_of_what_he_did_himself(world: World) -> None:
    ola = await world.worker()
    await world.publish(tasks.TaskCreated(task=task(ola.id)), actor_id=ola.id)
    await world.assigned(ola)

    (notice,) = await world.told(ola)
    assert notice.event_type == "crm.tasks.v1.TaskAssigned"


async def test_a_task_of_which_another_event_tells_is_told_when_somebody_else_gets_it(
    world: World,
) -> None:
    ola = await world.worker()
    made = task(ola.id)
    await world.publish(tasks.TaskCreated(task=made, assignee_told=True))
    await world.publish(tasks.TaskAssigned(task=made), version=2)
    await world.heard()

    (notice,) = await world.told(ola)
    assert notice.event_type == "crm.tasks.v1.TaskAssigned"


async def test_an_event_that_comes_twice_is_told_once(world: World) -> None:
    ola = await world.worker()
    given, event_id = task(ola.id), uuid7()
    for _ in range(3):
        await world.publish(tasks.TaskAssigned(task=given), event_id=event_id)
    await world.publish(
        tasks.TaskUpdated(task=given), version=2
    )  # comes behind them: they were heard
    await world.heard()

    (notice,) = await world.told(ola)
    assert notice.event_id == event_id
    assert await world.count("deliveries") == (1 if PUSH in notice.ways else 0)
    assert len(await world.running.events(world.tenant, "NoticeCreated")) == 1


@pytest.mark.parametrize("cause", ["change", "import", "handover", "merge", "undo", "absence", "erasure"])  # fmt: skip
async def test_housekeeping_tells_nobody(world: World, cause: str) -> None:
    ola = await world.worker()
    await world.publish(tasks.TaskAssigned(task=task(ola.id)), cause=cause)
    await world.publish(
        tasks.TaskAssigned(task=task(ola.id)), time=world.now - timedelta(hours=25)
    )  # what a service hears that has just begun to listen
    await world.heard()

    assert len((await world.feed(ola)).notices) == 0


async def test_requests_deadlines_and_the_morning_are_told(world: World) -> None:
    ola = await world.worker()
    request = request_pb2.Request(id=uuid7(), text="Windows", owner_id=ola.id)
    await world.publish(contacts.RequestReceived(request=request))
    await world.publish(contacts.RequestAssigned(request=request), actor_id=world.tenant.admin.id)
    near = deadline_events_pb2.DeadlineNear(task=task(ola.id), minutes_before=30)
    await world.publish(near)
    await world.publish(day_events_pb2.DayPlanned(user_id=ola.id, line_count=7))

    told = {notice.code: notice for notice in await world.told(ola, 3)}
    assert told["request_assigned"].headline == "Windows"
    assert told["deadline_near"].arguments["minutes_before"] == "30"
    assert told["day_planned"].arguments["line_count"] == "7"


async def test_a_missed_deadline_is_told_to_the_head_too_and_to_the_next_one_of_a_heads_own(
    world: World,
) -> None:
    director = await world.tenant.person(HEAD)
    above = await world.tenant.department(head_id=director.id)
    sales = await world.tenant.department(above)
    head = await world.tenant.person(HEAD, department_id=sales)
    await world.tenant.put(
        "department", sales, {"name": "S", "parent_id": above, "head_id": head.id}
    )
    await world.tenant.put(
        "user", director.id, {**_entry(world, director.id), "department_id": above}
    )
    ola = await world.worker(department_id=sales)

    await world.publish(deadline_events_pb2.DeadlineMissed(task=task(ola.id)))
    (of_owner,), (of_head,) = await world.told(ola), await world.told(head)
    await world.publish(deadline_events_pb2.DeadlineMissed(task=task(head.id)))

    (of_director,) = await world.told(director)
    assert (of_owner.because, of_head.because) == (rules.RECIPIENT_OWNER, rules.RECIPIENT_HEAD)
    assert (of_owner.code, of_head.code) == ("deadline_missed", "team_deadline_missed")
    assert of_owner.urgent
    assert of_head.urgent
    assert of_director.because == rules.RECIPIENT_HEAD


async def test_what_a_ladder_tells_is_not_told_twice(world: World) -> None:
    sales = await world.tenant.department()
    head = await world.tenant.person(HEAD, department_id=sales)
    await world.tenant.put("department", sales, {"name": "S", "head_id": head.id})
    ola = await world.worker(department_id=sales)
    climbing, reminded = task(ola.id), task(ola.id)

    await world.publish(deadline_events_pb2.DeadlineMissed(task=climbing, escalates=True))
    await world.publish(deadline_events_pb2.DeadlineMissed(task=reminded, owner_reminded=True))
    await world.heard()

    (of_owner,), (of_head,) = await world.told(ola), await world.told(head)
    assert (of_owner.code, of_owner.object_id) == ("deadline_missed", climbing.id)
    assert (of_head.code, of_head.object_id) == ("team_deadline_missed", reminded.id)
    assert of_head.arguments["task.owner_id"] == ola.id


def _entry(world: World, user_id: str) -> dict[str, Any]:
    found = world.running.process.directory.of(world.tenant.id).user(user_id)
    assert found is not None
    return dict(found)


async def test_an_escalation_goes_to_whom_the_step_names_by_the_ways_it_names(world: World) -> None:
    ola, boss, blind = await world.worker(), await world.tenant.person(HEAD), await world.worker()
    reminder = ladder_pb2.LadderStep(kind=ladder_pb2.LadderStep.KIND_REMINDER)
    way = ladder_pb2.LadderStep.WAY_FEED
    step = ladder_pb2.LadderRunStep(number=2, step=reminder, ways=[way])
    step.told.add(user_id=ola.id)
    step.told.add(user_id=blind.id, instead_of_id=boss.id)

    event = deadline_events_pb2.Escalated(task=task(ola.id), run_number=1, step=step)
    await world.publish(event)

    (of_owner,), (of_other,) = await world.told(ola), await world.told(blind)
    assert (of_owner.code, list(of_owner.ways)) == ("escalated", [FEED])
    assert of_owner.arguments["step.number"] == "2"
    assert of_owner.arguments["step.step.kind"] == "KIND_REMINDER"
    assert of_other.instead_of_id == boss.id
    assert (
        of_other.headline == ""
    )  # he may not read the task: he learns that it is so, without its text
    assert "task.all_day" not in of_other.arguments
    assert len((await world.feed(boss)).notices) == 0


async def test_only_who_may_read_the_record_is_told(world: World) -> None:
    outsider = await world.tenant.person([g for g in WORKER if g["object"] != "task"])
    await world.assigned(outsider)
    await world.heard()

    assert len((await world.feed(outsider)).notices) == 0


async def test_a_hidden_headline_and_hidden_values_are_left_out(world: World) -> None:
    ola = await world.tenant.person(WORKER, hidden=["task.subject", "task.due_zone"])
    await world.assigned(ola, due_zone="Europe/Warsaw", due_time=to_timestamp(world.now))

    (notice,) = await world.told(ola)
    assert (notice.headline, notice.headline_field) == ("", "subject")
    assert "task.due_time" in notice.arguments
    assert "task.due_zone" not in notice.arguments
    stored = await world.running.rows(
        "notifications", "SELECT json FROM notices WHERE tenant_id = $1", world.tenant.id
    )
    assert "Call back" not in stored[0]["json"]


async def test_a_headline_goes_with_the_right_to_read_the_record(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    mine = task(ola.id, due_zone="Europe/Warsaw")
    await world.publish(tasks.TaskAssigned(task=mine))
    (before,) = await world.told(ola)

    mine.owner_id = jan.id
    await world.publish(tasks.TaskAssigned(task=mine), version=2)
    await world.told(jan)

    (after,) = await world.told(ola)
    assert (before.headline, after.headline, dict(after.arguments)) == ("Call back", "", {})


async def test_who_is_away_and_who_stands_in_are_both_told(world: World) -> None:
    jan = await world.worker()
    moment = world.now.timestamp()
    away = [{"id": uuid7(), "from": moment - 60, "until": moment + 3600, "delegate_id": jan.id}]
    ola = await world.worker(absences=away)

    await world.assigned(ola)

    (of_owner,), (of_other,) = await world.told(ola), await world.told(jan)
    assert (of_owner.instead_of_id, of_other.instead_of_id) == ("", ola.id)


async def test_a_colleagues_absence_is_told_to_who_covers_it(world: World) -> None:
    grants = [*WORKER, {"object": "absence", "action": "read", "scope": "own"}]
    ola, jan = await world.tenant.person(grants), await world.tenant.person(grants)
    absence = absence_pb2.Absence(
        id=uuid7(), owner_id=ola.id, stand_in_id=jan.id, follower_ids=[jan.id]
    )

    await world.publish(absences.AbsenceStarted(absence=absence))
    await world.publish(absences.AbsenceEnded(absence=absence), version=2)

    told = await world.told(jan, 2)
    assert {n.event_type.rpartition(".")[2] for n in told} == {"AbsenceStarted", "AbsenceEnded"}
    assert {n.arguments["absence.owner_id"] for n in told} == {ola.id}
    assert len((await world.feed(ola)).notices) == 0


async def test_a_task_that_changes_five_times_is_one_notice_that_counts(world: World) -> None:
    ola = await world.worker()
    moved = task(ola.id)
    for version in range(2, 7):
        moved.due_time.FromDatetime(world.now + timedelta(hours=version))
        event = tasks.TaskUpdated(task=moved)
        await world.publish(
            event, changed=("due_time",), version=version, actor_id=world.tenant.admin.id
        )
    await world.publish(tasks.TaskUpdated(task=moved), changed=("description",), version=7)
    await world.heard()

    (notice,) = await world.told(ola)
    assert (notice.code, notice.count) == ("task_changed", 5)
    assert notice.arguments["task.due_time"] == moved.due_time.ToJsonString()


async def test_a_candidate_is_told_of_what_is_offered_to_him(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    offered = task("", candidate_ids=[ola.id, jan.id])
    await world.publish(tasks.TaskCreated(task=offered))

    assert [(await world.told(who))[0].because for who in (ola, jan)] == [
        rules.RECIPIENT_CANDIDATES
    ] * 2


async def test_who_has_left_is_told_nothing(world: World) -> None:
    ola = await world.worker(state="deactivated")
    await world.assigned(ola)
    await world.heard()

    assert await world.running.rows(
        "notifications", "SELECT 1 FROM notices WHERE tenant_id = $1 AND owner_id = $2", world.tenant.id, ola.id
    ) == []  # fmt: skip


async def test_a_company_that_has_switched_notices_off_makes_none(world: World) -> None:
    ola = await world.worker()
    entry = dict(world.running.process.directory.of(world.tenant.id).tenant())
    await world.tenant.put("tenant", world.tenant.id, {**entry, "features_off": ["notices"]})
    await world.assigned(ola)
    await world.heard()

    assert await world.count("notices") == 0
