"""What a meeting must be, and its life.

    SCHEDULED ──cancel──► CANCELLED

A meeting that repeats is one record: its rule gives the starts, `excluded_times` takes some out and `changed_occurrences`
changes some. Both name a start as the rule gives it, and move along when the whole meeting is moved.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import meeting_pb2
from services.tasks import errors, free_time, recurrence
from services.tasks.rules import occurrences
from services.tasks.rules.occurrences import WHEN, repeats, starts_of, zone_of

Meeting = meeting_pb2.Meeting
Participant = meeting_pb2.Participant
Changed = meeting_pb2.ChangedOccurrence

LONGEST = timedelta(days=62)
"""How long one meeting may last: a fair, a long training."""
_LAST_START = datetime(2200, 1, 1, tzinfo=ZoneInfo("UTC"))


def complete(new: Meeting, old: Meeting | None, *, zone: str) -> None:
    """Brings a meeting into the form in which it is kept, `zone` where it names none; ValuesInvalid with all that is wrong."""
    new.subject = " ".join(new.subject.split())
    new.zone = new.zone or zone
    _follow_link(new, old)
    wrong = [] if new.subject else [Violation("subject", "must say something besides blanks")]
    wrong += _people(new)
    wrong += _times(new)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    _reminders(new)
    if old is None or when(new) != when(old):
        _schedule_anew(new, old)
    wrong = _exceptions(new)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def begin(meeting: Meeting) -> None:
    """A new meeting takes place, and nobody has answered."""
    meeting.state, meeting.sequence = Meeting.STATE_SCHEDULED, 0
    ask_anew(meeting)


def when(meeting: Meeting) -> tuple[Any, ...]:
    """What decides when it takes place."""
    return tuple(
        getattr(meeting, field).SerializeToString()
        if field.endswith("_time")
        else getattr(meeting, field)
        for field in WHEN
    )


def ask_anew(meeting: Meeting) -> None:
    """Forgets what people answered: it was another time."""
    for each in meeting.participants:
        each.answer, each.answer_note = Participant.ANSWER_UNSPECIFIED, ""
        each.ClearField("answer_time")


def keep_answers(new: Meeting, old: Meeting) -> None:
    """Answers come by :answer only: an update keeps those that were given, whatever it says."""
    given = {_who(each): each for each in old.participants}
    ask_anew(new)
    for each in new.participants:
        if (before := given.get(_who(each))) is not None:
            each.answer, each.answer_note = before.answer, before.answer_note
            if before.HasField("answer_time"):
                each.answer_time.CopyFrom(before.answer_time)


def require_scheduled(meeting: Meeting, verb: str) -> None:
    """Refuses what only a meeting that takes place allows."""
    if meeting.state != Meeting.STATE_SCHEDULED:
        raise errors.MeetingWrongState(verb, state_name(meeting.state), "scheduled")


def move_all(meeting: Meeting, start: datetime, end: datetime | None, rule: str) -> None:
    """Gives the whole meeting another time; `complete` does the rest."""
    require_scheduled(meeting, "moved")
    lasted = to_datetime(meeting.end_time) - to_datetime(meeting.start_time)
    if meeting.all_day and end is None:
        first, behind = free_time.whole_days(
            to_datetime(meeting.start_time), to_datetime(meeting.end_time), zone_of(meeting)
        )
        day = start.astimezone(zone_of(meeting)).date()
        end = recurrence.at_wall(day + (behind - first), time(), zone_of(meeting))
    meeting.start_time.CopyFrom(to_timestamp(start))
    meeting.end_time.CopyFrom(to_timestamp(end or start + lasted))
    meeting.recurrence = rule or meeting.recurrence


def move_one(
    meeting: Meeting, original: Timestamp, start: datetime, end: datetime | None, place: str
) -> None:
    """Gives one of the repeated meetings another time."""
    require_scheduled(meeting, "moved")
    found = occurrences.one(meeting, to_datetime(original))
    end = end or start + (found.end - found.start)
    if not timedelta() < end - start <= LONGEST:
        raise errors.ValuesInvalid([Violation("end_time", _length(start, end))])
    change = next((c for c in meeting.changed_occurrences if c.original_time == original), None)
    if change is None:
        change = meeting.changed_occurrences.add(original_time=original)
    change.start_time.CopyFrom(to_timestamp(start))
    change.end_time.CopyFrom(to_timestamp(end))
    change.place = place or change.place
    if len(meeting.changed_occurrences) > 200:
        raise errors.ValuesInvalid(
            [
                Violation(
                    "original_time",
                    "would be the 201st that differs; at most 200: make it a meeting of its own",
                )
            ]
        )
    meeting.sequence += 1


def cancel(meeting: Meeting, original: Timestamp | None, *, note: str, at: datetime) -> None:
    """The meeting, or one of the repeated ones, does not take place; with the last one the meeting is cancelled."""
    require_scheduled(meeting, "cancelled")
    meeting.sequence += 1
    if original is not None:
        occurrences.one(meeting, to_datetime(original))
        kept = [c for c in meeting.changed_occurrences if c.original_time != original]
        replace(meeting.changed_occurrences, kept)
        meeting.excluded_times.append(original)
        if occurrences.of(meeting):
            return
    meeting.state, meeting.cancel_note = Meeting.STATE_CANCELLED, note.strip()
    meeting.cancel_time.CopyFrom(to_timestamp(at))


def answer(
    meeting: Meeting, who: str, said: "Participant.Answer", *, note: str, at: datetime
) -> Participant:
    """Notes what somebody (by user id, contact id or e-mail) says to the invitation."""
    require_scheduled(meeting, "answered")
    found = next((each for each in meeting.participants if who in _who(each)), None)
    if found is None:
        raise errors.NotInvited()
    found.answer, found.answer_note = said, note.strip()
    found.answer_time.CopyFrom(to_timestamp(at))
    return found


def people_of(meeting: Meeting) -> list[str]:
    """The colleagues whose time it takes: the organiser and who has not declined."""
    declined = Participant.ANSWER_DECLINED
    return [
        *([meeting.owner_id] if meeting.owner_id else []),
        *(p.user_id for p in meeting.participants if p.user_id and p.answer != declined),
    ]


def state_name(state: "Meeting.State") -> str:
    """`scheduled` of STATE_SCHEDULED."""
    return Meeting.State.Name(state).removeprefix("STATE_").lower()


def replace(field: Any, values: Iterable[Any]) -> None:
    """Puts these values in the place of a repeated field's."""
    kept = list(values)
    del field[:]
    field.extend(kept)


