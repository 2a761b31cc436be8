"""Changes of many tasks, and what each does with each task."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BindParameter,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.tasks.v1 import bulk_pb2, task_pb2
from services.tasks.store.schema import metadata
from services.tasks.store.tasks import tasks

Task = task_pb2.Task
TaskChange = bulk_pb2.TaskChange
Item = bulk_pb2.TaskChangeItem

PLANNED, UNCHANGED, REFUSED, CHANGED, RETURNED, KEPT = 1, 2, 3, 4, 5, 6
"""States of an item. REFUSED was never changed, KEPT was and is not put back."""

changes = Resource(
    TaskChange,
    metadata,
    table="task_changes",
    columns=[
        Column("owner_id", Uuid), Column("state", SmallInteger, nullable=False), Column("expire_time", Moment),
    ],
    values=lambda change: {
        "owner_id": reference(change.owner_id),
        "state": change.state,
        "expire_time": moment(change, "expire_time"),
    },
    fields={
        "owner_id": Field("owner_id", "uuid"),
        "state": choice("state", TaskChange.State, "STATE_"),
        "expire_time": Field("expire_time", "timestamp"),
    },
)  # fmt: skip

ITEMS = "task_change_items"
"""The table of what each change is about."""
_items = Table(
    ITEMS,
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("change_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", SmallInteger, nullable=False),
    Column("doc", LargeBinary, nullable=False),
    # A step reads the next items of one state.
    Index("ix_task_change_items_state", "tenant_id", "change_id", "state", "number"),
)


@dataclass(slots=True)
class Row:
    """One item with its number in the change and its state."""

    number: int
    state: int
    item: Item


def _text(sql: str, *names: str, **types: Any) -> Statement:
    binds: list[BindParameter[Any]] = [bindparam(name) for name in ("tenant_id", *names)]
    binds += [bindparam(name, type_=type_) for name, type_ in types.items()]
    return Statement(text(sql).bindparams(*binds))


_MINE = "tenant_id = :tenant_id AND change_id = :change_id"
_LISTS = {"numbers": ARRAY(Integer), "states": ARRAY(SmallInteger), "docs": ARRAY(LargeBinary)}
_NEW = "unnest(CAST(:numbers AS int[]), CAST(:states AS smallint[]), CAST(:docs AS bytea[])) AS n(number, state, doc)"
_ADD = _text(
    "INSERT INTO task_change_items (tenant_id, change_id, number, state, doc)"
    f" SELECT CAST(:tenant_id AS uuid), CAST(:change_id AS uuid), n.number, n.state, n.doc FROM {_NEW}",
    "change_id", **_LISTS,
)  # fmt: skip
_SAVE = _text(
    f"UPDATE task_change_items i SET state = n.state, doc = n.doc FROM {_NEW}"
    " WHERE i.tenant_id = :tenant_id AND i.change_id = :change_id AND i.number = n.number",
    "change_id", **_LISTS,
)  # fmt: skip
_IN_STATE = _text(
    f"SELECT number, state, doc FROM task_change_items WHERE {_MINE} AND state = :state ORDER BY number LIMIT :most",
    "change_id", "state", "most",
)  # fmt: skip
_COUNTS = _text(
    f"SELECT state, count(*) AS count FROM task_change_items WHERE {_MINE} GROUP BY state",
    "change_id",
)
_DOCS = _text(
    f"SELECT doc FROM task_change_items WHERE {_MINE} AND state IN ({PLANNED}, {CHANGED})",
    "change_id",
)
_FORGET = _text(f"DELETE FROM task_change_items WHERE {_MINE}", "change_id")
_t = tasks.table.c
_TASKS = Statement(
    select(_t.id, _t.version, _t.delete_time, _t.doc, *(_t[name] for name in tasks.row_columns))
    .where(
        _t.tenant_id == bindparam("tenant_id", type_=Uuid),
        _t.id == bindparam("ids", type_=ARRAY(Uuid)).any_(),
    )
    .order_by(_t.id)
    .with_for_update()
)


async def add(tx: Tx, change_id: str, rows: Sequence[Row]) -> None:
    """Keeps what a new change is about."""
    if rows:
        numbers, states, docs = _columns(rows)
        await tx.execute(_ADD, change_id=change_id, numbers=numbers, states=states, docs=docs)


async def save(tx: Tx, change_id: str, rows: Sequence[Row]) -> None:
    """Keeps what became of items."""
    if rows:
        numbers, states, docs = _columns(rows)
        await tx.execute(_SAVE, change_id=change_id, numbers=numbers, states=states, docs=docs)


def _columns(rows: Sequence[Row]) -> tuple[list[int], list[int], list[bytes]]:
    docs = [row.item.SerializeToString() for row in rows]
    return [row.number for row in rows], [row.state for row in rows], docs


async def in_state(tx: Tx, change_id: str, state: int, most: int) -> list[Row]:
    """The first items in this state, in their order."""
    found = await tx.fetch(_IN_STATE, change_id=change_id, state=state, most=most)
    return [Row(row["number"], row["state"], Item.FromString(row["doc"])) for row in found]


async def counts(tx: Tx, change_id: str) -> Counter[int]:
    """State -> how many items."""
    rows = await tx.fetch(_COUNTS, change_id=change_id)
    return Counter({row["state"]: row["count"] for row in rows})


async def received(tx: Tx, change_id: str) -> Counter[str]:
    """Who gets, or got and still has, how many tasks."""
    rows = await tx.fetch(_DOCS, change_id=change_id)
    return Counter(Item.FromString(row["doc"]).after.owner_id for row in rows)


async def forget(tx: Tx, change_id: str) -> None:
    """Nothing of the change can be run or undone any more."""
    await tx.execute(_FORGET, change_id=change_id)


async def tasks_for_update(tx: Tx, ids: Iterable[str]) -> dict[str, Record]:
    """The rows of these tasks by id, deleted ones too, locked until the end, whoever asks."""
    await tx.begin()
    rows = await tx.fetch(_TASKS, ids=list(ids))
    return {str(row["id"]): row for row in rows}
