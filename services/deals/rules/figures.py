"""What the figures of a pipeline mean, and the filters of the list of deals by which each is looked through. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from google.type import date_pb2

from crm.deals.v1 import deal_pb2, pipeline_pb2
from services.deals.rules import moving

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline

_DAY_S = 86_400
_TENTH = Decimal("0.1")


def forward_counts(pipeline: Pipeline, departures: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Stage -> how often a deal went on from it: to a later stage, or won there and not opened again."""
    found: Counter[str] = Counter()
    places = {stage.id: at for at, stage in enumerate(pipeline.stages)}
    for row in departures:
        here, there = str(row["stage_id"]), str(row["next_stage_id"] or "")
        if row["goes_on"]:
            on = places.get(there, -1) > places.get(here, len(places))
        else:
            on = row["state"] == Deal.STATE_WON
        found[here] += row["count"] if on else 0
    return found


def skipped_counts(pipeline: Pipeline, arrivals: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Stage -> how often it was passed over on the way forward, by the order in which stages stand today."""
    found: Counter[str] = Counter()
    known = {stage.id for stage in pipeline.stages}
    for row in arrivals:
        here, there = str(row["previous_stage_id"]), str(row["stage_id"])
        if {here, there} <= known and moving.is_forward(pipeline, here, there):
            for stage in moving.skipped(pipeline, here, there):
                found[stage.id] += row["count"]
    return found


def percent(part: int, whole: int) -> str:
    """How many of 100, to one decimal; empty of nothing."""
    if not whole:
        return ""
    return f"{(Decimal(100 * part) / whole).quantize(_TENTH, ROUND_HALF_UP):f}"


def days(seconds: float | Decimal | None) -> str:
    """Seconds as days, to one decimal; empty where there are none."""
    if seconds is None:
        return ""
    return f"{(Decimal(str(seconds)) / _DAY_S).quantize(_TENTH, ROUND_HALF_UP):f}"


def month_after(first: date, months: int) -> date:
    """The first day of the month so many months later."""
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def shown_date(day: date | None) -> date_pb2.Date | None:
    """The date as messages hold it."""
    return date_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


# -- filters ---------------------------------------------------------------------------------------------------------------


def every(*conditions: str) -> str:
    """All of the conditions; empty ones are none."""
    return " AND ".join(each for each in conditions if each)


def within(filter: str) -> str:
    """The caller's filter as one condition among others."""
    return f"({filter})" if filter.strip() else ""


def named(field: str, id: Any) -> str:
    """The field names this record, or none."""
    return f"{field} = {id or 'null'}"


def between(field: str, since: datetime, until: datetime) -> str:
    """The moment lies in the period."""
    return f'{field} >= "{since.isoformat()}" AND {field} < "{until.isoformat()}"'


def dated(field: str, since: date, until: date) -> str:
    """The date lies in the period."""
    return f"{field} >= {since} AND {field} < {until}"
