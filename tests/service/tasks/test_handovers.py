"""tasks' part when somebody leaves or is away: what goes, to whom the ladder turns, and what comes back (scenarios 16, 16b)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.identity.v1 import handover_events_pb2 as stages
from crm.identity.v1.handover_pb2 import Handover, HandoverRule
from crm.tasks.v1 import meeting_verbs_pb2, project_pb2, task_verbs_pb2
from crm.tasks.v1.ladder_pb2 import LadderStep, Told
from crm.tasks.v1.project_pb2 import Project
from crm.tasks.v1.task_pb2 import Task
from services.tasks import deadlines, handovers, store
from tests.service.tasks.ladders import arrives, ladder, received, request, runs, tasks
from tests.service.tasks.meeting_world import MeetingWorld, desk, invited, read, schedule
from tests.service.tasks.moving import answered, system
from tests.service.tasks.test_projects import make as make_project
from tests.service.tasks.test_projects import stub as project_desk
from tests.service.tasks.test_projects import worker as project_worker
from tests.service.tasks.world import World

_HEAR = handovers.parts.consumers[0]


@pytest.fixture
async def firm(world: World) -> MeetingWorld:
    return MeetingWorld(world.running, world.tenant)


@dataclass
class Asking:
    """identity, as tasks hears it: one handover through its stages."""

    world: World
    handover: Handover

    async def stage(self, event: type, answer: str) -> dict[str, Any]:
        """Tells tasks, and returns its answer."""
        told = event(handover=self.handover)
        told.change.actor.kind = "system"
        await system(self.world, lambda tx: _HEAR(told, tx))
        (found,) = await answered(self.world, answer)
        return dict(found["part"])

    async def preview(self) -> dict[str, Any]:
        return await self.stage(stages.HandoverProposed, "HandoverPreviewed")

    async def confirm(self) -> dict[str, Any]:
        return await self.stage(stages.HandoverConfirmed, "HandoverDone")

    async def revert(self) -> dict[str, Any]:
        return await self.stage(stages.HandoverReverted, "HandoverReturned")


def leaving(world: World, leaver: Person, *heirs: Person, away: bool = False) -> Asking:
    kind = Handover.KIND_TEMPORARY if away else Handover.KIND_LEAVER
    rule = HandoverRule(user_ids=[heir.id for heir in heirs])
    return Asking(world, Handover(id=uuid7(), owner_id=leaver.id, kind=kind, rules=[rule], round=1))


def counts(part: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(c["object"], c["field"]): int(c["count"]) for c in part.get("counts", [])}


async def done(world: World, task: Task, by: Person) -> None:
    await world.stub(by).CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=task.id))


async def test_what_is_to_be_done_goes_to_the_heirs_in_turn_and_what_is_done_stays(
    firm: MeetingWorld,
) -> None:
    leaver, heir, other = [await firm.worker() for _ in range(3)]
    todo = [await firm.make(leaver, subject=f"Call {n}") for n in range(4)]
    over = await firm.make(leaver, subject="Called")
    await done(firm, over, leaver)
    sales = await firm.tenant.department()
    queued = await firm.make(department_id=sales)
    asking = leaving(firm, leaver, heir, other)

    planned = await asking.preview()

    assert counts(planned) == {("task", "owner_id"): 4}
    assert {(await firm.task(task.id)).owner_id for task in todo} == {leaver.id}
    moved = await asking.confirm()
    assert (counts(moved), moved.get("leftCount", "0")) == ({("task", "owner_id"): 4}, "0")
    owners = [(await firm.task(task.id)).owner_id for task in todo]
    assert sorted(owners) == sorted([heir.id, heir.id, other.id, other.id])
    assert (await firm.task(over.id)).owner_id == leaver.id
    waiting = await firm.task(queued.id)
    assert (waiting.owner_id, waiting.department_id) == ("", sales)


async def test_a_running_ladder_reaches_the_new_owner(firm: MeetingWorld) -> None:
    leaver, heir = [await firm.worker() for _ in range(2)]
    await ladder(firm, (0, LadderStep.WHOM_OWNER), (60 * 24 * 20, LadderStep.WHOM_OWNER))
    late = to_timestamp(datetime.now(UTC) + timedelta(days=3))
    task = await firm.make(leaver, due_time=late)
    before = (await runs(firm, task.id))[0]
    asking = leaving(firm, leaver, heir)
    await asking.preview()

    await asking.confirm()

    assert (await firm.task(task.id)).owner_id == heir.id
    (run,) = await runs(firm, task.id)  # the same run: the clock goes on
    assert (run.start_time, run.number) == (before.start_time, before.number)
    await _jump(firm, task.id)
    (run,) = await runs(firm, task.id)
    assert [(t.user_id, t.because) for t in run.steps[0].told] == [(heir.id, Told.BECAUSE_OWNER)]


async def _jump(world: World, task_id: str) -> None:
    """The first step of the ladder is due now."""

    async def due_now(tx: Any) -> None:
        run = await store.running(tx, task_id)
        assert run is not None
        run.start_time.CopyFrom(to_timestamp(tx.now))
        task = await store.tasks.get(tx, task_id)
        await store.save_run(tx, run)
        await deadlines.replan(tx, task)

    await system(world, due_now)

    async def told() -> bool:
        return bool((await runs(world, task_id))[0].steps[0].told)

    await eventually(told, "the step was told")


async def test_an_undone_handover_gives_back_what_nobody_has_moved_on(firm: MeetingWorld) -> None:
    leaver, heir, third = [await firm.worker() for _ in range(3)]
    kept, moved_on = [await firm.make(leaver, subject=f"Call {n}") for n in range(2)]
    asking = leaving(firm, leaver, heir)
    await asking.preview()
    await asking.confirm()
    await firm.admin.AssignTask(task_verbs_pb2.AssignTaskRequest(id=moved_on.id, owner_id=third.id))

    back = await asking.revert()

    assert (await firm.task(kept.id)).owner_id == leaver.id
    assert (await firm.task(moved_on.id)).owner_id == third.id
    assert [(k["id"], k["reason"]) for k in back["kept"]] == [(moved_on.id, "REASON_MOVED_ON")]


async def test_after_an_absence_what_is_not_done_returns_and_what_was_done_stays(
    firm: MeetingWorld,
) -> None:
    ill, stand_in = [await firm.colleague() for _ in range(2)]
    todo, finished = [await firm.make(ill, subject=f"Call {n}") for n in range(2)]
    meeting = await schedule(ill)
    asking = leaving(firm, ill, stand_in, away=True)
    await asking.preview()
    await asking.confirm()
    assert (await read(firm.tenant.admin, meeting.id)).owner_id == stand_in.id
    await done(firm, await firm.task(finished.id), stand_in)
    given = await firm.make(subject="A new one", owner_id=ill.id)
    assert given.owner_id == ill.id  # whoever gave it chose him

    back = await asking.revert()

    assert (await firm.task(todo.id)).owner_id == ill.id
    assert (await firm.task(finished.id)).owner_id == stand_in.id
    assert (await read(firm.tenant.admin, meeting.id)).owner_id == ill.id
    assert [(k["id"], k["reason"]) for k in back["kept"]] == [(finished.id, "REASON_FINISHED")]


async def test_meetings_to_come_get_an_organiser_and_those_of_others_lose_the_leaver(
    firm: MeetingWorld,
) -> None:
    leaver, heir, other = [await firm.colleague() for _ in range(3)]
    own = await schedule(leaver, participants=invited(heir, other))
    past = await schedule(leaver, "2020-03-25T10:00")
    cancelled = await schedule(leaver, "2030-04-25T10:00")
    await desk(leaver).CancelMeeting(meeting_verbs_pb2.CancelMeetingRequest(id=cancelled.id))
    theirs = await schedule(other, participants=invited(leaver, heir))
    asking = leaving(firm, leaver, heir)
    await asking.preview()

    moved = await asking.confirm()

    assert counts(moved) == {("meeting", "owner_id"): 1, ("meeting", "follower_ids"): 1}
    admin = firm.tenant.admin
    held = await read(admin, own.id)
    assert (held.owner_id, list(held.follower_ids)) == (heir.id, [other.id])
    assert [each.user_id for each in held.participants] == [other.id]
    assert (await read(admin, past.id)).owner_id == leaver.id
    assert (await read(admin, cancelled.id)).owner_id == leaver.id
    joined = await read(admin, theirs.id)
    assert [each.user_id for each in joined.participants] == [heir.id]
    await asking.revert()
    assert (await read(admin, own.id)).owner_id == leaver.id
    rejoined = await read(admin, theirs.id)
    assert sorted(each.user_id for each in rejoined.participants) == sorted([leaver.id, heir.id])
    assert list(rejoined.follower_ids) == [leaver.id, heir.id]


async def test_an_offer_that_only_the_leaver_could_take_is_again_whose_it_was(
    firm: MeetingWorld,
) -> None:
    leaver, heir, giver = [await firm.worker() for _ in range(3)]
    shared, only = [await _offered(firm, giver, leaver, heir) for _ in range(2)]
    await firm.stub(heir).DeclineTask(
        task_verbs_pb2.DeclineTaskRequest(id=only.id, reason="no time")
    )
    asking = leaving(firm, leaver, heir)
    await asking.preview()

    await asking.confirm()

    found = await firm.task(shared.id)
    assert (list(found.candidate_ids), found.owner_id) == ([heir.id], "")
    assert leaver.id not in found.follower_ids
    back = await firm.task(only.id)
    assert (list(back.candidate_ids), back.owner_id) == ([], giver.id)
    await asking.revert()
    assert list((await firm.task(shared.id)).candidate_ids) == [leaver.id, heir.id]
    assert (await firm.task(only.id)).owner_id == giver.id


async def test_who_leads_a_project_now_reads_its_tasks_until_it_comes_back(
    firm: MeetingWorld,
) -> None:
    leaver, heir, member = [await project_worker(firm) for _ in range(3)]
    project = await make_project(firm, leaver, member_ids=[member.id])
    joined = await make_project(firm, member, name="Another", member_ids=[leaver.id])
    task = await firm.make(member, project_id=project.id)
    assert sorted((await firm.task(task.id)).follower_ids) == [leaver.id]
    asking = leaving(firm, leaver, heir)
    await asking.preview()

    moved = await asking.confirm()

    found = counts(moved)
    assert (found["project", "owner_id"], found["project", "follower_ids"]) == (1, 1)
    assert (await get_project(firm, project.id)).owner_id == heir.id
    assert list((await get_project(firm, joined.id)).member_ids) == []
    assert await firm.sees(heir, task.id)
    assert not await firm.sees(leaver, task.id)
    await asking.revert()
    assert (await get_project(firm, project.id)).owner_id == leaver.id
    assert list((await get_project(firm, joined.id)).member_ids) == [leaver.id]
    assert await firm.sees(leaver, task.id)
    assert not await firm.sees(heir, task.id)
    causes = {e["change"]["cause"]["kind"] for e in await firm.events("TaskUpdated", 2)}
    assert causes == {"handover", "undo"}


async def test_the_task_of_a_request_goes_along_with_it_and_comes_back(firm: MeetingWorld) -> None:
    """contacts moves requests by rules of its own, and lends new ones to whoever stands in."""
    leaver, heir = [await firm.worker() for _ in range(2)]
    asked, now = request(leaver.id), datetime.now(UTC)
    await received(firm, asked, now)

    async def made() -> bool:
        return len(await tasks(firm)) == 1

    await eventually(made, "the call task is there")
    (before,) = await tasks(firm)
    assert before.owner_id == leaver.id

    for cause, owner in (("handover", heir), ("undo", leaver), ("absence", heir)):
        asked.owner_id = owner.id
        moved = contacts_events.RequestUpdated(request=asked)
        moved.change.changed_fields.append("owner_id")
        await arrives(firm, moved, now, cause=cause)

        async def follows(owner: Person = owner) -> bool:
            return (await firm.task(before.id)).owner_id == owner.id

        await eventually(follows, f"it went along: {cause}")
    (after,) = await tasks(firm)
    assert after.reaction == before.reaction  # the customer's clock goes on


async def get_project(firm: World, id: str) -> Project:
    return await project_desk(firm).GetProject(project_pb2.GetProjectRequest(id=id))


async def _offered(firm: World, by: Person, *people: Person) -> Task:
    draft = task_verbs_pb2.QuickAssignRequest(
        tasks=[Task(subject="Who has time?")], owner_ids=[each.id for each in people],
        share=task_verbs_pb2.QuickAssignRequest.SHARE_FIRST_TAKES,
    )  # fmt: skip
    return (await firm.stub(by).QuickAssign(draft)).tasks[0]
