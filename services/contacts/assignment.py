"""Who gets a request: one of the users present, each in turn or by the fewest open requests (U25).

Present means: active, not absent, inside the own working hours on the own clock. Pure functions over the directory's
entries of users; who was last and how many requests are open come in as arguments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chassis.hours import Hours
from chassis.stand_in import is_away
from crm.contacts.v1 import form_pb2

User = Mapping[str, Any]
HoursOf = Callable[[str], Hours]
"""A user's working hours by the user's id."""


def choose(
    rule: "form_pb2.Assignment.Rule",
    users: Mapping[str, User],
    *,
    at: datetime,
    hours_of: HoursOf,
    last_id: str,
    open_counts: Mapping[str, int],
) -> str | None:
    """The user whom the rule chooses at this moment, or None if the rule is none or nobody present has room.

    `last_id` is who was chosen last time (empty at first). Ties of fewest open go round as well, so that equals share the work.
    """
    if rule == form_pb2.Assignment.RULE_UNSPECIFIED:
        return None
    free = [
        id
        for id in sorted(users)
        if present(users[id], at, hours_of(id)) and _has_room(users[id], open_counts.get(id, 0))
    ]
    if rule == form_pb2.Assignment.RULE_FEWEST_OPEN and free:
        fewest = min(open_counts.get(id, 0) for id in free)
        free = [id for id in free if open_counts.get(id, 0) == fewest]
    return next_after(last_id, free)


def present(user: User, at: datetime, hours: Hours) -> bool:
    """True if the user is active, not absent and at work at this moment."""
    return user.get("state") == "active" and not is_away(user, at) and hours.is_open(at)


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


def _has_room(user: User, open_count: int) -> bool:
    capacity = user.get("capacity") or 0
    return capacity == 0 or open_count < capacity
