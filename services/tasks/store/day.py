"""What the day plan reads: a person's open tasks, what contacts told of his customers, a department's tasks; and whose morning was told.

Every list is limited and the limit is documented in day.proto; the reader learns that there is more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Table,
    Uuid,
    bindparam,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from crm.tasks.v1 import ladder_pb2, task_pb2
from services.tasks.store.facts import agreements, parties
from services.tasks.store.schema import NEVER, metadata
from services.tasks.store.tasks import tasks

Task = task_pb2.Task

MOST_TASKS, MOST_OTHERS = 1_000, 200
"""How many tasks and how many of every other reason one day holds."""
SHARES = 50
"""How many people, projects, customers and tasks of each list a department's day names."""
_REACTION_AHEAD = timedelta(days=14)
"""A customer may wait that long before his deadline: over holidays, at a reaction time of a day."""
_LOOKED_AT = 1_000
"""Of those who are going cold so many are looked at for something planned."""

_OPEN: Any = literal_column(
    str(int(Task.STATE_OPEN))
)  # literally, so that the partial index serves it

Index(
    "ix_tasks_day", tasks.table.c.tenant_id, tasks.table.c.owner_id, tasks.table.c.due_key, tasks.table.c.id,
    postgresql_include=["department_id", "project_id", "contact_id", "company_id"],
    postgresql_where=text(f"state = {int(Task.STATE_OPEN)} AND delete_time IS NULL"),
)  # fmt: skip

mornings = Table(
    "day_mornings",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("date", Date, nullable=False),  # the last day whose morning was told, or was not to be
)

# -- one person ------------------------------------------------------------------------------------------------------------

_t = tasks.view.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_OWNER = bindparam("owner_id", type_=Uuid)
_MINE = (_t.owner_id == _OWNER, _t.state == _OPEN)
_DUE = tasks.select(
    *_MINE,
    _t.due_key < bindparam("ahead", type_=Moment),
    or_(_t.due_key < bindparam("near", type_=Moment), _t.request_id.is_not(None)),
    order=(_t.due_key, _t.id), limit=MOST_TASKS + 1,
)  # fmt: skip
_BEGUN = tasks.select(
    *_MINE, _t.due_key == bindparam("never", type_=Moment), _t.start_time < bindparam("until", type_=Moment),
    order=(_t.start_time, _t.id), limit=MOST_OTHERS + 1,
)  # fmt: skip

_P, _A = view_of(parties).c, view_of(agreements).c
_THEIRS = (_P.tenant_id == _TENANT, _P.owner_id == _OWNER)
_PARTY = (_P.object, _P.id, _P.owner_id, _P.follower_ids)
_UNTIL_DAY = bindparam("day", type_=Date)
_NEXT_CONTACTS = Statement(
    select(*_PARTY, _P.next_contact_date)
    .where(*_THEIRS, _P.next_contact_date <= _UNTIL_DAY)
    .order_by(_P.next_contact_date, _P.id)
    .limit(MOST_OTHERS + 1)
)
_BIRTHDAYS = Statement(
    select(*_PARTY, _P.birth_year)
    .where(*_THEIRS, _P.birth_day > literal_column("0"), _P.birth_day == bindparam("birth_days", type_=ARRAY(BigInteger)).any_())
    .order_by(_P.id)
    .limit(MOST_OTHERS + 1)
)  # fmt: skip
_AGREEMENTS = Statement(
    select(*(c for c in _A if c.name not in ("tenant_id", "version")))
    .where(_A.tenant_id == _TENANT, _A.assignee_id == bindparam("assignee_id", type_=Uuid), _A.date <= _UNTIL_DAY)
    .order_by(_A.date, _A.id)
    .limit(MOST_OTHERS + 1)
)  # fmt: skip

# Who went cold last comes first into the limits: for him something can still be done.
_silent = (
    select(*_PARTY, _P.touch_time)
    .where(
        *_THEIRS, _P.touch_time < bindparam("before", type_=Moment),
        or_(_P.next_contact_date.is_(None), _P.next_contact_date < _UNTIL_DAY),
    )
    .order_by(_P.touch_time.desc(), _P.id.desc())
    .limit(_LOOKED_AT)
    .subquery("silent")
)  # fmt: skip
_S = _silent.c


