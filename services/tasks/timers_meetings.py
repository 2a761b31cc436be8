"""Reminders of meetings: one timer a meeting, set to its next reminder."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from chassis.handlers import timer
from chassis.timers import LATE_BY
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import meeting_events_pb2 as events
from crm.tasks.v1 import meeting_pb2
from services.tasks import store
from services.tasks.rules import occurrences
from services.tasks.rules.occurrences import Occurrence

Meeting = meeting_pb2.Meeting

_REMIND = "meeting-reminder"
Reminder = tuple[datetime, Occurrence, int]
"""When to remind, of which time of the meeting, and how many minutes before its start that is."""


async def follow(tx: Tx, meeting: Meeting) -> None:
    """Sets the timer to the next reminder, or removes it; called whenever a meeting was saved, deleted or brought back."""
    lives = not meeting.HasField("delete_time") and tx.cause.kind != "import"
    await _set(tx, meeting, after=tx.now, lives=lives)


@timer(_REMIND)
async def remind(payload: dict[str, Any], tx: Tx) -> None:
    """Tells what is due at this moment, late ones too unless the meeting is over, and waits for the next."""
    meeting = await store.meetings.find(tx, payload["meeting_id"])
    if meeting is None:
        return
    at = datetime.fromisoformat(payload["at"])
    for moment, occurrence, minutes in reminders(meeting):
        if moment == at and occurrence.end > tx.now:
            tx.emit(
                events.MeetingReminded(
                    meeting=meeting, original_time=to_timestamp(occurrence.original),
                    start_time=to_timestamp(occurrence.start), minutes_before=minutes,
                    late_by_s=int(payload[LATE_BY]),
                )
            )  # fmt: skip
    await _set(tx, meeting, after=at, lives=True)


def reminders(meeting: Meeting) -> Iterator[Reminder]:
    """Every reminder of every time the meeting takes place."""
    for occurrence in occurrences.of(meeting):
        for each in meeting.reminders:
            before = timedelta(minutes=each.minutes_before)
            yield occurrence.start - before, occurrence, each.minutes_before


async def _set(tx: Tx, meeting: Meeting, *, after: datetime, lives: bool) -> None:
    found = (moment for moment, _, _ in reminders(meeting) if moment > after) if lives else ()
    at = min(found, default=None)
    if at is None:
        await tx.cancel_timer(_REMIND, meeting.id)
        return
    payload = {"meeting_id": meeting.id, "at": at.isoformat()}
    await tx.set_timer(_REMIND, meeting.id, at, payload)
