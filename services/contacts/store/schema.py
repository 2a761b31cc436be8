"""What all tables of this service share."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Table, Text, bindparam, cast
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.sql.elements import ColumnElement

from chassis.kit.custom import custom_fields as declare_custom_fields
from chassis.kit.filter import Field
from chassis.kit.saved_views import saved_views as declare_saved_views

metadata = MetaData(info={"package": "crm.contacts.v1"})
Moment = DateTime(timezone=True)

custom_fields = declare_custom_fields(metadata)
saved_views = declare_saved_views(metadata)


def choice(column: str, enum: Any, prefix: str) -> Field:
    """A filter over an enum that is kept by its number; filters may say STATE_NEW or NEW."""
    names: Mapping[str, int] = dict(enum.items())
    short = {name.removeprefix(prefix): number for name, number in names.items()}
    return Field(column, "enum", enum={**names, **short}, sentinel=0)


def holds(column: ColumnElement[Any], bind: str) -> ColumnElement[bool]:
    """True where a text array holds the bound value, in the form that its GIN index serves."""
    return column.contains(cast(array([bindparam(bind, type_=Text)]), ARRAY(Text)))


def reference(id: str) -> str | None:
    """An id for a uuid column, where empty means none."""
    return id or None


def view_of(table: Table) -> Table:
    """The tenant view of a plain table: lists read it, because under a policy some operators use no index."""
    return Table(
        f"{table.name}_of_tenant", MetaData(), *(Column(c.name, c.type) for c in table.columns)
    )
