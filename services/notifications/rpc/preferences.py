"""`/v1/me/noticePreferences`: one record a person, there once he has changed something."""

from chassis import codec
from chassis.handlers import Servicer, reads, writes
from chassis.kit import late, showing
from chassis.kit.standard import checked_mask, refuse_unwritable
from chassis.tx import Tx
from crm.notifications.v1 import notice_events_pb2 as events
from crm.notifications.v1 import notice_preferences_pb2 as pb
from services.notifications import errors, store
from services.notifications.rules import preferences as rules


class Preferences(Servicer):
    """How the caller wants to be told."""

    @reads
    async def GetNoticePreferences(
        self, request: pb.GetNoticePreferencesRequest, tx: Tx
    ) -> pb.NoticePreferences:
        fields = showing.checked_fields(tx, store.preferences, request.fields.paths)
        found = await store.preferences_of(tx, tx.actor.user_id)
        return showing.limited(tx, store.preferences, found, fields)

    @writes
    async def UpdateNoticePreferences(
        self, request: pb.UpdateNoticePreferencesRequest, tx: Tx
    ) -> pb.NoticePreferences:
        sent = request.notice_preferences
        mask = checked_mask(store.preferences, request.update_mask.paths)
        refuse_unwritable(tx, store.preferences, mask)
        await tx.lock(
            f"preferences/{tx.actor.user_id}"
        )  # two first changes would both make the record
        old = await store.preferences_of(tx, tx.actor.user_id)
        if request.etag and request.etag != old.etag:
            await late.check(tx, store.preferences, old, sent, mask, request.etag)
        new = pb.NoticePreferences()
        new.CopyFrom(old)
        codec.merge(new, sent, mask)
        rules.check(new)
        await _refer(tx, new, old)
        store.preferences.save(tx, new)
        tx.emit(events.NoticePreferencesUpdated(notice_preferences=new))
        return new


async def _refer(tx: Tx, new: pb.NoticePreferences, old: pb.NoticePreferences) -> None:
    """Rules that are gone since do not block other changes."""
    before = {each.rule_id for each in old.rules}
    added = [each.rule_id for each in new.rules if each.rule_id not in before]
    known = {rule.id for rule in await store.notice_rules.find_many(tx, added)}
    missing = [("rules", f"notice rule {id}") for id in added if id not in known]
    if missing:
        raise errors.ReferenceUnknown(missing)
