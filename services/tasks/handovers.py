"""tasks' part of handovers and absences: who gets what is still to be done, and what comes back.

 open tasks      go, their rows of repeated ones and running ladders with them; done and cancelled ones stay with who had them
 queues          are nobody's: they stay
 offers          the leaver is no longer among those who may take; if nobody is, the task is whose offer it was
 meetings        that are still to come go to a new organiser; from those of others the leaver is only taken out
 projects        go when somebody leaves, and whoever leads them then reads their tasks; as a member he is only taken out
 others          every other record with an owner goes when somebody leaves, and stays while he is away

While somebody is away, what he had not done is lent and comes back; what was done meanwhile stays with who did it. A new
task that a person gives to somebody absent stays his: whoever gave it chose him, and the ladder tells his stand-in. A request
that comes in goes where contacts lends it, and its task goes along with it, there and back.
"""

from collections.abc import Sequence
from typing import Any

from chassis.call import Actor, Cause
from chassis.kit.handover import Held, Owner
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.tasks.v1 import meeting_pb2, project_pb2, task_pb2
from services.tasks import busy, deadlines, projects, store
from services.tasks.rules import projects as project_rules
from services.tasks.store import moves

Task = task_pb2.Task
Meeting = meeting_pb2.Meeting
Project = project_pb2.Project


def _assignee_changed(task: Task, before: str, after: str) -> None:
    """The assignee is no follower of his own task."""
    if after in task.follower_ids:
        task.follower_ids.remove(after)


def _offer_changed(task: Task, before: str, after: str) -> None:
    """An offer that nobody is left to take is over, for good: whoever offered the task has it."""
    if after:  # comes back
        if task.owner_id:
            task.candidate_ids.remove(after)
        return
    if not task.candidate_ids and not task.owner_id:
        task.owner_id = task.assigner_id or task.creator_id or before
        _assignee_changed(task, "", task.owner_id)


def _organiser_changed(meeting: Meeting, before: str, after: str) -> None:
    """The organiser takes part anyway."""
    _participant_changed(meeting, after, "")
    if after in meeting.follower_ids:
        meeting.follower_ids.remove(after)


def _participant_changed(meeting: Meeting, before: str, after: str) -> None:
    """Who may read a meeting as a colleague takes part in it."""
    for at, each in enumerate(meeting.participants):
        if before and each.user_id == before:
            del meeting.participants[at]
            break
    if after and after not in [each.user_id for each in meeting.participants]:
        meeting.participants.add(user_id=after)


def _member_changed(project: Project, before: str, after: str) -> None:
    """Who follows a project is a member of it."""
    if before in project.member_ids:
        project.member_ids.remove(before)
    if after and after not in (project.owner_id, *project.member_ids):
        project.member_ids.append(after)
    project.follower_ids[:] = project.member_ids


def _is_over(task: Task) -> bool:
    return task.state != Task.STATE_OPEN


def _held() -> list[Held]:
    first = [
        # Before the tasks, because who reads these follows from it: so they are as the handover left them when they come back.
        Held(resource=store.projects, lent=False),
        Held(resource=store.projects, field="follower_ids", lent=False, settle=_member_changed),
        Held(
            resource=store.tasks, field="candidate_ids", condition=moves.OPEN_TASKS, lent=False,
            finished=_is_over, settle=_offer_changed,
        ),
        Held(
            resource=store.tasks, condition=moves.OPEN_TASKS, finished=_is_over,
            settle=_assignee_changed,
        ),
        Held(
            resource=store.meetings, condition=moves.COMING_MEETINGS, settle=_organiser_changed,
            finished=lambda meeting: meeting.state != Meeting.STATE_SCHEDULED,
        ),
    ]  # fmt: skip
    views = Held(resource=store.saved_views, condition=moves.SHARED_VIEWS, lent=False)
    named = {one.object for one in (*first, views)}
    others = [Held(resource=each, lent=False) for each in _owned() if each.object not in named]
    followed = [
        Held(
            resource=store.tasks, field="follower_ids", condition=moves.OPEN_TASKS, lent=False
        ),
        Held(
            resource=store.meetings, field="follower_ids", condition=moves.COMING_MEETINGS,
            lent=False, settle=_participant_changed,
        ),
    ]  # fmt: skip
    return [*first, *others, views, *followed]


def _owned() -> list[Resource[Any]]:
    """Every resource whose records have an owner."""
    found = [t.info["resource"] for t in store.metadata.tables.values() if "resource" in t.info]
    return [one for one in found if "owner_id" in one.extra]


async def follow(tx: Tx, object: str, records: Sequence[Any], actor: Actor, cause: Cause) -> None:
    """Running ladders tell the new assignee and those above him, and the customer's clock goes on; whoever books the new one sees
    his visits; a project's tasks are read by its new leader."""
    if object == store.tasks.object:
        await busy.hold_visits(tx, [(task, None) for task in records])
        await deadlines.replan_many(tx, records)
    elif object == store.projects.object:
        for project in records:
            before = await store.project_before(tx, project)
            await projects.follow(tx, project, project_rules.readers(before), cause=cause)


parts = Owner(store.metadata, _held(), after=follow)
"""tasks' consumer and operations of handovers."""