def _planned(field: str) -> Any:
    """Something open that is planned with the customer, whoever does it. The limit has it looked up customer by customer: as a
    join all open tasks of the company would be read."""
    return (
        select(_t.id)
        .where(
            _t.tenant_id == _TENANT,
            _t[field] == _S.id,
            _t.state == _OPEN,
            _t.delete_time.is_(None),
        )
        .limit(literal_column("1"))
        .scalar_subquery()
    )


_GOING_COLD = Statement(
    select(*_S)
    .where(_planned("contact_id").is_(None), _planned("company_id").is_(None))
    .order_by(_S.touch_time.desc(), _S.id.desc())
    .limit(MOST_OTHERS + 1)
)


async def due_or_waited_for(tx: Tx, owner_id: str, end: datetime) -> list[task_pb2.Task]:
    """Open tasks of the person that are due until a day after `end`, the first due first, and those ahead that answer requests:
    days in other zones end later."""
    return await tasks.find_where(
        tx, _DUE, owner_id=owner_id, near=end + timedelta(days=1), ahead=end + _REACTION_AHEAD
    )


async def begun(tx: Tx, owner_id: str, until: datetime) -> list[task_pb2.Task]:
    """Open tasks of the person without a deadline that have begun."""
    return await tasks.find_where(tx, _BEGUN, owner_id=owner_id, never=NEVER, until=until)


async def next_contacts(tx: Tx, owner_id: str, day: date) -> list[Record]:
    """(object, id, owner_id, follower_ids, next_contact_date) of his customers with such a date until the day."""
    return await tx.fetch(_NEXT_CONTACTS, owner_id=owner_id, day=day)


async def birthdays(tx: Tx, owner_id: str, birth_days: Sequence[int]) -> list[Record]:
    """(object, id, owner_id, follower_ids, birth_year) of his customers with one of these birthdays."""
    return await tx.fetch(_BIRTHDAYS, owner_id=owner_id, birth_days=list(birth_days))


async def going_cold(tx: Tx, owner_id: str, before: datetime, day: date) -> list[Record]:
    """(object, id, owner_id, follower_ids, touch_time) of his customers whom nobody reached since `before` and with whom nothing is
    planned: no open task, no next contact from the day on; those who went cold last."""
    return await tx.fetch(_GOING_COLD, owner_id=owner_id, before=before, day=day)


async def agreements_of(tx: Tx, assignee_id: str, day: date) -> list[Record]:
    """The open agreements until the day that this person sees to."""
    return await tx.fetch(_AGREEMENTS, assignee_id=assignee_id, day=day)


# -- a department ----------------------------------------------------------------------------------------------------------

