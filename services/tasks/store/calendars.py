"""What calendars read besides meetings (visits and due tasks), the links to calendars, and the rows of repeated tasks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.tasks.store.schema import metadata
from services.tasks.store.tasks import tasks

Task = task_pb2.Task
_TENANT = bindparam("tenant_id", type_=Uuid)

# -- what takes people's time ------------------------------------------------------------------------------------------------

_t = tasks.view.c
_OPEN = _t.state == int(Task.STATE_OPEN)
_SINCE, _UNTIL = bindparam("since", type_=Moment), bindparam("until", type_=Moment)
MOST_VISITS = 5_000
_VISITS = tasks.select(
    _t.owner_id == bindparam("owner_ids", type_=ARRAY(Uuid)).any_(), _OPEN,
    _t.visit_time.is_not(None), _t.visit_time > _SINCE, _t.visit_time < _UNTIL,
    order=(_t.visit_time, _t.id), limit=MOST_VISITS,
)  # fmt: skip
MOST_DUE = 500
_DUE = tasks.select(
    _t.owner_id == bindparam("owner_id", type_=Uuid), _OPEN, _t.visit_time.is_(None),
    _t.due_key > _SINCE, _t.due_key < _UNTIL,
    order=(_t.due_key, _t.id), limit=MOST_DUE,
)  # fmt: skip


async def visits_of(
    tx: Tx, owner_ids: Iterable[str], since: datetime, until: datetime
) -> list[Task]:
    """Open tasks of these people with an appointment between the moments, by appointment; whoever asks."""
    return await tasks.find_where(tx, _VISITS, owner_ids=list(owner_ids), since=since, until=until)


async def due_tasks_of(tx: Tx, owner_id: str, since: datetime, until: datetime) -> list[Task]:
    """Open tasks of a person without an appointment that are due between the moments, the first MOST_DUE; whoever asks."""
    return await tasks.find_where(tx, _DUE, owner_id=owner_id, since=since, until=until)


# -- links to calendars: only hashes of their keys ---------------------------------------------------------------------------

calendar_links = Table(
    "calendar_links",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("key_hash", Text, nullable=False),
    Column("create_time", Moment, nullable=False),
    Index("uq_calendar_links_key", "tenant_id", "key_hash", unique=True),
)

_L = calendar_links.c
_PUT_LINK = insert(calendar_links).values({c.name: bindparam(c.name, type_=c.type) for c in _L})
_RENEW = Statement(
    _PUT_LINK.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"],
        set_={name: _PUT_LINK.excluded[name] for name in ("key_hash", "create_time")},
    )
)
_MINE = (_L.tenant_id == _TENANT) & (_L.user_id == bindparam("user_id", type_=Uuid))
_LINK = Statement(select(_L.create_time).where(_MINE))
_END_LINK = Statement(delete(calendar_links).where(_MINE))
_WHOSE = Statement(
    select(_L.user_id).where(_L.tenant_id == _TENANT, _L.key_hash == bindparam("key_hash"))
)


async def renew_link(tx: Tx, user_id: str, key_hash: str) -> None:
    """Puts a new key in the place of the person's last one."""
    await tx.execute(_RENEW, user_id=user_id, key_hash=key_hash, create_time=tx.now)


async def link_since(tx: Tx, user_id: str) -> datetime | None:
    """Since when the person has his link; None without one."""
    found: datetime | None = await tx.fetchval(_LINK, user_id=user_id)
    return found


async def end_link(tx: Tx, user_id: str) -> None:
    """Removes the person's link, if he has one."""
    await tx.execute(_END_LINK, user_id=user_id)


async def user_of_key(tx: Tx, key_hash: str) -> str:
    """Whose calendar the key opens; empty for a key that opens nothing."""
    found = await tx.fetchval(_WHOSE, key_hash=key_hash)
    return str(found) if found else ""


# -- rows of repeated tasks --------------------------------------------------------------------------------------------------

task_series = Table(
    "task_series",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("first_time", Moment, nullable=False),  # the deadline from which the rule counts
    Column("planned_time", Moment, nullable=False),  # this task's deadline as the rule gives it
    Column(
        "template_id", Uuid, nullable=False
    ),  # the version of a task of which the following are made
    Column("template_version", BigInteger, nullable=False),
    Column("next_id", Uuid),  # the task that follows; made once
)


@dataclass(frozen=True, slots=True)
class Place:
    """A task's place in its row."""

    first_time: datetime
    planned_time: datetime
    template_id: str
    template_version: int
    next_id: str = ""


_S = task_series.c
_PUT_PLACE = insert(task_series).values(
    {c.name: bindparam(c.name, type_=c.type) for c in _S if c.name != "next_id"}
)
_PLACE_FIELDS = ("first_time", "planned_time", "template_id", "template_version")
_NOTE_PLACE = Statement(
    _PUT_PLACE.on_conflict_do_update(
        index_elements=["tenant_id", "task_id"],
        set_={name: _PUT_PLACE.excluded[name] for name in _PLACE_FIELDS},
    )
)
_THIS = (_S.tenant_id == _TENANT) & (_S.task_id == bindparam("task", type_=Uuid))
_PLACE = Statement(select(*(_S[name] for name in (*_PLACE_FIELDS, "next_id"))).where(_THIS))
_CLAIM = Statement(
    update(task_series)
    .where(_THIS, _S.next_id.is_(None))
    .values(next_id=bindparam("following", type_=Uuid))
)
_LEAVE = Statement(delete(task_series).where(_THIS))
_TEMPLATE = Statement(
    text(
        "SELECT doc FROM tasks_history WHERE tenant_id = :tenant_id AND id = :task AND version = :template_version"
    ).bindparams(
        _TENANT, bindparam("task", type_=Uuid), bindparam("template_version", type_=BigInteger)
    )
)


async def note_place(tx: Tx, task_id: str, place: Place) -> None:
    """Puts a task into a row, or gives it another place; what follows it already stays."""
    await tx.execute(
        _NOTE_PLACE, task_id=task_id, first_time=place.first_time, planned_time=place.planned_time,
        template_id=place.template_id, template_version=place.template_version,
    )  # fmt: skip


async def place_of(tx: Tx, task_id: str) -> Place | None:
    """The task's place; None if it is in no row."""
    row = await tx.fetchrow(_PLACE, task=task_id)
    if row is None:
        return None
    next_id = str(row["next_id"]) if row["next_id"] else ""
    return Place(
        row["first_time"],
        row["planned_time"],
        str(row["template_id"]),
        row["template_version"],
        next_id,
    )


async def claim_next(tx: Tx, task_id: str, next_id: str) -> bool:
    """True if nobody was quicker to make the task that follows this one; waits for whoever is about to."""
    return await tx.execute(_CLAIM, task=task_id, following=next_id) == 1


async def leave_row(tx: Tx, task_id: str) -> None:
    """Takes a task out of its row: none follows it."""
    await tx.execute(_LEAVE, task=task_id)


async def template_of(tx: Tx, place: Place) -> Task | None:
    """The task as it was when its row began; None once that version is gone."""
    doc = await tx.fetchval(
        _TEMPLATE, task=place.template_id, template_version=place.template_version
    )
    return Task.FromString(doc) if doc is not None else None
