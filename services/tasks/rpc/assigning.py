"""Whose a task is: given, taken, given back; and many given away in one call (S178)."""

from chassis.errors import Violation
from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.tasks.v1 import events_pb2 as events
from crm.tasks.v1 import task_pb2 as pb
from crm.tasks.v1 import task_verbs_pb2 as verbs
from services.tasks import errors, people, references, saving, store
from services.tasks.rpc.tasks import StandardTask
from services.tasks.rules import assigning as rules
from services.tasks.rules import tasks as task_rules

MOST_MADE = 200
"""How many tasks one call may make: each is a row, a version and an event of one transaction."""

_FIRST_TAKES = verbs.QuickAssignRequest.SHARE_FIRST_TAKES


class Assigning(Servicer):
    """The verbs that say whose a task is."""

    @writes
    async def AssignTask(self, request: verbs.AssignTaskRequest, tx: Tx) -> pb.Task:
        task = await store.tasks.get(tx, request.id, etag=request.etag)
        previous, by = task.owner_id, people.user_of(tx.actor)
        if request.owner_id:
            people.require_active(tx, request.owner_id)
            if request.owner_id == previous:
                return task
            home = people.home_of(tx, request.owner_id)
            rules.give(task, request.owner_id, home=home, by=by, at=tx.now)
        elif request.department_id:
            references.require_department(tx, request.department_id)
            rules.queue(task, request.department_id, by=by)
        else:
            raise errors.ValuesInvalid([Violation("owner_id", "or department_id is required")])
        await saving.save(tx, task)
        tx.emit(events.TaskAssigned(task=task, previous_owner_id=previous))
        return task

    @writes
    async def TakeTask(self, request: verbs.TakeTaskRequest, tx: Tx) -> pb.Task:
        task, user_id = await store.tasks.find(tx, request.id), people.user_of(tx.actor)
        if task is None:
            raise store.tasks.not_found(request.id)
        if task.owner_id == user_id:
            return task  # pressed twice
        if not _may_take(tx, task, user_id):
            raise await _why_not(tx, task, user_id)
        rules.take(task, user_id, home=people.home_of(tx, user_id), at=tx.now)
        await saving.save(tx, task)
        tx.emit(events.TaskAssigned(task=task))
        return task

    @writes
    async def DeclineTask(self, request: verbs.DeclineTaskRequest, tx: Tx) -> pb.Task:
        task = await store.tasks.get(tx, request.id, etag=request.etag, action="read")
        user_id = people.user_of(tx.actor)
        if user_id not in (task.owner_id, *task.candidate_ids):
            raise errors.NotYours(people.name_of(tx, task.owner_id) if task.owner_id else "")
        returns_to = _returns_to(tx, task, user_id)
        home = people.home_of(tx, returns_to)
        rules.decline(task, user_id, request.reason, returns_to=returns_to, home=home, at=tx.now)
        await saving.save(tx, task)
        tx.emit(events.TaskDeclined(task=task))
        return task

    @writes
    async def QuickAssign(
        self, request: verbs.QuickAssignRequest, tx: Tx
    ) -> verbs.QuickAssignResponse:
        owners = list(dict.fromkeys(request.owner_ids))
        _check_quick(tx, request, owners)
        offered = request.share == _FIRST_TAKES and bool(owners)
        made = []
        for task in request.tasks:
            for copy in _copies(task, [] if offered else owners, request.department_id):
                one = pb.CreateTaskRequest(task=copy)
                made.append(await StandardTask.CreateTask(self, one, tx))  # type: ignore[attr-defined]
        for task in made:
            if offered:
                rules.offer(task, owners, by=people.user_of(tx.actor))
                store.tasks.save(tx, task)  # joins the save that the creation recorded
            await saving.followed(tx, task)
        return verbs.QuickAssignResponse(tasks=made)


def _may_take(tx: Tx, task: pb.Task, user_id: str) -> bool:
    may = tx.rights.reaches("task", "take", *store.tasks.scope_of_message(task))
    return rules.is_offered(task, user_id, may_take=may)


async def _why_not(tx: Tx, task: pb.Task, user_id: str) -> Exception:
    """TaskTaken for who could have taken it a moment ago, though he may no longer read it; else as for any other record."""
    before = await store.before_owner(tx, task.id) if task.owner_id else None
    if before is not None and _may_take(tx, before, user_id):
        when = task_rules.shown(task.assign_time)
        return errors.TaskTaken(people.name_of(tx, task.owner_id), when)
    if not tx.rights.reaches("task", "read", *store.tasks.scope_of_message(task)):
        return store.tasks.not_found(task.id)
    return errors.NotOffered()


def _returns_to(tx: Tx, task: pb.Task, user_id: str) -> str:
    """Who gets the declined task; empty for the queue. NobodyToReturnTo if there is nowhere."""
    if user_id in task.candidate_ids and len(task.candidate_ids) > 1:
        return ""  # it stays offered to the others
    for id in rules.who_gets_it_back(task, user_id):
        if not id or people.is_active(tx, id):
            return id
    raise errors.NobodyToReturnTo


def _check_quick(tx: Tx, request: verbs.QuickAssignRequest, owners: list[str]) -> None:
    if bool(owners) == bool(request.department_id):
        raise errors.ValuesInvalid(
            [Violation("owner_ids", "or department_id must be given, not both")]
        )
    copies = 1 if request.share == _FIRST_TAKES or not owners else len(owners)
    if (wanted := len(request.tasks) * copies) > MOST_MADE:
        raise errors.TooMany(wanted, MOST_MADE)
    for at, id in enumerate(request.owner_ids):
        people.require_active(tx, id, f"owner_ids[{at}]")


def _copies(task: pb.Task, owners: list[str], department_id: str) -> list[pb.Task]:
    """One for each owner; the first keeps the id that the client offered. Without owners one for the queue or the offer."""
    made: list[pb.Task] = []
    for owner_id in owners or [""]:
        copy = pb.Task()
        copy.CopyFrom(task)
        copy.owner_id, copy.department_id = owner_id, department_id
        copy.id = "" if made else task.id
        made.append(copy)
    return made
