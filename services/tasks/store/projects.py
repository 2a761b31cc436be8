"""Projects, and their tasks: in their order, counted, and locked while their readers change."""

from typing import Any

from asyncpg import Record
from sqlalchemy import Column, SmallInteger, Text, Uuid, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.tasks.v1 import project_pb2, task_pb2
from services.tasks.store.schema import metadata
from services.tasks.store.tasks import tasks

Project = project_pb2.Project
Task = task_pb2.Task

projects = Resource(
    Project,
    metadata,
    table="projects",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("state", SmallInteger, nullable=False), Column("start_time", Moment), Column("due_time", Moment),
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("search_open", Text, nullable=False),
    ],
    values=lambda project: {
        "owner_id": reference(project.owner_id),
        "department_id": reference(project.department_id),
        "follower_ids": list(project.follower_ids),
        "state": project.state,
        "start_time": moment(project, "start_time"),
        "due_time": moment(project, "due_time"),
        "name_key": sort_key(project.name),
        "name_search": search_key(project.name),
        "search_open": "",  # what text search finds where the name is hidden from the caller
    },
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "state": choice("state", Project.State, "STATE_"),
        "owner_id": Field("owner_id", "uuid"),
        "member_ids": Field("follower_ids", "uuid_array"),
        "department_id": Field("department_id", "uuid"),
        "start_time": Field("start_time", "timestamp"),
        "due_time": Field("due_time", "timestamp"),
    },
    search="name_search",
    open_search="search_open",
    search_reveals=("name",),
    default_order="name",
)  # fmt: skip

_t, _v = tasks.table.c, tasks.view.c
_OF_ONE = (_v.tenant_id == bindparam("tenant_id", type_=Uuid), _v.project_id == bindparam("project_id", type_=Uuid), _v.delete_time.is_(None))  # fmt: skip

_LOCKED = (
    select(_t.id, _t.version, _t.delete_time, _t.doc)
    .where(
        _t.tenant_id == bindparam("tenant_id", type_=Uuid),
        _t.project_id == bindparam("project_id", type_=Uuid),
    )
    .order_by(_t.id)
    .with_for_update()
)
_FOR_UPDATE = {True: Statement(_LOCKED), False: Statement(_LOCKED.where(_t.delete_time.is_(None)))}
_EXTENT = Statement(
    select(func.count().label("count"), func.max(_v.position).label("last")).where(*_OF_ONE)
)
_SECTIONS = Statement(select(_v.section).distinct().where(*_OF_ONE))
_OPEN_COUNT = Statement(select(func.count()).where(*_OF_ONE, _v.state == int(Task.STATE_OPEN)))
_COLUMNS = (_v.id, _v.version, _v.delete_time, _v.doc, _v.json, _v.position)
_ORDERED = Statement(
    select(*_COLUMNS, *(_v[name] for name in tasks.row_columns))
    .where(
        *_OF_ONE,
        tuple_(_v.position, _v.id)
        > tuple_(bindparam("after_position", type_=_v.position.type), bindparam("after_id", type_=Uuid)),
    )
    .order_by(_v.position, _v.id)
    .limit(201)
)  # fmt: skip
_overdue = (_v.state == int(Task.STATE_OPEN)) & (_v.due_time < bindparam("now", type_=Moment))
_COUNTS = Statement(
    select(
        _v.owner_id,
        _v.section,
        _v.state,
        func.count().label("count"),
        func.count().filter(_overdue).label("overdue"),
        func.coalesce(func.sum(_v.estimated_minutes), 0).label("minutes"),
    )
    .where(*_OF_ONE)
    .group_by(_v.owner_id, _v.section, _v.state)
)
BEFORE_ALL = (-(2**31), "00000000-0000-0000-0000-000000000000")
"""A place before all tasks of a project."""


async def tasks_for_update(
    tx: Tx, project_id: str, *, deleted: bool = False
) -> list[tuple[Task, bytes]]:
    """The project's tasks with their bytes, locked until the end, whoever asks; with `deleted` those that were deleted too."""
    await tx.begin()
    rows = await tx.fetch(_FOR_UPDATE[deleted], project_id=project_id)
    return [(tasks.loaded(tx, row), row["doc"]) for row in rows]


async def extent(tx: Tx, project_id: str) -> tuple[int, int]:
    """(how many tasks the project has, the position of the last)."""
    row = await tx.fetchrow(_EXTENT, project_id=project_id)
    return (int(row["count"]), int(row["last"] or 0)) if row else (0, 0)


async def sections_in_use(tx: Tx, project_id: str) -> set[str]:
    """The keys of the sections in which tasks of the project are."""
    return {row["section"] for row in await tx.fetch(_SECTIONS, project_id=project_id)} - {""}


async def open_tasks(tx: Tx, project_id: str) -> int:
    """How many tasks of the project are open."""
    return int(await tx.fetchval(_OPEN_COUNT, project_id=project_id))


async def ordered(tx: Tx, project_id: str, after: tuple[int, str], size: int) -> list[Record]:
    """Up to size + 1 rows of the project's tasks behind this place (position, id), in their order; size is at most 200."""
    rows = await tx.fetch(
        _ORDERED, project_id=project_id, after_position=after[0], after_id=after[1]
    )
    return rows[: size + 1]


async def counts(tx: Tx, project_id: str) -> list[dict[str, Any]]:
    """Per owner, section and state: count, overdue and estimated minutes."""
    rows = await tx.fetch(_COUNTS, project_id=project_id, now=tx.now)
    return [dict(row) for row in rows]


async def before(tx: Tx, project: project_pb2.Project) -> project_pb2.Project:
    """The project as it was before its last change."""
    below = int(project.etag)
    row = await tx.fetchrow(projects.of_history.page, id=project.id, below=below, page_limit=1)
    return Project.FromString(row["doc"]) if row is not None else project
