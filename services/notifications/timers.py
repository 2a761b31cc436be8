"""What happens by itself after a while: digests, the evening before a visit, and the end of old notices."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from crm.notifications.v1 import notice_events_pb2 as events
from crm.notifications.v1 import notice_pb2
from services.notifications import store, telling
from services.notifications.rules import visits as rules

Notice = notice_pb2.Notice

KEPT_DAYS = 90
_CLEAN, _SNOOZED = "clean-notices", "snooze-over"
_AT_ONCE = 1000  # notices in one transaction
_NIGHT = time(3, 0)  # UTC; the batches are small, so it does not matter where it is night then


@timer(telling.DIGEST)
async def digest(payload: dict[str, Any], tx: Tx) -> None:
    """One notice of what was gathered."""
    await telling.tell_gathered(tx, payload["owner_id"], payload["digest"])


@timer(rules.EVE)
async def visit_tomorrow(payload: dict[str, Any], tx: Tx) -> None:
    """Tells of the visit by an event, which the rules hear like any other."""
    task = await store.visits.find(tx, payload["task_id"])
    if task is not None:
        tx.emit(events.VisitTomorrow(task=task))


async def wake_at(tx: Tx, notice: Notice, until: datetime) -> None:
    """A snoozed notice comes back by itself at this moment."""
    await tx.set_timer(_SNOOZED, notice.id, until, {"notice_id": notice.id})


@timer(_SNOOZED)
async def snooze_over(payload: dict[str, Any], tx: Tx) -> None:
    """The notice is in the feed again; NoticeUpdated shows it live."""
    notice = await store.notices.notices.find(tx, payload["notice_id"])
    if notice is not None and notice.HasField("snooze_time"):
        notice.ClearField("snooze_time")
        store.notices.notices.save(tx, notice)


async def plan_cleaning(tx: Tx) -> None:
    """Cleaning happens tonight, and then every night."""
    day = tx.now.date() + timedelta(days=1 if tx.now.time() >= _NIGHT else 0)
    await tx.set_timer(_CLEAN, "", datetime.combine(day, _NIGHT, UTC))


@timer(_CLEAN)
async def clean(payload: dict[str, Any], tx: Tx) -> None:
    """Notices go after 90 days, with their versions and receipts, so many in one transaction."""
    old = await store.notices.older_than(tx, tx.now - timedelta(days=KEPT_DAYS), _AT_ONCE)
    await store.deliveries.forget(tx, old)
    await store.notices.remove(tx, old)
    if len(old) == _AT_ONCE:
        await tx.set_timer(_CLEAN, "", tx.now)
    else:
        await plan_cleaning(tx)
