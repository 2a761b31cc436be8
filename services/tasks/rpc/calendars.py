"""A person's secret link to his calendar, and the calendar behind it."""

import asyncio
import hashlib
from datetime import timedelta

from chassis import keys
from chassis.errors import NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.runtime import Runtime
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import calendar_pb2 as pb
from crm.tasks.v1 import meeting_pb2, task_pb2
from services.tasks import calendars, people, store
from services.tasks.rules import meetings as rules

_BACK, _AHEAD = timedelta(days=30), timedelta(days=365)
_MOST_OF_A_KIND = 500
_FEEDS_REMEMBERED = 64  # of 400 kB at most
_PATH = "/v1/public/calendars/{key}.ics"


def tenant_of(request: pb.GetPublicCalendarRequest) -> str:
    """The tenant that the link's key names."""
    try:
        return keys.tenant_of(request.key)
    except NotFound:
        raise _absent() from None


class Calendars(Servicer):
    """`/v1/me/calendarLink` and `/v1/public/calendars/{key}`."""

    service = "crm.tasks.v1.CalendarsService"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._written: dict[str, str] = {}
        """The last feeds by what they tell: programs ask for the same one every quarter of an hour."""

    @reads
    async def GetCalendarLink(self, request: pb.GetCalendarLinkRequest, tx: Tx) -> pb.CalendarLink:
        since = await store.link_since(tx, people.user_of(tx.actor))
        return pb.CalendarLink(
            active=since is not None, create_time=to_timestamp(since) if since else None
        )

    @writes(secret_answer=True)
    async def RenewCalendarLink(
        self, request: pb.RenewCalendarLinkRequest, tx: Tx
    ) -> pb.RenewCalendarLinkResponse:
        assert tx.tenant is not None
        key = keys.new_key(tx.tenant)
        await store.renew_link(tx, people.user_of(tx.actor), key_hash(key))
        link = pb.CalendarLink(active=True, create_time=to_timestamp(tx.now))
        return pb.RenewCalendarLinkResponse(link=link, key=key, path=_PATH.format(key=key))

    @writes
    async def DeleteCalendarLink(
        self, request: pb.DeleteCalendarLinkRequest, tx: Tx
    ) -> pb.CalendarLink:
        await store.end_link(tx, people.user_of(tx.actor))
        return pb.CalendarLink()

    @reads(tenant=tenant_of)
    async def GetPublicCalendar(
        self, request: pb.GetPublicCalendarRequest, tx: Tx
    ) -> pb.CalendarFile:
        user_id = await store.user_of_key(tx, key_hash(request.key))
        user = tx.directory.user(user_id) if user_id else None
        if user is None or user.get("state") != "active":
            raise _absent()
        tx.rights = people.rights_of(tx, user_id)  # it holds what its person may read
        meetings, tasks = await _meetings(tx, user_id), await _tasks(tx, user_id)
        whose = calendars.Whose(
            str(user.get("name") or ""),
            people.zone_of(tx, user_id),
            str(user.get("language") or ""),
        )
        tag = calendars.tag_of(whose, meetings, tasks)
        if (text := self._written.get(tag)) is None:
            # Hundreds of entries take a tenth of a second to write, in which others are served.
            text = await asyncio.to_thread(calendars.of_person, whose, meetings, tasks)
            if len(self._written) >= _FEEDS_REMEMBERED:
                self._written.pop(next(iter(self._written)), None)
            self._written[tag] = text
        file = pb.CalendarFile(name="calendar.ics", text=text)
        changed = [each.update_time.ToNanoseconds() for each in meetings]
        changed += [each.update_time.ToNanoseconds() for each in tasks]
        if changed:
            file.update_time.FromNanoseconds(max(changed))
        assert tx.call is not None
        tx.call.trailing["crm-etag"] = tag
        return file


async def _meetings(tx: Tx, user_id: str) -> list[meeting_pb2.Meeting]:
    """Those that the person organises or takes part in; not what he declined, and nothing without a time that he may see."""
    if not tx.rights.may("meeting", "read"):
        return []
    found = await store.meetings_of_people(tx, [user_id], tx.now - _BACK, tx.now + _AHEAD)
    mine = [each for each in found if user_id in rules.people_of(each)]
    mine.sort(key=lambda each: store.meetings.values(each)["last_time"] < tx.now)  # over: last
    shown = [showing.limited(tx, store.meetings, each) for each in mine[:_MOST_OF_A_KIND]]
    return [each for each in shown if each.HasField("start_time") and each.HasField("end_time")]


async def _tasks(tx: Tx, user_id: str) -> list[task_pb2.Task]:
    """Visits, and what is due."""
    if not tx.rights.may("task", "read"):
        return []
    since, until = tx.now - _BACK, tx.now + _AHEAD
    visits = await store.visits_of(tx, [user_id], since, until)
    due = await store.due_tasks_of(tx, user_id, since, until)
    found = [*visits[:_MOST_OF_A_KIND], *due]
    shown = [showing.limited(tx, store.tasks, each) for each in found]
    return [
        each
        for each in shown
        if each.visit.HasField("appointment_time") or each.HasField("due_time")
    ]


def key_hash(key: str) -> str:
    """What is kept of a link's key: 128 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def _absent() -> NotFound:
    return NotFound(
        "there is no calendar at this address; make a new link and subscribe to it again"
    )
