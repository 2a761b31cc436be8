"""Mornings: at seven by his own clock each person who works today is told what the day holds (S50).

One timer a company, set to the next seven o'clock of any of its zones. Whose morning was told is a row each, so that nobody is
told twice a day, whatever is killed or moved to another zone. Who is away, or does not work that day, is told nothing.
"""

from datetime import date, datetime, timedelta
from typing import Any

from chassis.handlers import timer
from chassis.hours import hours_of
from chassis.stand_in import is_away
from chassis.tx import Tx
from crm.tasks.v1 import day_events_pb2 as events
from services.tasks import day, people, store
from services.tasks.rules import day as rules

_MORNING = "day-morning"
_EVERYBODY = "all"
_SETTLES = timedelta(seconds=1)
"""An event and what the directory says of it come by different ways: this late both are there."""
AT_ONCE = 50
"""People whose days are counted in one transaction."""


async def plan_again(tx: Tx) -> None:
    """Looks at everybody's morning, shortly; asked for often, it is done once."""
    await tx.set_timer(_MORNING, _EVERYBODY, tx.now + _SETTLES)


@timer(_MORNING)
async def morning(payload: dict[str, Any], tx: Tx) -> None:
    """Tells those whose morning has come, so many at once; then waits for the next morning."""
    told = await store.day.told_mornings(tx)
    due = [
        (id, today, at)
        for id, today, at in _mornings(tx)
        if told.get(id, date.min) < today and (at <= tx.now or id not in told)
    ]
    for id, today, at in due[:AT_ONCE]:
        await _begin(tx, id, today, at, is_new=id not in told)
    following = tx.now if len(due) > AT_ONCE else _next(tx)
    if following is not None:
        await tx.set_timer(_MORNING, _EVERYBODY, following)


def _mornings(tx: Tx) -> list[tuple[str, date, datetime]]:
    """(user, his date, his morning) of all who work here, in the order of their ids."""
    found = []
    for id in sorted(tx.directory.users()):
        if people.is_active(tx, id):
            today = rules.Today.of(id, people.zone_of(tx, id), tx.now)
            found.append((id, today.day, today.morning))
    return found


async def _begin(tx: Tx, id: str, today: date, at: datetime, *, is_new: bool) -> None:
    """Tells the person's morning, once. Somebody who is new begins with the next one."""
    is_early = at > tx.now
    await store.day.note_morning(tx, id, today - timedelta(days=1) if is_early else today)
    late = tx.now - at
    if is_new or is_early or late > rules.LATEST_ANNOUNCEMENT or not _works(tx, id, today):
        return
    plan = await day.plan(tx, id)
    tx.emit(
        events.DayPlanned(
            user_id=id, date=rules.dated(today), line_count=len(plan.lines), counts=rules.counts(plan.lines),
            late_seconds=int(late.total_seconds()),
        )
    )  # fmt: skip


def _works(tx: Tx, id: str, today: date) -> bool:
    user = tx.directory.user(id) or {}
    return not is_away(user, tx.now) and bool(hours_of(tx.directory, id).day(today).spans)


def _next(tx: Tx) -> datetime | None:
    """The next seven o'clock of anybody; None where nobody works."""
    zones = {people.zone_of(tx, id) for id in tx.directory.users() if people.is_active(tx, id)}
    return min((rules.next_morning(tx.now, zone) for zone in zones), default=None)
