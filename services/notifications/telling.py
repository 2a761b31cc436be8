"""From an event to notices: which rules listen, whom they mean, who may read it, and by which ways each is told.

Everything is written in the transaction that notes the event as heard: an event that comes twice, or to a process that is
killed half-way, makes each notice once. What goes out of the house waits in `deliveries` for delivering.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.rights import Rights
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.notifications.v1 import notice_pb2, notice_rule_pb2
from services.notifications import reading, store, ways
from services.notifications.rules import happenings, preferences, recipients
from services.notifications.rules.happenings import Happening
from services.notifications.rules.recipients import Told

Notice = notice_pb2.Notice
NoticeItem = notice_pb2.NoticeItem
NoticeRule = notice_rule_pb2.NoticeRule

FEATURE = "notices"
DIGEST = "digest"
"""The code of a notice that tells of several, and the kind of the timer that makes it."""

OLDEST_S = 24 * 3600.0
"""What happened longer ago is told to nobody: a service that begins to listen reads a month of events."""

MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class _Reader:
    """One recipient with what he may see."""

    told: Told
    rights: Rights
    may_read: bool

    def hides(self, happening: Happening) -> frozenset[str]:
        return self.rights.hidden(happening.object)

    def headline(self, happening: Happening) -> str:
        hidden = happenings.is_hidden(happening.headline_field, self.hides(happening))
        return "" if hidden or not self.may_read else happening.headline


async def tell(tx: Tx, happening: Happening) -> None:
    """Writes the notices of an event that is news, and finishes those that it has made needless."""
    if FEATURE in tx.directory.features_off():
        return
    if not happenings.is_news(happening, tx.now, OLDEST_S):
        return
    for rule in await store.listening(tx, happening.type):
        if happening.type in rule.done_event_types:
            await _finish(tx, rule, happening)
        if happening.type not in rule.event_types:
            continue
        if not happenings.has_changed(happening, rule.changed_fields):
            continue
        if rule.unless and happenings.has_value(happening, rule.unless):
            continue
        meant = recipients.recipients(rule, happening, tx.directory, tx.now)
        for reader in await _readers(tx, happening, meant):
            await _tell_one(tx, rule, happening, reader)


async def _finish(tx: Tx, rule: NoticeRule, happening: Happening) -> None:
    """What the record's notices asked for is done: they leave the feeds, and what still waits to be told is not."""
    await store.notices.forget_gathered_of(tx, rule.id, happening.object_id)
    for notice in await store.notices.undone(tx, rule.id, happening.object_id):
        for field in ("done_time", "read_time"):
            if not notice.HasField(field):  # type: ignore[arg-type]
                getattr(notice, field).CopyFrom(to_timestamp(tx.now))
        store.notices.notices.save(tx, notice)


async def _readers(tx: Tx, happening: Happening, meant: Sequence[Told]) -> list[_Reader]:
    """Those who may read the record now. Whom the event itself names to be told learns that it is so, without its text."""
    guard = happening.guard
    if guard is None and meant and happening.object_id:
        guards = await store.guards.of(tx, [happening.object_id])
        guard = guards.get((happening.object, happening.object_id))
    found = []
    for told in meant:
        rights = reading.rights_of(tx, told.user_id)
        may_read = reading.may_read(rights, happening.object, guard)
        named = told.because in (notice_rule_pb2.RECIPIENT_TOLD, notice_rule_pb2.RECIPIENT_SUBJECT)
        if may_read or named:
            found.append(_Reader(told, rights, may_read))
    return found


async def _tell_one(tx: Tx, rule: NoticeRule, happening: Happening, reader: _Reader) -> None:
    user_id = reader.told.user_id
    wanted = await store.preferences_of(tx, user_id)
    wish = preferences.wish(wanted, rule, reader.told.ways, ways.connected())
    if wish.muted:
        return
    if wish.digest != preferences.AT_ONCE:
        zone = preferences.zone_of(wanted, _zone(tx, user_id))
        due = preferences.digest_time(wanted, zone, tx.now, wish.digest)
        item = NoticeItem(
            code=rule.key, event_id=happening.id, event_time=to_timestamp(happening.time),
            object=happening.object, object_id=happening.object_id,
            headline=reader.headline(happening), headline_field=happening.headline_field,
        )  # fmt: skip
        await store.notices.gather(
            tx,
            user_id,
            wish.digest,
            rule.id,
            item,
            happening.contact_ids,
            push=ways.PUSH in wish.ways,
        )
        payload = {"owner_id": user_id, "digest": int(wish.digest)}
        await tx.set_timer(DIGEST, f"{user_id}/{wish.digest}", due, payload)
        return
    if rule.collapse_seconds and await _counted(tx, rule, happening, reader):
        return
    notice = _notice(rule, happening, reader)
    notice.ways.extend(wish.ways)
    await send(tx, notice)


