"""What was called and answered, told by person and day."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from google.type.date_pb2 import Date

from chassis.errors import Violation
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2 as pb
from services.telephony import errors, people, store

MOST_DAYS = 400


async def statistics(tx: Tx, request: pb.GetCallStatisticsRequest) -> pb.GetCallStatisticsResponse:
    """The figures of the calls that began on these days of the company and that the caller may read."""
    first, last = _days(request)
    zone = ZoneInfo(people.zone_of(tx))
    since = datetime.combine(first, datetime.min.time(), zone)
    until = datetime.combine(last + timedelta(days=1), datetime.min.time(), zone)
    rows = await store.statistics.by_person_and_day(tx, _filter(request), since, until, zone.key)
    said = pb.GetCallStatisticsResponse()
    good_seconds = good = 0
    for row in rows:
        said.missed += row["missed"]
        said.missed_open += row["missed_open"]
        good, good_seconds = good + row["made_good"], good_seconds + int(row["made_good_seconds"])
        if row["person"] is not None:
            said.lines.append(_line(row))
    said.made_good_seconds = good_seconds // good if good else 0
    return said


def _days(request: pb.GetCallStatisticsRequest) -> tuple[date, date]:
    wrong, found = [], []
    for field in ("start_date", "end_date"):
        said = getattr(request, field)
        try:
            found.append(date(said.year, said.month, said.day))
        except ValueError:
            wrong.append(Violation(field, f"{said.year}-{said.month}-{said.day} is no day"))
    if not wrong and not found[0] <= found[1] < found[0] + timedelta(days=MOST_DAYS):
        wrong.append(
            Violation("end_date", f"must be start_date or later, at most {MOST_DAYS} days in all")
        )
    if wrong:
        raise errors.ValuesInvalid(wrong)
    return found[0], found[1]


def _filter(request: pb.GetCallStatisticsRequest) -> str:
    asked = (("owner_id", request.user_id), ("department_id", request.department_id))
    return " AND ".join(f'{field} = "{id}"' for field, id in asked if id)


def _line(row: Any) -> pb.GetCallStatisticsResponse.Line:
    day = row["day"]
    figures = ("answered", "reached", "tried", "talk_seconds", "wrap_up_seconds", "sales")
    return pb.GetCallStatisticsResponse.Line(
        user_id=str(row["person"]),
        date=Date(year=day.year, month=day.month, day=day.day),
        **{name: int(row[name]) for name in figures},
    )
