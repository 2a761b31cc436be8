"""What all tables of this service share."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import DateTime, MetaData

from chassis.kit.custom import custom_fields as declare_custom_fields
from chassis.kit.filter import Field
from chassis.kit.saved_views import saved_views as declare_saved_views
from chassis.times import to_datetime

metadata = MetaData(info={"package": "crm.deals.v1"})
Moment = DateTime(timezone=True)

custom_fields = declare_custom_fields(metadata)
saved_views = declare_saved_views(metadata)


def choice(column: str, enum: Any, prefix: str, *, sortable: bool = False) -> Field:
    """A filter over an enum that is kept by its number; filters may say STATE_OPEN or OPEN."""
    names: Mapping[str, int] = dict(enum.items())
    short = {name.removeprefix(prefix): number for name, number in names.items()}
    return Field(column, "enum", enum={**names, **short}, sentinel=0, sortable=sortable)


def reference(id: str) -> str | None:
    """An id for a uuid column, where empty means none."""
    return id or None


def moment(record: Any, field: str) -> datetime | None:
    """The moment of a message's field; None where it is not set."""
    stamp: Timestamp = getattr(record, field)
    return to_datetime(stamp) if record.HasField(field) else None


def day(record: Any, field: str) -> date | None:
    """The date of a message's field; None where it is not set."""
    value = getattr(record, field)
    return date(value.year, value.month, value.day) if record.HasField(field) else None


def amount(text: str) -> Decimal | None:
    """A decimal text for a numeric column; None where it is empty."""
    return Decimal(text) if text else None
