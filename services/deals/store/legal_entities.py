"""Legal entities: who sells. The company's own has the company's id."""

from sqlalchemy import Boolean, Column, Index, Integer, Text, text

from chassis.fold import search_key, sort_key
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from crm.deals.v1 import legal_entity_pb2
from services.deals import errors
from services.deals.store.schema import metadata

LegalEntity = legal_entity_pb2.LegalEntity

legal_entities = Resource(
    LegalEntity,
    metadata,
    table="legal_entities",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("position", Integer, nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=lambda entity: {
        "name_key": sort_key(entity.name),
        "name_search": search_key(entity.name),
        "position": entity.position,
        "retired": entity.retired,
    },
    items=[
        Index("uq_legal_entities_name", "tenant_id", "name_search", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "position": Field("position", "number", sortable=True),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="position",
    constraints={"uq_legal_entities_name": lambda detail: errors.KeyTaken("legal entity", "name")},
)  # fmt: skip
