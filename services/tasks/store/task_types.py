"""Task types."""

from sqlalchemy import Boolean, Column, Index, Integer, SmallInteger, Text, bindparam, text

from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.tasks.v1 import task_type_pb2
from services.tasks import errors
from services.tasks.store.schema import metadata

TaskType = task_type_pb2.TaskType

task_types = Resource(
    TaskType,
    metadata,
    table="task_types",
    columns=[
        Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False), Column("kind", SmallInteger, nullable=False),
        Column("position", Integer, nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=lambda type: {
        "key": type.key,
        "name_key": sort_key(type.name),
        "name_search": search_key(type.name),
        "kind": type.kind,
        "position": type.position,
        "retired": type.retired,
    },
    items=[
        Index("uq_task_types_key", "tenant_id", "key", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields={
        "key": Field("key", "text", sentinel=""),
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "kind": choice("kind", TaskType.Kind, "KIND_"),
        "position": Field("position", "number", sortable=True),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="position",
    constraints={"uq_task_types_key": lambda detail: errors.KeyTaken()},
)  # fmt: skip

_BY_KEY = task_types.select(task_types.view.c.key == bindparam("key"))


async def type_with_key(tx: Tx, key: str) -> TaskType | None:
    """The living type with this key."""
    found = await task_types.find_where(tx, _BY_KEY, key=key)
    return found[0] if found else None
