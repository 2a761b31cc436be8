"""What all tables of this service share."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import MetaData

from chassis.kit.custom import custom_fields as declare_custom_fields
from chassis.kit.saved_views import saved_views as declare_saved_views

metadata = MetaData(info={"package": "crm.deals.v1"})

custom_fields = declare_custom_fields(metadata)
saved_views = declare_saved_views(metadata)


def day(record: Any, field: str) -> date | None:
    """The date of a message's field; None where it is not set."""
    value = getattr(record, field)
    return date(value.year, value.month, value.day) if record.HasField(field) else None


def amount(text: str) -> Decimal | None:
    """A decimal text for a numeric column; None where it is empty."""
    return Decimal(text) if text else None
