"""Tasks: what lists, queues and the day find them by."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Column, Index, Integer, SmallInteger, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.fold import search_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.tasks.store.schema import NEVER, metadata

Task = task_pb2.Task

LINKS = ("request_id", "deal_id", "case_id", "call_id")
"""The matters a task may belong to, besides contact and company, which have fields of their own."""


def _values(task: Task) -> dict[str, Any]:
    return {
        "owner_id": reference(task.owner_id),
        "department_id": reference(task.department_id),
        "follower_ids": list(task.follower_ids),
        "candidate_ids": list(task.candidate_ids),
        "creator_id": reference(task.creator_id),
        "type_id": reference(task.type_id),
        "state": task.state,
        "priority": task.priority,
        "start_time": moment(task, "start_time"),
        "due_time": moment(task, "due_time"),
        "due_key": moment(task, "due_time") or NEVER,
        "miss_time": moment(task, "miss_time"),
        "end_time": moment(task, "end_time"),
        "contact_id": reference(task.contact_id),
        "company_id": reference(task.company_id),
        **{link: reference(getattr(task.link, link)) for link in LINKS},
        "project_id": reference(task.project_id),
        "section": task.section,
        "position": task.position,
        "estimated_minutes": task.estimated_minutes,
        "series_id": reference(task.series_id),
        "visit_time": moment(task.visit, "appointment_time"),
        "outcome": task.outcome,
        "search": search_key(task.subject),
        "search_open": "",  # what text search finds where the subject is hidden from the caller
    }


def _of(column: str, *rest: str) -> Index:
    """The tasks of one matter; most tasks have none of most kinds."""
    return Index(
        f"ix_tasks_{column.removesuffix('_id')}", "tenant_id", column, *rest, "id",
        postgresql_where=text(f"{column} IS NOT NULL"),
    )  # fmt: skip


tasks = Resource(
    Task,
    metadata,
    table="tasks",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("candidate_ids", ARRAY(Uuid), nullable=False), Column("creator_id", Uuid), Column("type_id", Uuid),
        Column("state", SmallInteger, nullable=False), Column("priority", SmallInteger, nullable=False),
        Column("start_time", Moment), Column("due_time", Moment), Column("due_key", Moment, nullable=False),
        Column("miss_time", Moment), Column("end_time", Moment), Column("contact_id", Uuid), Column("company_id", Uuid),
        *(Column(link, Uuid) for link in LINKS), Column("project_id", Uuid), Column("section", Text, nullable=False),
        Column("position", Integer, nullable=False), Column("estimated_minutes", Integer, nullable=False), Column("series_id", Uuid),
        Column("visit_time", Moment), Column("outcome", Text, nullable=False), Column("search", Text, nullable=False),
        Column("search_open", Text, nullable=False),
    ],
    values=_values,
    items=[
        # State is a column of the index and not its condition: a list's statement has it as a parameter.
        Index("ix_tasks_owner_state", "tenant_id", "owner_id", "state", "due_key", "id"),
        Index("ix_tasks_state", "tenant_id", "state", "due_key", "id"),
        _of("contact_id", "state", "due_key"), _of("company_id", "state", "due_key"), _of("project_id", "state", "due_key"),
        Index("ix_tasks_project_order", "tenant_id", "project_id", "position", "id", postgresql_where=text("project_id IS NOT NULL")),
        *(_of(link) for link in LINKS), _of("series_id", "due_key"),
        # "Offered to me": of a million tasks a handful are offered at a time.
        Index(
            "ix_tasks_candidates", "candidate_ids", postgresql_using="gin",
            postgresql_where=text("candidate_ids <> '{}'"), postgresql_with={"fastupdate": "off"},
        ),
        Index("ix_tasks_visit", "tenant_id", "owner_id", "visit_time", postgresql_where=text("visit_time IS NOT NULL")),
    ],
    fields={
        "state": choice("state", Task.State, "STATE_"),
        "priority": choice("priority", Task.Priority, "PRIORITY_", sortable=True),
        "type_id": Field("type_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "candidate_ids": Field("candidate_ids", "uuid_array", sparse=("candidate_ids", "'{}'")),
        "creator_id": Field("creator_id", "uuid"),
        "start_time": Field("start_time", "timestamp"),
        "due_time": Field("due_time", "timestamp", sortable=True, sort_column="due_key"),
        "miss_time": Field("miss_time", "timestamp"),
        "end_time": Field("end_time", "timestamp"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        **{f"link.{link}": Field(link, "uuid") for link in LINKS},
        "project_id": Field("project_id", "uuid"),
        "section": Field("section", "text", sentinel=""),
        "series_id": Field("series_id", "uuid"),
        "visit.appointment_time": Field("visit_time", "timestamp"),
        "outcome": Field("outcome", "text", sentinel=""),
    },
    search="search",
    open_search="search_open",
    search_reveals=("subject",),
    default_owner=False,
    default_order="due_time",
)  # fmt: skip

_LOOKED_BACK = 50  # versions; a task that was passed on more often than that since it was taken is nobody's lost race
_LATE_VERSIONS = 200  # of a task that somebody had; a telephone that was without network for longer hears that there is none


@dataclass(frozen=True, slots=True)
class Version:
    """A task as it was from one moment until another."""

    number: int
    task: task_pb2.Task
    since: datetime
    until: datetime


async def before_owner(tx: Tx, id: str) -> Task | None:
    """The task as it was when it last had no owner; None if it had one as far as we look back."""
    rows = await tx.fetch(tasks.of_history.page, id=id, below=2**62, page_limit=_LOOKED_BACK)
    for row in rows:
        if not (task := Task.FromString(row["doc"])).owner_id:
            return task
    return None


async def versions_of_owner(tx: Tx, id: str, owner_id: str) -> list[Version]:
    """The former versions of a task in which this person had to do it, the newest first."""
    rows = await tx.fetch(tasks.of_history.page, id=id, below=2**62, page_limit=_LATE_VERSIONS)
    found = []
    for newer, row in pairwise(rows):
        task = Task.FromString(row["doc"])
        if task.owner_id == owner_id:
            found.append(Version(row["version"], task, row["valid_from"], newer["valid_from"]))
    return found
