"""What all tables of this service share."""

from datetime import UTC, datetime

from sqlalchemy import MetaData

from chassis.kit.custom import custom_fields as declare_custom_fields
from chassis.kit.saved_views import saved_views as declare_saved_views

metadata = MetaData(info={"package": "crm.tasks.v1"})

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands in columns that are sorted by, where the record has no such moment: it comes after all others."""

custom_fields = declare_custom_fields(metadata)
saved_views = declare_saved_views(metadata)