# One statement, because all of it counts the same rows: some thousands of an index that holds all that is counted.
_WHOSE = """
    {t}.tenant_id = :tenant_id AND {t}.state = {open} AND {t}.delete_time IS NULL AND
    ({t}.owner_id = ANY(:members) OR ({t}.owner_id IS NULL AND {t}.department_id = ANY(:departments)))
"""
_COLUMNS = "id, owner_id, project_id, contact_id, company_id, due_key"
_LIVING = f"tenant_id = :tenant_id AND state = {int(Task.STATE_OPEN)} AND delete_time IS NULL AND due_key < :until"
_COUNTED = "count(*) FILTER (WHERE due_key <= :now) AS late, count(*) FILTER (WHERE due_key > :now) AS soon"
_SHARE = f"{_COUNTED} FROM due {{where}} GROUP BY 2, 3 ORDER BY count(*) DESC, 2, 3 LIMIT {SHARES}"
_NOBODY = "NULL::uuid AS id, NULL::uuid AS other"
_DEPARTMENT = Statement(
    text(
        f"""
        WITH due AS MATERIALIZED (
            SELECT {_COLUMNS} FROM tasks_of_tenant WHERE {_LIVING} AND owner_id = ANY(:members)
            UNION ALL
            SELECT {_COLUMNS} FROM tasks_of_tenant WHERE {_LIVING} AND owner_id IS NULL AND department_id = ANY(:departments)
        )
        (SELECT 'all' AS part, {_NOBODY}, {_COUNTED} FROM due)
        UNION ALL (SELECT 'person', owner_id AS id, NULL::uuid AS other, {_SHARE.format(where="")})
        UNION ALL (SELECT 'project', project_id AS id, NULL::uuid AS other, {_SHARE.format(where="WHERE project_id IS NOT NULL")})
        UNION ALL (SELECT 'customer', contact_id AS id, CASE WHEN contact_id IS NULL THEN company_id END AS other,
            {_SHARE.format(where="WHERE contact_id IS NOT NULL OR company_id IS NOT NULL")})
        UNION ALL (SELECT 'late', id, NULL::uuid, 0, 0 FROM due WHERE due_key <= :now ORDER BY due_key, id LIMIT {SHARES})
        UNION ALL (SELECT 'soon', id, NULL::uuid, 0, 0 FROM due WHERE due_key > :now ORDER BY due_key, id LIMIT {SHARES})
        """
    ).bindparams(
        _TENANT, bindparam("members", type_=ARRAY(Uuid)), bindparam("departments", type_=ARRAY(Uuid)),
        bindparam("now", type_=Moment), bindparam("until", type_=Moment),
    )
)  # fmt: skip
_LADDERS = Statement(
    text(
        f"""
        SELECT t.id, count(*) OVER () AS running
        FROM ladder_runs_of_tenant AS r JOIN tasks_of_tenant AS t ON t.tenant_id = r.tenant_id AND t.id = r.task_id
        WHERE r.tenant_id = :tenant_id AND r.state = {int(ladder_pb2.LadderRun.STATE_RUNNING)} AND
        {_WHOSE.format(t="t", open=int(Task.STATE_OPEN))}
        ORDER BY t.due_key, t.id LIMIT {SHARES}
        """
    ).bindparams(_TENANT, bindparam("members", type_=ARRAY(Uuid)), bindparam("departments", type_=ARRAY(Uuid)))
)  # fmt: skip

Share = tuple[str, str, int, int]
"""Id, another id, how many are late, how many are due today."""


@dataclass(slots=True)
class Department:
    """What was counted."""

    late: int = 0
    soon: int = 0
    running: int = 0
    shares: dict[str, list[Share]] = field(
        default_factory=lambda: {"person": [], "project": [], "customer": []}
    )
    ids: dict[str, list[str]] = field(
        default_factory=lambda: {"late": [], "soon": [], "running": []}
    )


async def department(
    tx: Tx, members: Collection[str], departments: Collection[str], *, until: datetime
) -> Department:
    """The open tasks of these people and of these departments' queues that are due before `until`, and their running ladders."""
    whose = {"members": list(members), "departments": list(departments)}
    counted = Department()
    for row in await tx.fetch(_DEPARTMENT, **whose, now=tx.now, until=until):
        part, id = row["part"], str(row["id"] or "")
        if part == "all":
            counted.late, counted.soon = row["late"], row["soon"]
        elif part in counted.shares:
            counted.shares[part].append((id, str(row["other"] or ""), row["late"], row["soon"]))
        else:
            counted.ids[part].append(id)
    for row in await tx.fetch(_LADDERS, **whose):
        counted.running = row["running"]
        counted.ids["running"].append(str(row["id"]))
    return counted


# -- mornings --------------------------------------------------------------------------------------------------------------

_MORNINGS = Statement(select(mornings.c.user_id, mornings.c.date))
_morning = upsert(mornings).values({c.name: bindparam(c.name, type_=c.type) for c in mornings.c})
_NOTE_MORNING = Statement(
    _morning.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"], set_={"date": _morning.excluded.date}
    )
)


async def told_mornings(tx: Tx) -> Mapping[str, date]:
    """User -> the last day whose morning was told him or was not to be."""
    return {str(row["user_id"]): row["date"] for row in await tx.fetch(_MORNINGS)}


async def note_morning(tx: Tx, user_id: str, day: date) -> None:
    """This morning needs no word any more."""
    await tx.execute(_NOTE_MORNING, user_id=user_id, date=day)
