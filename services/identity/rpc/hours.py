"""When a user works: the period's days with their reasons, and deadlines in working time."""

from datetime import date, timedelta
from typing import Any

from google.type import date_pb2

from chassis.errors import Violation
from chassis.handlers import Servicer, reads
from chassis.hours import Because, Day, Hours, hours_of
from chassis.kit import showing
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import working_hours_pb2 as pb
from services.identity import errors, hours, store

_MOST_DAYS = 92
_WEEK_DAYS = 7
_MOST_HOURS = 10_000
_YEARS = range(1970, 2200)  # what zones and holidays are known for

_REASONS = {
    Because.ALWAYS: pb.WORKING_DAY_REASON_ALWAYS,
    Because.WEEK: pb.WORKING_DAY_REASON_WEEK,
    Because.HOLIDAY: pb.WORKING_DAY_REASON_HOLIDAY,
    Because.SPECIAL_DAY: pb.WORKING_DAY_REASON_SPECIAL_DAY,
}
_LEVELS = {
    "tenant": pb.WORKING_DAY_LEVEL_COMPANY,
    "department": pb.WORKING_DAY_LEVEL_DEPARTMENT,
    "user": pb.WORKING_DAY_LEVEL_USER,
}


class WorkingTime(Servicer):
    """`/v1/users/{id}/workingHours` and `:addWorkingTime`."""

    service = "crm.identity.v1.WorkingHoursService"

    @reads
    async def GetUserWorkingHours(
        self, request: pb.GetUserWorkingHoursRequest, tx: Tx
    ) -> pb.UserWorkingHours:
        found = await _hours(tx, request.id)
        zone = found.calendar.zone
        first = _date("from_date", request.from_date) or tx.now.astimezone(zone).date()
        last = _date("to_date", request.to_date) or first + timedelta(_WEEK_DAYS - 1)
        if not first <= last < first + timedelta(_MOST_DAYS):
            raise errors.ValueInvalid(
                [Violation("to_date", f"must be {first} or up to {_MOST_DAYS - 1} days later")]
            )
        days = [found.day(first + timedelta(n)) for n in range((last - first).days + 1)]
        return pb.UserWorkingHours(
            time_zone=zone.key, always=found.always, days=[_shown(day) for day in days]
        )

    @reads
    async def AddWorkingTime(
        self, request: pb.AddWorkingTimeRequest, tx: Tx
    ) -> pb.AddWorkingTimeResponse:
        found = await _hours(tx, request.id)
        duration = request.duration.ToTimedelta()
        if not timedelta() <= duration <= timedelta(hours=_MOST_HOURS):
            raise errors.ValueInvalid(
                [Violation("duration", f"must be 0s to {_MOST_HOURS * 3600}s")]
            )
        start = to_datetime(request.start_time) if request.HasField("start_time") else tx.now
        if start.year not in _YEARS:
            raise errors.ValueInvalid([_outside("start_time")])
        end, first = found.add(start, duration), found.next_open(start)
        if end is None or first is None:
            raise errors.WorkingTimeNever(duration.total_seconds() / 3600)
        return pb.AddWorkingTimeResponse(end_time=to_timestamp(end), first_time=to_timestamp(first))


async def _hours(tx: Tx, user_id: str) -> Hours:
    """The user's hours, if the caller may read him and everything of which they are made."""
    user = await store.users.get(tx, user_id)
    for resource in (store.users, store.departments, store.tenants):
        if tx.rights.may(resource.object, "read"):
            showing.refuse_hidden(tx, resource, _fields(resource))
    showing.refuse_unreadable(tx, store.users, hours.FIELDS)
    return hours_of(tx.directory, user.id)


def _fields(resource: Any) -> list[str]:
    return [f for f in hours.FIELDS if f in resource.message.DESCRIPTOR.fields_by_name]


def _date(field: str, text: str) -> date | None:
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        raise errors.ValueInvalid([Violation(field, f"{text} is no date")]) from None
    if found is not None and found.year not in _YEARS:
        raise errors.ValueInvalid([_outside(field)])
    return found


def _outside(field: str) -> Violation:
    return Violation(field, f"must be in the years {_YEARS.start} to {_YEARS.stop - 1}")


def _shown(day: Day) -> pb.WorkingDay:
    return pb.WorkingDay(
        date=date_pb2.Date(year=day.date.year, month=day.date.month, day=day.date.day),
        spans=[
            pb.WorkingSpan(start_time=to_timestamp(start), end_time=to_timestamp(end))
            for start, end in day.spans
        ],
        reason=_REASONS[day.because],
        level=_LEVELS.get(day.of, pb.WORKING_DAY_LEVEL_UNSPECIFIED),
        name=day.name,
    )
