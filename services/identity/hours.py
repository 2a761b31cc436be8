"""What companies, departments and users may say about working hours, and how the directory holds it; pure."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from chassis.errors import Violation
from chassis.hours.free_days import known_countries
from crm.identity.v1 import department_pb2, tenant_pb2, user_pb2, working_hours_pb2

Spoken = tenant_pb2.Tenant | department_pb2.Department | user_pb2.User
"""The records that may say hours."""

FIELDS = ("time_zone", "working_hours", "holidays", "special_days")
"""The fields that decide hours, in each of these records."""

_REGIONS_NAMED = 20  # of a country's regions in a refusal; some have hundreds


def violations(new: Spoken) -> Iterable[Violation]:
    """Puts week and special days in order, in place, and yields what no calendar can be."""
    yield from _week(new)
    yield from _special_days(new)
    yield from _holidays(new)


def entry(message: Spoken) -> dict[str, Any]:
    """What the directory says of a record's hours; chassis.hours reads it."""
    free = message.holidays
    return {
        "working_hours": [
            {"weekday": h.weekday, "start": h.start, "end": h.end} for h in message.working_hours
        ],
        "holidays": {
            "country": free.country,
            "subdivision": free.subdivision,
            "worked": free.worked,
        }
        if message.HasField("holidays")
        else None,
        "special_days": [
            {
                "date": f"{d.date.year:04}-{d.date.month:02}-{d.date.day:02}",
                "name": d.name,
                "hours": [{"start": h.start, "end": h.end} for h in d.hours],
            }
            for d in message.special_days
        ],
    }


def _week(new: Spoken) -> Iterable[Violation]:
    stretches = sorted(new.working_hours, key=lambda h: (h.weekday, h.start))
    for weekday in range(1, 8):
        day = [h for h in stretches if h.weekday == weekday]
        yield from _overlaps("working_hours", f"day {weekday}", day)
    copies = [
        working_hours_pb2.WorkingHours(weekday=h.weekday, start=h.start, end=h.end)
        for h in stretches
    ]
    del new.working_hours[:]
    new.working_hours.extend(copies)


def _special_days(new: Spoken) -> Iterable[Violation]:
    seen: set[tuple[int, int, int]] = set()
    for index, day in enumerate(new.special_days):
        field = f"special_days[{index}]"
        key = (day.date.year, day.date.month, day.date.day)
        try:
            date(*key)
        except ValueError:
            yield Violation(
                f"{field}.date", f"{key[0]}-{key[1]}-{key[2]} is no date; give year, month and day"
            )
        if key in seen:
            yield Violation(f"{field}.date", "is there twice; say all its hours in one")
        seen.add(key)
        day.name = " ".join(day.name.split())
        yield from _overlaps(f"{field}.hours", "the day", sorted(day.hours, key=lambda h: h.start))
    copies = [
        working_hours_pb2.SpecialDay.FromString(d.SerializeToString()) for d in new.special_days
    ]
    copies.sort(key=lambda d: (d.date.year, d.date.month, d.date.day))
    del new.special_days[:]
    new.special_days.extend(copies)


def _overlaps(field: str, what: str, stretches: Iterable[Any]) -> Iterable[Violation]:
    before = None
    for hours in stretches:
        if hours.end <= hours.start:
            yield Violation(field, f"{what}: {hours.end} is not after {hours.start}")
        if before is not None and before.end > hours.start:
            yield Violation(field, f"{what}: {before.end} and {hours.start} overlap")
        before = hours


def _holidays(new: Spoken) -> Iterable[Violation]:
    free = new.holidays
    if free.subdivision and not free.country:
        yield Violation("holidays.country", "must be set, because subdivision is")
        return
    if not free.country:
        return
    regions = known_countries().get(free.country)
    if regions is None:
        yield Violation(
            "holidays.country",
            f"no public holidays are known for {free.country}; leave it empty and use special_days",
        )
    elif free.subdivision and free.subdivision not in regions:
        named = ", ".join(regions[:_REGIONS_NAMED]) or "none"
        yield Violation(
            "holidays.subdivision",
            f"{free.country} has no region {free.subdivision}; it has {named}",
        )
