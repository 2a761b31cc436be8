"""Pipelines; their stages stand in them."""

from sqlalchemy import Boolean, Column, Index, Integer, SmallInteger, Text, bindparam, text

from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import pipeline_pb2
from services.deals import errors
from services.deals.store.schema import metadata

Pipeline = pipeline_pb2.Pipeline

pipelines = Resource(
    Pipeline,
    metadata,
    table="pipelines",
    columns=[
        Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False), Column("party", SmallInteger, nullable=False),
        Column("position", Integer, nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=lambda pipeline: {
        "key": pipeline.key,
        "name_key": sort_key(pipeline.name),
        "name_search": search_key(pipeline.name),
        "party": pipeline.party,
        "position": pipeline.position,
        "retired": pipeline.retired,
    },
    items=[
        Index("uq_pipelines_key", "tenant_id", "key", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields={
        "key": Field("key", "text", sentinel=""),
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "party": choice("party", Pipeline.Party, "PARTY_"),
        "position": Field("position", "number", sortable=True),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="position",
    constraints={"uq_pipelines_key": lambda detail: errors.KeyTaken("pipeline", "key")},
)  # fmt: skip

_LIVING = pipelines.select(order=(pipelines.view.c.position, pipelines.view.c.id))
_BY_KEY = pipelines.select(pipelines.view.c.key == bindparam("key"))


async def living_pipelines(tx: Tx) -> list[Pipeline]:
    """All living pipelines in their order, the first one first."""
    return await pipelines.find_where(tx, _LIVING)


async def pipeline_with_key(tx: Tx, key: str) -> Pipeline | None:
    """The living pipeline with this key."""
    found = await pipelines.find_where(tx, _BY_KEY, key=key)
    return found[0] if found else None