# -- who ---------------------------------------------------------------------------------------------------------------------


def _who(each: Participant) -> tuple[str, ...]:
    """What tells somebody from others."""
    return tuple(id for id in (each.user_id, each.contact_id, each.email.lower()) if id)


def _people(meeting: Meeting) -> list[Violation]:
    wrong, seen, kept = [], set(), []
    for number, each in enumerate(meeting.participants):
        each.name, each.email = " ".join(each.name.split()), each.email.strip()
        kinds = [bool(each.user_id), bool(each.contact_id), bool(each.email)]
        if sum(kinds) != 1:
            wrong.append(
                Violation(
                    f"participants[{number}]", "set exactly one of user_id, contact_id and email"
                )
            )
        elif _who(each) not in seen and each.user_id != (meeting.owner_id or None):
            seen.add(_who(each))
            kept.append(each)
    if not wrong:
        replace(meeting.participants, kept)
        replace(meeting.follower_ids, [p.user_id for p in meeting.participants if p.user_id])
        contacts = [meeting.contact_id, *(p.contact_id for p in meeting.participants)]
        replace(meeting.contact_ids, dict.fromkeys(id for id in contacts if id))
    return wrong


def _follow_link(new: Meeting, old: Meeting | None) -> None:
    """A person or company that is the matter itself is the one the meeting is with."""
    end = new.link.WhichOneof("target") or ""
    if end not in ("contact_id", "company_id") or (old is not None and old.link == new.link):
        return
    linked = getattr(new.link, end)
    before = getattr(old, end) if old is not None else ""
    if getattr(new, end) not in ("", before, linked):
        raise errors.ValuesInvalid(
            [
                Violation(
                    end,
                    f"is {getattr(new, end)}, but link.{end} is {linked}; leave one of them out",
                )
            ]
        )
    setattr(new, end, linked)


# -- when --------------------------------------------------------------------------------------------------------------------


def _times(meeting: Meeting) -> list[Violation]:
    start, end = to_datetime(meeting.start_time), to_datetime(meeting.end_time)
    if meeting.all_day:
        first, behind = free_time.whole_days(start, max(start, end), zone_of(meeting))
        start = recurrence.at_wall(first, time(), zone_of(meeting))
        end = recurrence.at_wall(behind, time(), zone_of(meeting))
        meeting.start_time.CopyFrom(to_timestamp(start))
        meeting.end_time.CopyFrom(to_timestamp(end))
    if start > _LAST_START:
        return [
            Violation("start_time", f"is {start.isoformat()}; at most {_LAST_START.isoformat()}")
        ]
    if not timedelta() < end - start <= LONGEST:
        return [Violation("end_time", _length(start, end))]
    return []


