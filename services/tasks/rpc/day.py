"""The day plan: of one person, and of a department."""

from typing import Any

from chassis import errors as refusals
from chassis.errors import Violation
from chassis.handlers import Servicer, reads
from chassis.kit.page_token import PageTokenError
from chassis.tx import Tx
from crm.tasks.v1 import day_pb2 as pb
from crm.tasks.v1 import task_pb2
from services.tasks import day, errors, people, store
from services.tasks.rules import day as rules

LINES = 200


class Days(Servicer):
    """`/v1/days/{user_id}` and `/v1/departmentDays/{department_id}`; the gateway's views add names."""

    @reads
    async def GetDay(self, request: pb.GetDayRequest, tx: Tx) -> pb.Day:
        user_id = _whose(tx, request.user_id)
        plan = await day.plan(tx, user_id)
        shape = f"{tx.tenant}|day|{user_id}|{plan.today.day}"
        lines = plan.lines
        if request.page_token:
            last = _place(tx, request.page_token, shape)
            lines = [line for line in lines if line.place > last]
        shown = lines[: request.page_size or LINES]
        answer = pb.Day(
            user_id=user_id, date=rules.dated(plan.today.day), zone=plan.today.zone.key, line_count=len(plan.lines),
            lines=[line.message for line in shown], counts=rules.counts(plan.lines), more=plan.more,
        )  # fmt: skip
        if len(lines) > len(shown):
            answer.next_page_token = tx.runtime.page_tokens.make(shown[-1].place, False, shape)
        return answer

    @reads
    async def GetDepartmentDay(
        self, request: pb.GetDepartmentDayRequest, tx: Tx
    ) -> pb.DepartmentDay:
        members, departments = _whom(tx, request.department_id)
        caller = people.user_of(tx.actor)
        today = rules.Today.of(caller, people.zone_of(tx, caller), tx.now)
        counted = await store.day.department(tx, members, departments, until=today.end)
        ids = dict.fromkeys(id for part in counted.ids.values() for id in part)
        tasks = {task.id: _shown(tx, task) for task in await store.tasks.find_many(tx, list(ids))}

        def listed(part: str) -> list[pb.DayTask]:
            return [tasks[id] for id in counted.ids[part] if id in tasks]

        return pb.DepartmentDay(
            department_id=request.department_id, date=rules.dated(today.day), zone=today.zone.key,
            overdue_count=counted.late, due_today_count=counted.soon, running_ladder_count=counted.running,
            people=[_share(each) for each in counted.shares["person"]],
            projects=[_share(each) for each in counted.shares["project"]],
            customers=[
                pb.DayCustomerShare(contact_id=contact, company_id=company, overdue_count=late, due_today_count=soon)
                for contact, company, late, soon in counted.shares["customer"]
            ],
            overdue=listed("late"), due_today=listed("soon"), running_ladders=listed("running"),
        )  # fmt: skip


def _whose(tx: Tx, asked: str) -> str:
    """The user whose day is asked for; NotFound for nobody, DayNotYours where the caller may not read his tasks."""
    caller = people.user_of(tx.actor)
    user_id = asked.lower() or caller
    if tx.directory.user(user_id) is None:
        raise refusals.NotFound(f"there is no user with id {asked}")
    if not tx.rights.reaches("task", "read", user_id):
        raise errors.DayNotYours("this person")
    return user_id


def _whom(tx: Tx, department_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """The department's people and queues, with those below; DayNotYours unless the caller may read all of their tasks."""
    departments = tx.directory.subtree(department_id)
    if not departments:
        raise refusals.NotFound(f"there is no department with id {department_id}")
    members = frozenset().union(*(tx.directory.members(id) for id in departments))
    owners, queues = (
        tx.rights.owners("task", "read"),
        tx.rights.departments("task", "read"),
    )
    if not (owners is None or members <= owners) or not (queues is None or departments <= queues):
        raise errors.DayNotYours("everybody in this department")
    return members, departments


def _place(tx: Tx, token: str, shape: str) -> rules.Place:
    try:
        values: Any = tx.runtime.page_tokens.read(token, shape=shape).values
    except PageTokenError:
        said = "does not belong to this day of this person; start again without page_token"
        raise refusals.InvalidArgument(
            f"page_token {said}", [Violation("page_token", said)]
        ) from None
    group, moment, id, code = values
    return group, moment, id, code


def _share(share: store.day.Share) -> pb.DayShare:
    id, _, late, soon = share
    return pb.DayShare(id=id, overdue_count=late, due_today_count=soon)


def _shown(tx: Tx, task: task_pb2.Task) -> pb.DayTask:
    shown = pb.DayTask(
        task_id=task.id, owner_id=task.owner_id, contact_id=task.contact_id, company_id=task.company_id,
        project_id=task.project_id, subject=task.subject if day.may_see_subject(tx) else "",
    )  # fmt: skip
    if task.HasField("due_time"):
        shown.due_time.CopyFrom(task.due_time)
    return shown


class DaysRpcs(Days):
    """Every RPC of the contract."""

    service = "crm.tasks.v1.DaysService"
