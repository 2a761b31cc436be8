"""The catalogues that deals name: reasons and sales methods."""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, SmallInteger, Text, text
from sqlalchemy.schema import SchemaItem

from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from crm.deals.v1 import deal_reason_pb2, sales_method_pb2
from services.deals import errors
from services.deals.store.schema import metadata

DealReason = deal_reason_pb2.DealReason
SalesMethod = sales_method_pb2.SalesMethod


def entry_columns() -> list[Column[Any]]:
    """The columns of an entry of a catalogue."""
    return [
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("position", Integer, nullable=False), Column("retired", Boolean, nullable=False),
    ]  # fmt: skip


def entry_values(entry: Any) -> dict[str, Any]:
    """Their values."""
    return {
        "name_key": sort_key(entry.name),
        "name_search": search_key(entry.name),
        "position": entry.position,
        "retired": entry.retired,
    }


FIELDS = {
    "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
    "position": Field("position", "number", sortable=True),
    "retired": Field("retired", "bool"),
}  # fmt: skip


def _unique(table: str, *columns: str) -> list[SchemaItem]:
    return [
        Index(f"uq_{table}_name", "tenant_id", *columns, unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ]  # fmt: skip


deal_reasons = Resource(
    DealReason,
    metadata,
    table="deal_reasons",
    columns=[*entry_columns(), Column("kind", SmallInteger, nullable=False)],
    values=lambda reason: {**entry_values(reason), "kind": reason.kind},
    items=_unique("deal_reasons", "kind", "name_search"),
    fields={**FIELDS, "kind": choice("kind", DealReason.Kind, "KIND_")},
    search="name_search",
    default_order="position",
    constraints={"uq_deal_reasons_name": lambda detail: errors.KeyTaken("reason", "name")},
)

sales_methods = Resource(
    SalesMethod,
    metadata,
    table="sales_methods",
    columns=entry_columns(),
    values=entry_values,
    items=_unique("sales_methods", "name_search"),
    fields=FIELDS,
    search="name_search",
    default_order="position",
    constraints={"uq_sales_methods_name": lambda detail: errors.KeyTaken("sales method", "name")},
)
