"""What all tables of this service share."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import DateTime, MetaData, Text, bindparam
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.sql.elements import ColumnElement

from chassis.kit.custom import custom_fields as declare_custom_fields
from chassis.kit.filter import Field

metadata = MetaData(info={"package": "crm.contacts.v1"})
Moment = DateTime(timezone=True)

custom_fields = declare_custom_fields(metadata)


def choice(column: str, enum: Any, prefix: str) -> Field:
    """A filter over an enum that is kept by its number; filters may say STATE_NEW or NEW."""
    names: Mapping[str, int] = dict(enum.items())
    short = {name.removeprefix(prefix): number for name, number in names.items()}
    return Field(column, "enum", enum={**names, **short}, sentinel=0)


def holds(column: ColumnElement[Any], bind: str) -> ColumnElement[bool]:
    """True where a text array holds the bound value, in the form that its GIN index serves."""
    return column.contains(array([bindparam(bind, type_=Text)], type_=Text))


def reference(id: str) -> str | None:
    """An id for a uuid column, where empty means none."""
    return id or None