def _length(start: datetime, end: datetime) -> str:
    if end <= start:
        return f"is {end.isoformat()}, not behind the start, which is {start.isoformat()}"
    return f"is {(end - start).days} days behind the start; at most {LONGEST.days}"


def _reminders(meeting: Meeting) -> None:
    minutes = sorted({each.minutes_before for each in meeting.reminders}, reverse=True)
    del meeting.reminders[:]
    for each in minutes:
        meeting.reminders.add(minutes_before=each)


def _schedule_anew(new: Meeting, old: Meeting | None) -> None:
    """Checks the rule at its new time; exceptions go along with the start, and those that no longer fit are dropped."""
    _settle_rule(new)
    if old is None:
        return
    if (
        new.excluded_times == old.excluded_times
        and new.changed_occurrences == old.changed_occurrences
    ):
        _shift_exceptions(new, old)
    known = set(starts_of(new)) if repeats(new) else set()
    replace(new.excluded_times, [t for t in new.excluded_times if to_datetime(t) in known])
    fitting = [c for c in new.changed_occurrences if to_datetime(c.original_time) in known]
    replace(new.changed_occurrences, fitting)
    new.sequence = old.sequence + 1
    ask_anew(new)


def _settle_rule(meeting: Meeting) -> None:
    if not repeats(meeting):
        meeting.recurrence = ""
        return
    start, zone = to_datetime(meeting.start_time), zone_of(meeting)
    try:
        meeting.recurrence = recurrence.settle(
            meeting.recurrence, start, zone, all_day=meeting.all_day, endless=False
        )
    except recurrence.RuleError as error:
        raise errors.RecurrenceInvalid(str(error)) from None
    first = next(iter(starts_of(meeting)), None)
    if first != start:
        at = first.astimezone(zone).isoformat() if first else "never"
        raise errors.RecurrenceInvalid(
            f"does not fall on start_time, {start.astimezone(zone).isoformat()}; it falls first on {at}"
        )


def _shift_exceptions(new: Meeting, old: Meeting) -> None:
    """By as much as the start moved on the clock on the wall."""
    before, after = zone_of(old), zone_of(new)
    by = _wall(new.start_time, after) - _wall(old.start_time, before)

    def shifted(stamp: Timestamp) -> Timestamp:
        wall = _wall(stamp, before) + by
        return to_timestamp(recurrence.at_wall(wall.date(), wall.time(), after))

    replace(new.excluded_times, [shifted(stamp) for stamp in old.excluded_times])
    for change in new.changed_occurrences:
        for field in ("original_time", "start_time", "end_time"):
            if change.HasField(field):
                getattr(change, field).CopyFrom(shifted(getattr(change, field)))


def _wall(stamp: Timestamp, zone: ZoneInfo) -> datetime:
    return to_datetime(stamp).astimezone(zone).replace(tzinfo=None)


def _exceptions(meeting: Meeting) -> list[Violation]:
    """What is wrong with the exceptions of a rule that is right."""
    known = set(starts_of(meeting)) if repeats(meeting) else set()
    wrong, excluded, seen = [], set(), set()
    for number, stamp in enumerate(meeting.excluded_times):
        if to_datetime(stamp) not in known:
            wrong.append(Violation(f"excluded_times[{number}]", _no_start(stamp)))
        excluded.add(to_datetime(stamp))
    for number, change in enumerate(meeting.changed_occurrences):
        field, original = f"changed_occurrences[{number}]", to_datetime(change.original_time)
        if original not in known:
            wrong.append(Violation(f"{field}.original_time", _no_start(change.original_time)))
            continue
        if original in excluded or original in seen:
            wrong.append(
                Violation(
                    f"{field}.original_time", "is there twice, or excluded too; leave one out"
                )
            )
        seen.add(original)
        found = occurrences.changed(meeting, original, change)
        if not timedelta() < found.end - found.start <= LONGEST:
            wrong.append(Violation(f"{field}.end_time", _length(found.start, found.end)))
    if known and not wrong and known <= excluded:
        wrong.append(
            Violation("excluded_times", "leaves none to take place; cancel the meeting instead")
        )
    replace(meeting.excluded_times, [to_timestamp(each) for each in sorted(excluded)])
    return wrong


def _no_start(stamp: Timestamp) -> str:
    return f"is {to_datetime(stamp).isoformat()}, at which the meeting does not begin by its rule"
