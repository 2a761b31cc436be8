"""Whose a task is: given, offered, taken, given back.

 queue (department, no owner) ──take──► owner ──decline──► who gave it, else the queue, else who made it
 offer (candidates, no owner) ──take──► owner             └──assign──► another owner, or a queue

Who made or gave a task away follows it; who merely lost an offer does not.
"""

from datetime import datetime

from chassis.times import to_timestamp
from crm.tasks.v1 import task_pb2
from services.tasks import errors
from services.tasks.rules.tasks import state_name

Task = task_pb2.Task


def give(task: Task, owner_id: str, *, home: str, by: str, at: datetime) -> None:
    """Makes a user the assignee; `home` is his department, `by` who gives (empty: a rule, or he took it himself)."""
    _demand_open(task, "assigned")
    _withdraw_offer(task)
    task.owner_id, task.assigner_id = owner_id, by
    task.department_id = home or task.department_id
    task.assign_time.CopyFrom(to_timestamp(at))
    _follow(task, by)


def queue(task: Task, department_id: str, *, by: str) -> None:
    """Puts the task into a department's queue."""
    _demand_open(task, "put into a queue")
    _withdraw_offer(task)
    task.owner_id, task.department_id, task.assigner_id = "", department_id, by
    task.ClearField("assign_time")
    _follow(task, by)


def offer(task: Task, candidate_ids: list[str], *, by: str) -> None:
    """Offers a new task to several; they read it as followers do until one of them has it."""
    task.owner_id, task.department_id, task.assigner_id = "", "", by
    task.ClearField("assign_time")
    task.candidate_ids[:] = candidate_ids
    _follow(task, by)
    for id in candidate_ids:
        _follow(task, id)


def take(task: Task, user_id: str, *, home: str, at: datetime) -> None:
    """Makes a candidate, or somebody who may take from the queue, the assignee."""
    gave = (
        task.assigner_id if task.candidate_ids else ""
    )  # out of a queue: it goes back to the queue
    give(task, user_id, home="" if task.department_id else home, by="", at=at)
    task.assigner_id = gave


def did_it(task: Task, user_id: str) -> None:
    """Who had the task, and did it before he learned that it was given on, reads what became of it."""
    _follow(task, user_id)


def decline(
    task: Task, user_id: str, reason: str, *, returns_to: str, home: str, at: datetime
) -> None:
    """Gives the task back: to `returns_to` (whose department is `home`), else to the queue it came from."""
    _demand_open(task, "declined")
    task.last_decline.user_id, task.last_decline.reason = user_id, reason
    task.last_decline.time.CopyFrom(to_timestamp(at))
    if user_id in task.candidate_ids and len(task.candidate_ids) > 1:
        task.candidate_ids.remove(user_id)
        _unfollow(task, user_id)
    elif returns_to:
        give(task, returns_to, home=home, by="", at=at)
    else:
        queue(task, task.department_id, by="")


def who_gets_it_back(task: Task, user_id: str) -> list[str]:
    """The users to whom it may return, best first; "" is the queue. NobodyToReturnTo for a task that is nobody else's."""
    if task.assigner_id == user_id:
        raise errors.NobodyToReturnTo
    found = [task.assigner_id] if task.assigner_id else []
    if task.department_id and not task.candidate_ids:
        found.append("")
    if task.creator_id not in ("", user_id):
        found.append(task.creator_id)
    return found


def is_offered(task: Task, user_id: str, *, may_take: bool) -> bool:
    """True if the user may take it: it is offered to him, or waits in a queue from which he may take."""
    if task.owner_id:
        return False
    return user_id in task.candidate_ids if task.candidate_ids else may_take


def _withdraw_offer(task: Task) -> None:
    """Whom it was offered to sees it no more, except who made or offered it."""
    for id in list(task.candidate_ids):
        if id not in (task.creator_id, task.assigner_id):
            _unfollow(task, id)
    del task.candidate_ids[:]


def _follow(task: Task, user_id: str) -> None:
    if user_id and user_id != task.owner_id and user_id not in task.follower_ids:
        task.follower_ids.append(user_id)
    _unfollow(task, task.owner_id)


def _unfollow(task: Task, user_id: str) -> None:
    if user_id in task.follower_ids:
        task.follower_ids.remove(user_id)


def _demand_open(task: Task, verb: str) -> None:
    if task.state != Task.STATE_OPEN:
        raise errors.TaskWrongState(verb, state_name(task.state), "open", hint="; reopen it first")
