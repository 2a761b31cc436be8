"""Moments relative to now in a filter, set to what they mean at one moment.

    facts.last_contact_time < now-90d      next_contact_date <= today+1w      birthday.day_of_year = today

Unquoted ``now`` and ``today`` (midnight in the tenant's zone), alone or moved by a number of s, m (minutes), h, d, w, mo or y,
are moments where the field holds a time, a date or a day of the year; anywhere else they are words like any other. A day of the
year knows no year: ``today+1w`` in December is a day in January, so ask for it with ``=`` and not by ranges.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from chassis.kit.filter_checks import field_named
from chassis.kit.filter_syntax import And, Comparison, FilterError, Literal, Node, Not, Or
from chassis.kit.filter_values import Field, refuse_value

if TYPE_CHECKING:
    from chassis.tx import Tx

_MOMENT = re.compile(r"(now|today)(?:([+-])([0-9]{1,5})(s|mo|m|h|d|w|y))?")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAYS = {"d": 1, "w": 7}
_DATES = ("date", "custom_date")


def now_of(tx: "Tx") -> datetime:
    """This request's moment on the clock of the tenant."""
    zone = tx.directory.tenant().get("time_zone") if tx.tenant else ""
    return tx.now.astimezone(ZoneInfo(zone or "UTC"))


def anchored(
    node: Node, fields: Mapping[str, Field], custom: Mapping[str, Field], now: datetime
) -> Node:
    """The filter with every relative moment replaced by what it means at `now`, an aware time in the zone that counts.

    Raises FilterError for a moment outside the calendar. Unknown fields stay: whoever compiles the filter refuses them.
    """
    match node:
        case And(parts):
            return And(tuple(anchored(part, fields, custom, now) for part in parts))
        case Or(parts):
            return Or(tuple(anchored(part, fields, custom, now) for part in parts))
        case Not(part):
            return Not(anchored(part, fields, custom, now))
        case Comparison():
            return _anchored(node, fields, custom, now)


def is_relative(node: Node, fields: Mapping[str, Field], custom: Mapping[str, Field]) -> bool:
    """True if what the filter selects changes as time passes, though no record does."""
    return anchored(node, fields, custom, datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))) != node


def _anchored(
    comparison: Comparison, fields: Mapping[str, Field], custom: Mapping[str, Field], now: datetime
) -> Comparison:
    value = comparison.value
    found = None if value.quoted or value.prefix else _MOMENT.fullmatch(value.text)
    if found is None:
        return comparison
    try:
        field = field_named(comparison, fields, custom)
    except FilterError:
        return comparison
    if field.kind not in ("timestamp", *_DATES) and not field.day_of_year:
        return comparison
    base, sign, number, unit = found.groups()
    if base == "today":
        now = now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        moment = _moved(now, int(f"{sign}{number}"), unit) if unit else now
    except (ValueError, OverflowError):
        refuse_value(comparison, "must be a moment between the years 1 and 9999")
    return replace(comparison, value=Literal(_written(moment, field), quoted=True))


def _moved(moment: datetime, number: int, unit: str) -> datetime:
    """Days, weeks, months and years keep the hour on the wall, whatever daylight saving does; the 31st becomes the last."""
    if unit in _SECONDS:  # by the time that passes, not by the wall
        return datetime.fromtimestamp(moment.timestamp() + number * _SECONDS[unit], moment.tzinfo)
    if unit in _DAYS:
        return moment + timedelta(days=number * _DAYS[unit])
    months = moment.year * 12 + moment.month - 1 + number * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    last = calendar.monthrange(date(year, month, 1).year, month)[1]
    return moment.replace(year=year, month=month, day=min(moment.day, last))


def _written(moment: datetime, field: Field) -> str:
    if field.day_of_year:
        return str(moment.month * 100 + moment.day)
    return moment.date().isoformat() if field.kind in _DATES else moment.isoformat()
