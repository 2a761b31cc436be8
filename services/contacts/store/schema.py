"""What all tables of this service share."""

from typing import Any

from sqlalchemy import MetaData, Text, bindparam, cast
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.sql.elements import ColumnElement

from chassis.kit.custom import custom_fields as declare_custom_fields
from chassis.kit.saved_views import saved_views as declare_saved_views

metadata = MetaData(info={"package": "crm.contacts.v1"})

custom_fields = declare_custom_fields(metadata)
saved_views = declare_saved_views(metadata)


def holds(column: ColumnElement[Any], bind: str) -> ColumnElement[bool]:
    """True where a text array holds the bound value, in the form that its GIN index serves."""
    return column.contains(cast(array([bindparam(bind, type_=Text)]), ARRAY(Text)))
