"""Days of the calendar as contracts carry them."""

from datetime import date
from typing import Any


def day_of(value: Any) -> date | None:
    """The day of a google.type.Date; None where it is no day of the calendar, as one without a year."""
    try:
        return date(value.year, value.month, value.day)
    except ValueError:
        return None
