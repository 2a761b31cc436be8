"""What every creation and change of a task passes, whoever makes it: RPC, consumer or timer."""

from chassis.errors import Violation
from chassis.tx import Tx
from crm.tasks.v1 import events_pb2, task_pb2
from services.tasks import errors, following, people, projects, references, store
from services.tasks.rules import assigning
from services.tasks.rules import tasks as rules

Task = task_pb2.Task


async def check(tx: Tx, new: Task, old: Task | None) -> None:
    """Keeps I1, I3, I4 and I5; a change of the assignee or queue is told as TaskAssigned."""
    new.id = new.id or tx.new_id()
    await references.check(tx, new, old)
    if old is None:
        type = await store.task_types.find(tx, new.type_id) if new.type_id else None
        rules.begin(new, type, by=people.user_of(tx.actor))
        _place(tx, new)
    else:
        rules.keep_ended(new, old)
        _move(tx, new, old)
    rules.normalise(new)
    rules.follow_link(new, old)
    await _follow_deal(tx, new, old)
    await following.parties.resolve(tx, new, old)
    rules.set_times(new, old, zone=people.zone_of(tx, new.owner_id))
    await projects.join(tx, new, old)


async def _follow_deal(tx: Tx, new: Task, old: Task | None) -> None:
    """A task of a deal is for the deal's customer, unless it names another one or the deal is not known here yet."""
    deal_id = new.link.deal_id
    newly = deal_id and (old is None or deal_id != old.link.deal_id)
    if newly and not (new.contact_id or new.company_id):
        customer = await store.matters.customer_of_deal(tx, deal_id)
        new.contact_id, new.company_id = customer or ("", "")


def _place(tx: Tx, task: Task) -> None:
    """A new task is its maker's, unless it names an assignee or a queue."""
    by, department = task.creator_id, task.department_id
    if not task.owner_id and department:
        assigning.queue(task, department, by=by)
        return
    task.owner_id = task.owner_id or by
    if not task.owner_id:
        raise errors.ValuesInvalid(
            [Violation("owner_id", "or department_id must say who has to do it")]
        )
    people.require_active(tx, task.owner_id)
    home = department or people.home_of(tx, task.owner_id)
    assigning.give(task, task.owner_id, home=home, by=by, at=tx.now)


def _move(tx: Tx, new: Task, old: Task) -> None:
    """An update may give the task to somebody, as :assign does, or put it into a queue."""
    owner_id, department, by = new.owner_id, new.department_id, people.user_of(tx.actor)
    moved_queue = department != old.department_id
    if owner_id == old.owner_id and (owner_id or not moved_queue):
        return
    new.owner_id = old.owner_id
    if owner_id:
        people.require_active(tx, owner_id)
        home = department if moved_queue else people.home_of(tx, owner_id)
        assigning.give(new, owner_id, home=home, by=by, at=tx.now)
    elif department:
        assigning.queue(new, department, by=by)
    else:
        raise errors.ValuesInvalid(
            [Violation("owner_id", "or department_id must say who has to do it")]
        )
    tx.emit(events_pb2.TaskAssigned(task=new, previous_owner_id=old.owner_id))
