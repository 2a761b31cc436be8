"""`/v1/me/notices` and `/v1/notices`: a person's own feed; nobody reads another's, whatever his rights."""

from datetime import UTC, datetime, timedelta

from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.notifications.v1 import notice_pb2 as pb
from services.notifications import errors, reading, store, timers
from services.notifications.rules import happenings

PAGE = 50
MOST_READ = 500  # in one call of readAll, as the store's statement takes them
LONGEST_SNOOZE_DAYS = 30
_END = datetime(9999, 1, 1, tzinfo=UTC)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

Place = tuple[datetime, str]


class Notices(Servicer):
    """The feed and what its owner does with it."""

    @reads
    async def ListFeed(self, request: pb.ListFeedRequest, tx: Tx) -> pb.ListFeedResponse:
        size = request.page_size or PAGE
        identity = f"{tx.tenant}|feed|{tx.actor.user_id}|{request.unread}|{request.all}"
        before = (
            _place(tx, request.page_token, identity) if request.page_token else (_END, _LAST_ID)
        )
        found = await store.notices.page(
            tx, tx.actor.user_id, unread=request.unread, whole=request.all, before=before, many=size + 1
        )  # fmt: skip
        token = ""
        if len(found) > size:
            last = found[size - 1]
            token = tx.runtime.page_tokens.make(
                [to_datetime(last.create_time), last.id], True, identity
            )
        return pb.ListFeedResponse(
            notices=await _shown(tx, found[:size]), next_page_token=token,
            unread_count=await store.notices.unread_count(tx, tx.actor.user_id),
        )  # fmt: skip

    @reads
    async def GetNotice(self, request: pb.GetNoticeRequest, tx: Tx) -> pb.Notice:
        fields = showing.checked_fields(tx, store.notices.notices, request.fields.paths)
        (notice,) = await _shown(tx, [await _mine(tx, request.id)])
        return showing.limited(tx, store.notices.notices, notice, fields)

    @writes
    async def ReadNotice(self, request: pb.ReadNoticeRequest, tx: Tx) -> pb.Notice:
        notice = await _mine(tx, request.id)
        if request.unread:
            notice.ClearField("read_time")
        elif not notice.HasField("read_time"):
            notice.read_time.CopyFrom(to_timestamp(tx.now))
        return await _saved(tx, notice)

    @writes
    async def ReadAllNotices(
        self, request: pb.ReadAllNoticesRequest, tx: Tx
    ) -> pb.ReadAllNoticesResponse:
        until = to_datetime(request.until_time) if request.HasField("until_time") else tx.now
        found = await store.notices.unread_until(tx, tx.actor.user_id, until)
        for notice in found:
            notice.read_time.CopyFrom(to_timestamp(tx.now))
            store.notices.notices.save(tx, notice)
        return pb.ReadAllNoticesResponse(read_count=len(found), more=len(found) == MOST_READ)

    @writes
    async def SnoozeNotice(self, request: pb.SnoozeNoticeRequest, tx: Tx) -> pb.Notice:
        notice = await _mine(tx, request.id)
        until = to_datetime(request.until_time)
        if not tx.now < until <= tx.now + timedelta(days=LONGEST_SNOOZE_DAYS):
            raise errors.SnoozeInvalid(until, tx.now, LONGEST_SNOOZE_DAYS)
        notice.snooze_time.CopyFrom(request.until_time)
        notice.ClearField("read_time")
        await timers.wake_at(tx, notice, until)
        return await _saved(tx, notice)

    @writes
    async def FinishNotice(self, request: pb.FinishNoticeRequest, tx: Tx) -> pb.Notice:
        notice = await _mine(tx, request.id)
        for field in ("done_time", "read_time"):
            if not notice.HasField(field):  # type: ignore[arg-type]
                getattr(notice, field).CopyFrom(to_timestamp(tx.now))
        return await _saved(tx, notice)


async def _mine(tx: Tx, id: str) -> pb.Notice:
    """NotFound for another's, as for one that is not there."""
    notice = await store.notices.notices.get(tx, id)
    if notice.owner_id != tx.actor.user_id:
        raise store.notices.notices.not_found(id)
    return notice


async def _saved(tx: Tx, notice: pb.Notice) -> pb.Notice:
    store.notices.notices.save(tx, notice)
    (shown,) = await _shown(tx, [notice])
    return shown


async def _shown(tx: Tx, notices: list[pb.Notice]) -> list[pb.Notice]:
    """As the reader may see them now: what he has lost sight of, or what his roles hide since, is not told."""
    records = [(one.object, one.object_id) for one in notices]
    records += [(item.object, item.object_id) for one in notices for item in one.items]
    readable = await reading.readable(tx, tx.rights, records)
    shown = []
    for notice in notices:
        copy = pb.Notice()
        copy.CopyFrom(notice)
        for part in (copy, *copy.items):
            hidden = happenings.is_hidden(part.headline_field, tx.rights.hidden(part.object))
            if hidden or (part.object, part.object_id) not in readable:
                part.ClearField("headline")
        if notice.object and (notice.object, notice.object_id) not in readable:
            _hide_values(copy)
        shown.append(copy)
    return shown


def _hide_values(notice: pb.Notice) -> None:
    """Leaves what the event said of itself (minutes, counts) and takes what it said of the record."""
    for path in list(notice.arguments):
        if happenings.leads_into_record(notice.event_type, path):
            del notice.arguments[path]
    del notice.changed_fields[:]


def _place(tx: Tx, token: str, identity: str) -> Place:
    time, id = tx.runtime.page_tokens.read(token, shape=identity).values
    assert isinstance(time, datetime)
    return time, str(id)
