"""Who gets a request: one of the users present, each in turn or by the fewest open requests (U25).

Present means: active, not absent, inside the own working hours on the own clock. Pure functions over the directory's
entries of users; who was last and how many requests are open come in as arguments.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm.contacts.v1 import form_pb2

User = Mapping[str, Any]

_DAY_END = "23:59"  # how a day that ends at midnight is written


def choose(
    rule: "form_pb2.Assignment.Rule",
    users: Mapping[str, User],
    *,
    at: datetime,
    zone: str,
    last_id: str,
    open_counts: Mapping[str, int],
) -> str | None:
    """The user whom the rule chooses at this moment, or None if the rule is none or nobody present has room.

    `zone` is the clock of users without a zone of their own; `last_id` is who was chosen last time (empty at first).
    Ties of fewest open go round as well, so that equals share the work.
    """
    if rule == form_pb2.Assignment.RULE_UNSPECIFIED:
        return None
    free = [
        id
        for id in sorted(users)
        if present(users[id], at, zone) and _has_room(users[id], open_counts.get(id, 0))
    ]
    if rule == form_pb2.Assignment.RULE_FEWEST_OPEN and free:
        fewest = min(open_counts.get(id, 0) for id in free)
        free = [id for id in free if open_counts.get(id, 0) == fewest]
    return next_after(last_id, free)


def present(user: User, at: datetime, zone: str) -> bool:
    """True if the user is active, not absent and at work at this moment."""
    return user.get("state") == "active" and not _is_away(user, at) and _works(user, at, zone)


def next_after(last_id: str, ids: Sequence[str]) -> str | None:
    """The first of the sorted `ids` behind `last_id`, which need not be among them; the first of all after the last."""
    return next((id for id in ids if id > last_id), ids[0] if ids else None)


def members(users: Iterable[tuple[str, User]], department_id: str) -> dict[str, User]:
    """The users of one department by id."""
    return {
        id: user
        for id, user in users
        if department_id and user.get("department_id") == department_id
    }


def _is_away(user: User, at: datetime) -> bool:
    since, until = user.get("away_from"), user.get("away_until")
    moment = at.timestamp()
    if since is None and until is None:
        return False
    return (since is None or since <= moment) and (until is None or moment < until)


def _works(user: User, at: datetime, zone: str) -> bool:
    hours = user.get("working_hours") or ()
    if not hours:
        return True
    local = at.astimezone(_zone(user.get("time_zone") or zone))
    return any(
        stretch["weekday"] == local.isoweekday()
        and _inside(local.time(), stretch["start"], stretch["end"])
        for stretch in hours
    )


def _inside(moment: time, start: str, end: str) -> bool:
    return time.fromisoformat(start) <= moment and (
        end == _DAY_END or moment < time.fromisoformat(end)
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")  # a zone this machine does not know must not stop the intake


def _has_room(user: User, open_count: int) -> bool:
    capacity = user.get("capacity") or 0
    return capacity == 0 or open_count < capacity
