"""Meetings by the standard methods and by their verbs; conflicts and free slots."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Violation
from chassis.handlers import Servicer, reads, writes
from chassis.hours import hours_of
from chassis.kit import showing
from chassis.kit.standard import standard
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import calendar_pb2, meeting_pb2
from crm.tasks.v1 import meeting_events_pb2 as events
from crm.tasks.v1 import meeting_verbs_pb2 as pb
from services.tasks import (
    busy,
    calendars,
    errors,
    following,
    free_time,
    people,
    store,
    timers_meetings,
)
from services.tasks.rules import meetings as rules

Meeting = meeting_pb2.Meeting
Participant = meeting_pb2.Participant

FARTHEST = timedelta(days=60)
_MOST_CONFLICTS = 200
_SLOTS, _STEP_MINUTES = 50, 30


async def check_meeting(tx: Tx, new: Meeting, old: Meeting | None) -> None:
    """Keeps I40 and I41; a new meeting is told as MeetingScheduled, one at another time as MeetingMoved."""
    new.id = new.id or tx.new_id()
    if old is None:
        rules.begin(new)
    else:
        rules.require_scheduled(old, "changed")
        rules.keep_answers(new, old)
    _require_people(tx, new, old)
    rules.complete(new, old, zone=people.zone_of(tx, new.owner_id))
    await following.parties.resolve(tx, new, old)
    if old is None:
        tx.emit(events.MeetingScheduled(meeting=new))
    elif rules.when(new) != rules.when(old):
        tx.emit(events.MeetingMoved(meeting=new))


def _require_people(tx: Tx, new: Meeting, old: Meeting | None) -> None:
    """Organiser and colleagues are active users; who was there before stays whatever became of him."""
    known = {old.owner_id, *old.follower_ids} if old is not None else set()
    asked = [("owner_id", new.owner_id)]
    asked += [(f"participants[{n}].user_id", p.user_id) for n, p in enumerate(new.participants)]
    for field, id in asked:
        if (id or field == "owner_id") and id not in known:
            people.require_active(tx, id, field)


StandardMeeting = standard(store.meetings, on_save=check_meeting)


class Meetings(StandardMeeting, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/meetings`."""

    @writes
    async def CreateMeeting(self, request: meeting_pb2.CreateMeetingRequest, tx: Tx) -> Meeting:
        return await _followed(tx, await super().CreateMeeting(request, tx))

    @writes
    async def UpdateMeeting(self, request: meeting_pb2.UpdateMeetingRequest, tx: Tx) -> Meeting:
        return await _followed(tx, await super().UpdateMeeting(request, tx))

    @writes
    async def DeleteMeeting(self, request: meeting_pb2.DeleteMeetingRequest, tx: Tx) -> Meeting:
        return await _followed(tx, await super().DeleteMeeting(request, tx))

    @writes
    async def UndeleteMeeting(self, request: meeting_pb2.UndeleteMeetingRequest, tx: Tx) -> Meeting:
        return await _followed(tx, await super().UndeleteMeeting(request, tx))

    @writes
    async def BookMeeting(self, request: pb.BookMeetingRequest, tx: Tx) -> Meeting:
        made = await super().CreateMeeting(
            meeting_pb2.CreateMeetingRequest(meeting=request.meeting), tx
        )
        await busy.require_free(tx, made)
        return await _followed(tx, made)

    @writes
    async def MoveMeeting(self, request: pb.MoveMeetingRequest, tx: Tx) -> Meeting:
        meeting = await store.meetings.get(tx, request.id, etag=request.etag)
        start = to_datetime(request.start_time)
        end = to_datetime(request.end_time) if request.HasField("end_time") else None
        if request.HasField("original_time"):
            rules.move_one(meeting, request.original_time, start, end, request.place)
        else:
            before = Meeting.FromString(meeting.SerializeToString())
            rules.move_all(meeting, start, end, request.recurrence)
            meeting.place = request.place or meeting.place
            rules.complete(meeting, before, zone=meeting.zone)
        store.meetings.save(tx, meeting)
        if request.exclusive:
            await busy.require_free(tx, meeting)
        moved = events.MeetingMoved(meeting=meeting)
        if request.HasField("original_time"):
            moved.original_time.CopyFrom(request.original_time)
        tx.emit(moved)
        return await _followed(tx, meeting)

    @writes
    async def CancelMeeting(self, request: pb.CancelMeetingRequest, tx: Tx) -> Meeting:
        meeting = await store.meetings.get(tx, request.id, etag=request.etag)
        original = request.original_time if request.HasField("original_time") else None
        rules.cancel(meeting, original, note=request.note, at=tx.now)
        store.meetings.save(tx, meeting)
        cancelled = events.MeetingCancelled(meeting=meeting, note=request.note.strip())
        if original is not None and meeting.state == Meeting.STATE_SCHEDULED:
            cancelled.original_time.CopyFrom(original)
        tx.emit(cancelled)
        return await _followed(tx, meeting)

    @writes
    async def AnswerMeeting(self, request: pb.AnswerMeetingRequest, tx: Tx) -> Meeting:
        meeting = await store.meetings.get(tx, request.id, action="read")
        who = request.contact_id or request.email.lower()
        if who:  # somebody outside told a colleague
            await tx.require("meeting", "update", *store.meetings.scope_of_message(meeting))
        who = who or people.user_of(tx.actor)
        said = rules.answer(meeting, who, request.answer, note=request.note, at=tx.now)
        store.meetings.save(tx, meeting)
        tx.emit(events.MeetingAnswered(meeting=meeting, participant=said))
        return meeting

    @reads
    async def GetMeetingFile(
        self, request: pb.GetMeetingFileRequest, tx: Tx
    ) -> calendar_pb2.CalendarFile:
        meeting = await store.meetings.get(tx, request.id)
        showing.refuse_unreadable(tx, store.meetings, ["start_time", "end_time"])
        shown = showing.limited(tx, store.meetings, meeting)
        text = calendars.of_meeting(shown, calendars.people(tx.directory))
        return calendar_pb2.CalendarFile(
            name=f"{meeting.id}.ics", text=text, update_time=meeting.update_time
        )

    @reads
    async def FindConflicts(
        self, request: pb.FindConflictsRequest, tx: Tx
    ) -> pb.FindConflictsResponse:
        since, until = _stretch(request.start_time, request.end_time)
        way = timedelta(minutes=request.travel_minutes)
        who = _known_users(tx, request.user_ids)
        taken = await busy.find(
            tx, who, since - way, until + way, except_id=request.except_meeting_id
        )
        return pb.FindConflictsResponse(
            conflicts=[busy.told(tx, each) for each in taken[:_MOST_CONFLICTS]],
            more=len(taken) > _MOST_CONFLICTS,
        )

    @reads
    async def FindFreeSlots(
        self, request: pb.FindFreeSlotsRequest, tx: Tx
    ) -> pb.FindFreeSlotsResponse:
        since, until = _stretch(request.start_time, request.end_time)
        who = _known_users(tx, request.user_ids)
        way = timedelta(minutes=request.travel_minutes)
        since = max(since, tx.now)
        free = [(since, until)] if since < until else []
        for id in who:
            free = free_time.common(
                free, free_time.open_spans(hours_of(tx.directory, id), since, until)
            )
        taken = await busy.find(tx, who, since - way, until + way)
        free = free_time.without(free, [free_time.widened(each.span, way) for each in taken])
        zone = ZoneInfo(request.zone or people.zone_of(tx, people.user_of(tx.actor)))
        length, most = timedelta(minutes=request.duration_minutes), request.max_slots or _SLOTS
        found = list(
            islice(
                free_time.slots(free, length, request.step_minutes or _STEP_MINUTES, zone), most + 1
            )
        )
        return pb.FindFreeSlotsResponse(
            slots=[_slot(each) for each in found[:most]], more=len(found) > most
        )


async def _followed(tx: Tx, meeting: Meeting) -> Meeting:
    await timers_meetings.follow(tx, meeting)
    return meeting


def _slot(span: tuple[datetime, datetime]) -> pb.Slot:
    return pb.Slot(start_time=to_timestamp(span[0]), end_time=to_timestamp(span[1]))


def _stretch(start: Timestamp, end: Timestamp) -> tuple[datetime, datetime]:
    """The moments between which a search looks; ValuesInvalid where they are in the wrong order or too far apart."""
    since, until = to_datetime(start), to_datetime(end)
    if not timedelta() < until - since <= FARTHEST:
        raise errors.ValuesInvalid(
            [
                Violation(
                    "end_time",
                    f"is {until.isoformat()}; it must be behind start_time, by at most {FARTHEST.days} days",
                )
            ]
        )
    return since, until


def _known_users(tx: Tx, ids: Sequence[str]) -> list[str]:
    known = list(dict.fromkeys(ids))
    if missing := [id for id in known if not people.is_active(tx, id)]:
        raise errors.ReferenceUnknown([("user_ids", f"active user {id}") for id in missing])
    return known


class MeetingsRpcs(Meetings):
    """Every RPC of the contract."""

    service = "crm.tasks.v1.MeetingsService"
