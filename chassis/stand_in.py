"""Who stands in for somebody who is away: one rule for all services, over the directory; pure.

The way: his delegate (and the delegate's delegate, as long as they are away themselves) -> the deputy of his department -> its
head -> the heads above -> an administrator. Nobody is asked twice, so delegates that point at each other end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from chassis.hours.resolving import path_up
from chassis.tenant_view import TenantView

Entry = Mapping[str, Any]


def absence_at(user: Entry, moment: datetime) -> Entry | None:
    """The absence that the user's entry shows for this moment, with `id` and `delegate_id`; None if he is there."""
    at = moment.timestamp()
    for absence in user.get("absences") or ():
        if _lasts(absence.get("from"), absence.get("until"), at):
            found: Entry = absence
            return found
    since, until = user.get("away_from"), user.get("away_until")
    if (since is None and until is None) or not _lasts(since, until, at):
        return None
    # The absence itself is told a moment later than its beginning, or by a program that knows only these fields.
    return {"id": "", "from": since, "until": until, "delegate_id": ""}


def is_away(user: Entry, moment: datetime) -> bool:
    """True if the user is absent at this moment, whatever his working hours."""
    return absence_at(user, moment) is not None


def stand_in(
    people: TenantView, user_id: str, moment: datetime, *, absence: Entry | None = None
) -> str:
    """Who acts for the user at this moment: himself if he is not away; "" if nobody is there.

    `absence` is one of the user's that the directory does not tell yet.
    """
    for id in _asked(people, user_id, moment, absence):
        user = people.user(id) or {}
        away = is_away(user, moment) or (id == user_id and absence is not None)
        if user.get("state") == "active" and not away:
            return id
    return ""


@dataclass(frozen=True, slots=True)
class Cover:
    """Who stands in for whom: as the directory stands at `revision`, from `since` until `until` (epoch seconds)."""

    revision: int
    since: float
    until: float
    absent: Mapping[str, frozenset[str]]
    """Who stands in -> for whom; only for people who are away."""

    def holds(self, revision: int, moment: datetime) -> bool:
        """True if it is still so."""
        return self.revision == revision and self.since <= moment.timestamp() < self.until


def cover_at(people: TenantView, moment: datetime) -> Cover:
    """Who stands in for whom at this moment, and until when nobody goes or comes."""
    at, since, until = moment.timestamp(), float("-inf"), float("inf")
    absent: dict[str, set[str]] = {}
    for id, user in people.users().items():
        for edge in _edges(user):
            if edge <= at:
                since = max(since, edge)
            else:
                until = min(until, edge)
        if user.get("state") == "active" and is_away(user, moment):
            absent.setdefault(stand_in(people, id, moment), set()).add(id)
    absent.pop("", None)
    told = {id: frozenset(others) for id, others in absent.items()}
    return Cover(people.revision, since, until, told)


def _edges(user: Entry) -> Iterator[float]:
    """The moments at which the user goes or comes back."""
    for absence in user.get("absences") or ():
        yield from (m for m in (absence.get("from"), absence.get("until")) if m is not None)
    yield from (m for m in (user.get("away_from"), user.get("away_until")) if m is not None)


def _asked(
    people: TenantView, user_id: str, moment: datetime, absence: Entry | None
) -> Iterator[str]:
    """Everybody who may act, in turn, each once."""
    seen: set[str] = set()
    # One after the other: mostly the first is there, and nobody looks for the leaders.
    for id in chain(_delegates(people, user_id, moment, absence), _leaders(people, user_id)):
        if id and id not in seen:
            seen.add(id)
            yield id


def _delegates(
    people: TenantView, user_id: str, moment: datetime, absence: Entry | None
) -> Iterator[str]:
    seen: set[str] = set()
    while user_id and user_id not in seen:
        yield user_id
        seen.add(user_id)
        user = people.user(user_id) or {}
        lasts = absence or absence_at(user, moment) or {}
        user_id, absence = lasts.get("delegate_id") or user.get("delegate_id") or "", None


def _leaders(people: TenantView, user_id: str) -> Iterator[str]:
    home = (people.user(user_id) or {}).get("department_id") or ""
    for id in path_up(people, home):
        department = people.department(id) or {}
        if id == home:
            yield department.get("deputy_id") or ""
        yield department.get("head_id") or ""
    administrators = {
        id for id, role in people.entries("role").items() if role.get("built_in") == "administrator"
    }
    for id, user in sorted(people.users().items()):
        if id != user_id and not administrators.isdisjoint(user.get("role_ids") or ()):
            yield id


def _lasts(since: float | None, until: float | None, at: float) -> bool:
    return (since is None or since <= at) and (until is None or at < until)