async def _counted(tx: Tx, rule: NoticeRule, happening: Happening, reader: _Reader) -> bool:
    """True if the event only counts on an unread notice of a moment ago, which then says what holds now."""
    user_id = reader.told.user_id
    await tx.lock(
        f"notice/{user_id}/{rule.id}/{happening.object_id}"
    )  # two changes at once: one notice
    since = tx.now - timedelta(seconds=rule.collapse_seconds)
    notice = await store.notices.unread_alike(tx, user_id, rule.id, happening.object_id, since)
    if notice is None:
        return False
    fresh = _notice(rule, happening, reader)
    changed = list(dict.fromkeys([*notice.changed_fields, *fresh.changed_fields]))
    for field in ("event_id", "headline", "actor_id"):
        setattr(notice, field, getattr(fresh, field))
    notice.event_time.CopyFrom(fresh.event_time)
    notice.arguments.clear()
    notice.arguments.update(fresh.arguments)
    del notice.changed_fields[:]
    notice.changed_fields.extend(changed)
    notice.count += 1
    store.notices.notices.save(tx, notice)
    return True


def _notice(rule: NoticeRule, happening: Happening, reader: _Reader) -> Notice:
    hidden = reader.hides(happening)
    said = happenings.arguments(happening, rule.arguments, hidden)
    if not reader.may_read:  # what the event says of itself stays, what it says of the record goes
        said = {
            path: text
            for path, text in said.items()
            if not happenings.leads_into_record(happening.type, path)
        }
    changed = [
        path for path in happening.change.changed_fields if not happenings.is_hidden(path, hidden)
    ]
    return Notice(
        owner_id=reader.told.user_id, code=rule.key, rule_id=rule.id, event_type=happening.type,
        event_id=happening.id, event_time=to_timestamp(happening.time),
        object=happening.object, object_id=happening.object_id,
        headline=reader.headline(happening), headline_field=happening.headline_field,
        contact_ids=happening.contact_ids, company_ids=happening.company_ids,
        actor_id=happening.actor_id, changed_fields=changed if reader.may_read else [],
        arguments=said, because=reader.told.because, instead_of_id=reader.told.instead_of_id,
        urgent=rule.urgent, count=1,
    )  # fmt: skip


async def send(tx: Tx, notice: Notice) -> None:
    """Writes the notice into the feed and puts it into the queues of its other ways."""
    notice.id = notice.id or tx.new_id()
    store.notices.notices.save(tx, notice)
    for way in notice.ways:
        if way == ways.FEED:
            continue
        due = await _push_time(tx, notice)
        await store.deliveries.add(tx, notice.id, way, notice.owner_id, due)


async def _push_time(tx: Tx, notice: Notice) -> datetime:
    wanted = await store.preferences_of(tx, notice.owner_id)
    zone = preferences.zone_of(wanted, _zone(tx, notice.owner_id))
    return preferences.push_time(wanted, zone, tx.now, urgent=notice.urgent)


def _zone(tx: Tx, user_id: str) -> str:
    user = tx.directory.user(user_id) or {}
    return str(user.get("time_zone") or tx.directory.tenant().get("time_zone") or "")


async def tell_gathered(tx: Tx, owner_id: str, digest: int) -> None:
    """Makes one notice of what was gathered for somebody since his last digest."""
    rows = await store.notices.take_gathered(tx, owner_id, digest)
    if not rows or not recipients.is_active(tx.directory, owner_id):
        return
    items = [NoticeItem.FromString(row["item"]) for row in rows]
    contact_ids = dict.fromkeys(str(id) for row in rows for id in row["contact_ids"])
    told = [ways.FEED, *([ways.PUSH] if any(row["push"] for row in rows) else [])]
    await send(
        tx,
        Notice(
            owner_id=owner_id, code=DIGEST, event_time=to_timestamp(tx.now), count=len(items),
            items=items[:MOST_ITEMS], contact_ids=list(contact_ids), because=notice_rule_pb2.RECIPIENT_SUBJECT,
            ways=[way for way in told if way in ways.connected()],
        ),
    )  # fmt: skip
