"""Ladders and their runs on tasks.

A run is its message (crm.tasks.v1.LadderRun) in bytes: it is read whole, changed under the row's lock and written whole.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.tasks.v1 import ladder_pb2
from services.tasks.store.schema import metadata

Ladder = ladder_pb2.Ladder
LadderRun = ladder_pb2.LadderRun

RUNS_SHOWN = 20

ladders = Resource(
    Ladder,
    metadata,
    table="ladders",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("clock", SmallInteger, nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=lambda ladder: {
        "name_key": sort_key(ladder.name),
        "name_search": search_key(ladder.name),
        "clock": ladder.clock,
        "retired": ladder.retired,
    },
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "clock": choice("clock", Ladder.Clock, "CLOCK_"),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="name",
)  # fmt: skip

runs = Table(
    "ladder_runs",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", SmallInteger, nullable=False),
    Column("doc", LargeBinary, nullable=False),
    Index(
        "ix_ladder_runs_running",
        "tenant_id",
        "task_id",
        postgresql_where=text(f"state = {LadderRun.STATE_RUNNING}"),
    ),
)

# -- ladders ---------------------------------------------------------------------------------------------------------------

_ALL = ladders.select(ladders.view.c.retired.is_(False))


async def all_ladders(tx: Tx) -> list[ladder_pb2.Ladder]:
    """The living ladders that may be chosen by their conditions: a handful."""
    return await ladders.find_where(tx, _ALL)


# -- runs ------------------------------------------------------------------------------------------------------------------

_OF_TASK = runs.c.task_id == bindparam("task_id", type_=Uuid)
_RUNNING = runs.c.state == text(str(int(LadderRun.STATE_RUNNING)))
_COLUMNS = (runs.c.task_id, runs.c.number, runs.c.doc)
_LAST = Statement(select(func.coalesce(func.max(runs.c.number), 0)).where(_OF_TASK))
_ADD = Statement(
    runs.insert().values(
        {name: bindparam(name) for name in ("tenant_id", "task_id", "number", "state", "doc")}
    )
)
_SAVE = Statement(
    update(runs)
    .where(_OF_TASK, runs.c.number == bindparam("of_number"))
    .values(state=bindparam("state"), doc=bindparam("doc"))
)
_CURRENT = Statement(select(*_COLUMNS).where(_OF_TASK, _RUNNING).with_for_update())
_SHOWN = Statement(
    select(*_COLUMNS).where(_OF_TASK).order_by(runs.c.number.desc()).limit(RUNS_SHOWN)
)
_PAGE = Statement(
    select(runs.c.task_id)
    .where(_RUNNING, runs.c.task_id > bindparam("after", type_=Uuid))
    .order_by(runs.c.task_id)
    .limit(bindparam("limit", type_=Integer))
)
_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("task_ids", type_=ARRAY(Uuid))
_CURRENT_OF = Statement(
    select(*_COLUMNS)
    .where(runs.c.tenant_id == _TENANT, runs.c.task_id == _IDS.any_(), _RUNNING)
    .order_by(runs.c.task_id, runs.c.number)
    .with_for_update()
)
_NUMBERS = bindparam("numbers", type_=ARRAY(Integer))
_STATES = bindparam("states", type_=ARRAY(SmallInteger))
_DOCS = bindparam("docs", type_=ARRAY(LargeBinary))
_ADD_MANY = Statement(
    text(
        "INSERT INTO ladder_runs (tenant_id, task_id, number, state, doc)"
        " SELECT CAST(:tenant_id AS uuid), n.task_id, 1 + coalesce((SELECT max(r.number) FROM ladder_runs AS r"
        " WHERE r.tenant_id = :tenant_id AND r.task_id = n.task_id), 0), n.state, n.doc"
        " FROM unnest(CAST(:task_ids AS uuid[]), CAST(:states AS smallint[]), CAST(:docs AS bytea[])) AS n(task_id, state, doc)"
        " RETURNING task_id, number"
    ).bindparams(_TENANT, _IDS, _STATES, _DOCS)
)  # fmt: skip
_SAVE_MANY = Statement(
    text(
        "UPDATE ladder_runs AS r SET state = n.state, doc = n.doc"
        " FROM unnest(CAST(:task_ids AS uuid[]), CAST(:numbers AS int[]), CAST(:states AS smallint[]), CAST(:docs AS bytea[]))"
        " AS n(task_id, number, state, doc)"
        " WHERE r.tenant_id = :tenant_id AND r.task_id = n.task_id AND r.number = n.number"
    ).bindparams(_TENANT, _IDS, _NUMBERS, _STATES, _DOCS)
)  # fmt: skip


async def add_run(tx: Tx, run: ladder_pb2.LadderRun, *, first: bool) -> None:
    """Writes a new run and numbers it; `first` if the task is new and can have had none."""
    last = 0 if first else await tx.fetchval(_LAST, task_id=run.task_id)
    run.number = last + 1
    await tx.execute(_ADD, **_key(run), state=run.state, doc=run.SerializeToString())


async def save_run(tx: Tx, run: ladder_pb2.LadderRun) -> None:
    """Writes a run that is held by `running`."""
    await tx.execute(
        _SAVE, task_id=run.task_id, of_number=run.number, state=run.state, doc=run.SerializeToString()
    )  # fmt: skip


async def add_runs(tx: Tx, begun: Sequence[ladder_pb2.LadderRun]) -> None:
    """Writes new runs, one for each of several tasks, and numbers them."""
    if not begun:
        return
    await tx.begin()
    rows = await tx.fetch(_ADD_MANY, **_columns(begun))
    numbers = {str(row["task_id"]): row["number"] for row in rows}
    for run in begun:
        run.number = numbers[run.task_id]


async def save_runs(tx: Tx, held: Sequence[ladder_pb2.LadderRun]) -> None:
    """Writes runs that are held by `running_of`."""
    if held:
        values: dict[str, Any] = _columns(held) | {"numbers": [run.number for run in held]}
        await tx.execute(_SAVE_MANY, **values)


def _columns(of: Sequence[ladder_pb2.LadderRun]) -> dict[str, list[Any]]:
    return {
        "task_ids": [run.task_id for run in of],
        "states": [run.state for run in of],
        "docs": [run.SerializeToString() for run in of],
    }


async def running_of(tx: Tx, task_ids: Iterable[str]) -> list[ladder_pb2.LadderRun]:
    """The runs of these tasks that are not over; nobody else changes them until the end of this transaction."""
    await tx.begin()
    return [_run(row) for row in await tx.fetch(_CURRENT_OF, task_ids=list(task_ids))]


async def running(tx: Tx, task_id: str) -> ladder_pb2.LadderRun | None:
    """The task's run that is not over, if it has one; nobody else changes it until the end of this transaction."""
    await tx.begin()
    row = await tx.fetchrow(_CURRENT, task_id=task_id)
    return _run(row) if row is not None else None


async def runs_of(tx: Tx, task_id: str) -> list[ladder_pb2.LadderRun]:
    """The task's runs, the newest first."""
    return [_run(row) for row in await tx.fetch(_SHOWN, task_id=task_id)]


async def running_after(tx: Tx, task_id: str, limit: int) -> list[str]:
    """The ids of tasks with a run that is not over, in order, after this one."""
    return [str(row["task_id"]) for row in await tx.fetch(_PAGE, after=task_id, limit=limit)]


def _key(run: ladder_pb2.LadderRun) -> dict[str, Any]:
    return {"task_id": run.task_id, "number": run.number}


def _run(row: Record) -> ladder_pb2.LadderRun:
    run = LadderRun.FromString(row["doc"])
    run.task_id, run.number = str(row["task_id"]), row["number"]
    return run
