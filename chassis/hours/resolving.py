"""Whose hours count: what a person, the departments above him and the tenant say, the nearest word first.

The week, the zone and the country of public holidays are each taken from the nearest level that names one; special days
of all levels hold, and for one date the nearest level's.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chassis.hours.calculation import Calendar, Hours, SpecialDay, Stretch
from chassis.tenant_view import TenantView

Entry = Mapping[str, Any]

DAY_END = "23:59"
"""How the end of a day that lasts until midnight is written."""

_NOTHING_SAID = Calendar(ZoneInfo("UTC"))
# Per tenant: the directory's revision, and the hours found since it came.
_known: "WeakKeyDictionary[TenantView, tuple[int, dict[tuple[str, str], Hours]]]" = (
    WeakKeyDictionary()
)


def hours_of(people: TenantView, user_id: str) -> Hours:
    """The user's working hours; somebody for whom nobody said any works always. Computed once per directory revision.

    People with the same hours share one object. A user who is not known has the tenant's hours.
    """
    known = _remembered(people)
    found = known.get(("user", user_id))
    if found is None:
        user = people.user(user_id) or {}
        above = department_hours(people, user.get("department_id") or "")
        found = known["user", user_id] = _below(above, user, "user")
    return found


def department_hours(people: TenantView, department_id: str) -> Hours:
    """The hours of a department's people who say nothing of their own; the tenant's for an empty or unknown id."""
    known = _remembered(people)
    found = known.get(("department", department_id))
    if found is None:
        found = _tenant_hours(people, known)
        for id in reversed(path_up(people, department_id)):
            found = known.setdefault(
                ("department", id), _below(found, people.department(id) or {}, "department")
            )
        known["department", department_id] = found
    return found


def _tenant_hours(people: TenantView, known: dict[tuple[str, str], Hours]) -> Hours:
    tenant = people.tenant()
    above = Hours(replace(_NOTHING_SAID, language=tenant.get("language") or ""))
    return known.setdefault(("tenant", ""), _below(above, _with_country(tenant), "tenant"))


def path_up(people: TenantView, department_id: str) -> tuple[str, ...]:
    """The department and those above it, nearest first; empty for an unknown one. A cycle ends."""
    path: list[str] = []
    while department_id not in path and (found := people.department(department_id)) is not None:
        path.append(department_id)
        department_id = found.get("parent_id") or ""
    return tuple(path)


def overridden(above: Calendar, entry: Entry, of: str) -> Calendar:
    """The calendar as this level's entry changes it; `above` itself if the entry says nothing about hours."""
    changes: dict[str, Any] = {}
    if zone := _zone(entry.get("time_zone") or ""):
        changes["zone"] = zone
    if week := entry.get("working_hours"):
        changes |= {"week": _week(week), "week_of": of}
    if (free := entry.get("holidays")) is not None:
        country = "" if free.get("worked") else free.get("country") or above.country
        changes |= {
            "country": country,
            "subdivision": free.get("subdivision") or "",
            "holidays_of": of,
        }
    if special := entry.get("special_days"):
        changes["special_days"] = {**(above.special_days or {}), **_special_days(special, of)}
    return replace(above, **changes) if changes else above


def _below(above: Hours, entry: Entry, of: str) -> Hours:
    calendar = overridden(above.calendar, entry, of)
    return above if calendar is above.calendar else Hours(calendar)


def _with_country(tenant: Entry) -> Entry:
    """The tenant's entry, where the company's own country counts unless its hours name another."""
    free = tenant.get("holidays") or {}
    return {**tenant, "holidays": {"country": tenant.get("country") or "", **_said(free)}}


def _said(free: Entry) -> Entry:
    return {key: value for key, value in free.items() if value}


def _remembered(people: TenantView) -> dict[tuple[str, str], Hours]:
    revision, known = _known.get(people, (-1, {}))
    if revision != people.revision:
        known = {}
        _known[people] = (people.revision, known)
    return known


@cache  # as many as there are zones: a name that is none is not kept by ZoneInfo and looked for on the disk each time
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # a zone this machine does not know must not stop anybody's work: the level above counts


def _week(rows: Any) -> dict[int, tuple[Stretch, ...]]:
    week: dict[int, list[Stretch]] = {}
    for row in rows:
        week.setdefault(row["weekday"], []).append(_stretch(row))
    return {weekday: tuple(sorted(stretches)) for weekday, stretches in week.items()}


def _special_days(rows: Any, of: str) -> dict[date, SpecialDay]:
    return {
        date.fromisoformat(row["date"]): SpecialDay(
            tuple(sorted(map(_stretch, row.get("hours") or ()))), row.get("name") or "", of
        )
        for row in rows
    }


def _stretch(row: Entry) -> Stretch:
    return _minutes(row["start"]), 1440 if row["end"] == DAY_END else _minutes(row["end"])


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
