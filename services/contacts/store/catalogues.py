"""Forms, sources, needs and labels, and which of their ids exist."""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.contacts.v1 import form_pb2, label_pb2, need_pb2, source_pb2
from services.contacts import errors
from services.contacts.store.schema import metadata

_LIVING = text("delete_time IS NULL")
_KEYED_FIELDS = {
    "key": Field("key", "text", sentinel=""),
    "name": Field(
        "name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"
    ),
    "position": Field("position", "number", sortable=True),
    "retired": Field("retired", "bool"),
}


def _keyed_values(entry: Any) -> dict[str, Any]:
    return {
        "key": entry.key,
        "name_key": sort_key(entry.name),
        "name_search": search_key(entry.name),
        "position": entry.position,
        "retired": entry.retired,
    }


def _keyed(message: Any, table: str, noun: str) -> Resource[Any]:
    """A catalogue whose living entries have unique keys."""
    return Resource(
        message,
        metadata,
        table=table,
        columns=[
            Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
            Column("name_search", Text, nullable=False), Column("position", Integer, nullable=False),
            Column("retired", Boolean, nullable=False),
        ],
        values=_keyed_values,
        items=[Index(f"uq_{table}_key", "tenant_id", "key", unique=True, postgresql_where=_LIVING)],
        fields=_KEYED_FIELDS,
        search="name_search",
        default_order="position",
        constraints={f"uq_{table}_key": lambda detail: errors.KeyTaken(noun, "key")},
    )  # fmt: skip


sources = _keyed(source_pb2.Source, "sources", "source")
needs = _keyed(need_pb2.Need, "needs", "need")

labels = Resource(
    label_pb2.Label,
    metadata,
    table="labels",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("position", Integer, nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=lambda label: {
        "name_key": sort_key(label.name),
        "name_search": search_key(label.name),
        "position": label.position,
        "retired": label.retired,
    },
    items=[Index("uq_labels_name", "tenant_id", "name_key", unique=True, postgresql_where=_LIVING)],
    fields={name: field for name, field in _KEYED_FIELDS.items() if name != "key"},
    search="name_search",
    default_order="name",
    constraints={"uq_labels_name": lambda detail: errors.KeyTaken("label", "name")},
)  # fmt: skip

forms = Resource(
    form_pb2.Form,
    metadata,
    table="forms",
    columns=[
        Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False), Column("department_id", Uuid), Column("source_id", Uuid),
        Column("closed", Boolean, nullable=False),
    ],
    values=lambda form: {
        "key": form.key,
        "name_key": sort_key(form.name),
        "name_search": search_key(form.name),
        "department_id": reference(form.department_id),
        "source_id": reference(form.source_id),
        "closed": form.closed,
    },
    items=[Index("uq_forms_key", "tenant_id", "key", unique=True)],
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "department_id": Field("department_id", "uuid"),
        "source_id": Field("source_id", "uuid"),
        "closed": Field("closed", "bool"),
    },
    search="name_search",
    default_order="name",
)  # fmt: skip

_FORM_BY_KEY = forms.select(forms.view.c.key == bindparam("key"))
_SOURCE_BY_KEY = sources.select(sources.view.c.key == bindparam("key"))


async def find_form(tx: Tx, key: str) -> form_pb2.Form | None:
    """The living form with this public key."""
    found = await forms.find_where(tx, _FORM_BY_KEY, key=key)
    return found[0] if found else None


async def source_id_of(tx: Tx, key: str) -> str:
    """The id of the source with this key; empty if the tenant has taken it out of its catalogue."""
    found = await sources.find_where(tx, _SOURCE_BY_KEY, key=key)
    return found[0].id if found else ""


CATALOGUES: dict[str, Resource[Any]] = {
    "label": labels,
    "need": needs,
    "source": sources,
    "form": forms,
}

_EXISTING = {
    noun: Statement(
        select(resource.table.c.id).where(
            resource.table.c.tenant_id == bindparam("tenant_id", type_=Uuid),
            resource.table.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
            resource.table.c.delete_time.is_(None),
        )
    )
    for noun, resource in CATALOGUES.items()
}


async def missing_entries(tx: Tx, noun: str, ids: set[str]) -> set[str]:
    """Those of the ids under which no entry of the catalogue lives."""
    rows = await tx.fetch(_EXISTING[noun], ids=sorted(ids)) if ids else []
    return ids - {str(row["id"]) for row in rows}
