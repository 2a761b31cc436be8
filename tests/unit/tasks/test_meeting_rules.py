"""What a meeting must be, when it takes place, and how exceptions move along."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import meeting_pb2
from services.tasks import errors
from services.tasks.rules import meetings as rules
from services.tasks.rules import occurrences

Meeting, Participant = meeting_pb2.Meeting, meeting_pb2.Participant
WARSAW = ZoneInfo("Europe/Warsaw")
OWNER, ANA, JAN = (f"019a0000-0000-7000-8000-00000000000{n}" for n in range(3))


def at(text: str, zone: ZoneInfo = WARSAW) -> Timestamp:
    return to_timestamp(datetime.fromisoformat(text).replace(tzinfo=zone))


def meeting(start: str = "2026-03-02T09:00", end: str = "2026-03-02T10:00", **given: Any) -> Any:
    return Meeting(
        **{
            "subject": "Plan", "owner_id": OWNER, "start_time": at(start), "end_time": at(end),
            "zone": "Europe/Warsaw", "state": Meeting.STATE_SCHEDULED, **given,
        }
    )  # fmt: skip


def kept(new: Any, old: Any = None) -> Any:
    rules.complete(new, old, zone="Europe/Warsaw")
    return new


def copy(of: Any) -> Any:
    return Meeting.FromString(of.SerializeToString())


def walls(of: Any) -> list[str]:
    return [
        f"{o.start.astimezone(WARSAW):%m-%d %H:%M}-{o.end.astimezone(WARSAW):%d %H:%M}"
        for o in occurrences.of(of)
    ]


def wrong(of: Any) -> dict[str, str]:
    with pytest.raises((errors.ValuesInvalid, errors.RecurrenceInvalid)) as refused:
        kept(of)
    return {violation.field: violation.description for violation in refused.value.violations}


WEEKLY = {
    "recurrence": "FREQ=WEEKLY;COUNT=5"
}  # 2, 9, 16, 23 and, after the change of the clock, 30 March


def test_a_meeting_ends_behind_its_start_and_within_62_days() -> None:
    assert "not behind the start" in wrong(meeting(end="2026-03-02T09:00"))["end_time"]
    assert (
        "63 days behind the start; at most 62" in wrong(meeting(end="2026-05-04T10:00"))["end_time"]
    )
    assert kept(meeting(end="2026-05-03T10:00")).end_time == at("2026-05-03T10:00")


def test_an_all_day_meeting_lasts_from_midnight_to_midnight_over_both_changes_of_the_clock() -> (
    None
):
    for day, behind in (("2026-03-29", "2026-03-30"), ("2026-10-25", "2026-10-26")):
        found = kept(meeting(f"{day}T08:00", f"{day}T20:00", all_day=True))
        assert (found.start_time, found.end_time) == (at(f"{day}T00:00"), at(f"{behind}T00:00"))
    rows = kept(
        meeting(
            "2026-03-28T00:00", "2026-03-29T00:00", all_day=True, recurrence="FREQ=DAILY;COUNT=3"
        )
    )
    assert walls(rows) == ["03-28 00:00-29 00:00", "03-29 00:00-30 00:00", "03-30 00:00-31 00:00"]


def test_people_are_named_once_and_the_organiser_is_none_of_them() -> None:
    found = kept(
        meeting(
            contact_id=JAN,
            participants=[
                Participant(user_id=ANA), Participant(user_id=ANA), Participant(user_id=OWNER),
                Participant(contact_id=JAN), Participant(name="Ewa", email="ewa@example.com"),
                Participant(email="EWA@example.com"),
            ],
        )
    )  # fmt: skip

    assert [p.user_id or p.contact_id or p.email for p in found.participants] == [
        ANA,
        JAN,
        "ewa@example.com",
    ]
    assert (list(found.follower_ids), list(found.contact_ids)) == ([ANA], [JAN])


def test_a_participant_is_exactly_one_of_user_contact_and_address() -> None:
    both = wrong(
        meeting(participants=[Participant(user_id=ANA, contact_id=JAN), Participant(name="Ewa")])
    )

    assert list(both) == ["participants[0]", "participants[1]"]


def test_a_rule_must_end_and_fall_on_the_start() -> None:
    assert "has no end" in wrong(meeting(recurrence="FREQ=WEEKLY"))["recurrence"]
    assert (
        "COUNT is 1001; at most 1000"
        in wrong(meeting(recurrence="FREQ=DAILY;COUNT=1001"))["recurrence"]
    )
    off = wrong(meeting(recurrence="FREQ=WEEKLY;BYDAY=TU;COUNT=3"))["recurrence"]
    assert (
        off
        == "does not fall on start_time, 2026-03-02T09:00:00+01:00; it falls first on 2026-03-03T09:00:00+01:00"
    )


def test_occurrences_keep_the_clock_and_the_length_over_the_change() -> None:
    found = kept(meeting(**WEEKLY))

    assert walls(found)[-2:] == ["03-23 09:00-23 10:00", "03-30 09:00-30 10:00"]
    assert occurrences.of(found)[4].start == datetime(2026, 3, 30, 7, tzinfo=UTC)
    assert occurrences.extent(found) == (
        to_datetime(at("2026-03-02T09:00")),
        to_datetime(at("2026-03-30T10:00")),
    )


def test_an_exception_must_name_a_start_of_the_rule() -> None:
    off = meeting(
        **WEEKLY, excluded_times=[at("2026-03-09T09:00"), at("2026-03-10T09:00")],
        changed_occurrences=[meeting_pb2.ChangedOccurrence(original_time=at("2026-03-09T09:00"))],
    )  # fmt: skip

    found = wrong(off)

    assert list(found) == ["excluded_times[1]", "changed_occurrences[0].original_time"]
    assert "excluded_times" in wrong(meeting(excluded_times=[at("2026-03-02T09:00")])).popitem()[0]


def test_one_of_the_row_moves_and_another_is_cancelled() -> None:
    found = kept(meeting(**WEEKLY))
    rules.move_one(
        found, at("2026-03-16T09:00"), to_datetime(at("2026-03-17T14:00")), None, "Room 2"
    )
    rules.cancel(found, at("2026-03-09T09:00"), note="ill", at=datetime(2026, 3, 1, tzinfo=UTC))

    assert walls(found) == [
        "03-02 09:00-02 10:00", "03-17 14:00-17 15:00", "03-23 09:00-23 10:00", "03-30 09:00-30 10:00",
    ]  # fmt: skip
    assert [o.place for o in occurrences.of(found)] == ["", "Room 2", "", ""]
    assert (found.state, found.sequence) == (Meeting.STATE_SCHEDULED, 2)
    for gone in ("2026-03-09T09:00", "2026-03-17T14:00"):
        with pytest.raises(errors.OccurrenceUnknown):
            rules.move_one(found, at(gone), to_datetime(at("2026-03-18T14:00")), None, "")


def test_with_the_last_occurrence_the_meeting_is_cancelled() -> None:
    found = kept(meeting(recurrence="FREQ=DAILY;COUNT=2"))
    for day in ("2026-03-02", "2026-03-03"):
        rules.cancel(found, at(f"{day}T09:00"), note="off", at=datetime(2026, 3, 1, tzinfo=UTC))

    assert (found.state, found.cancel_note) == (Meeting.STATE_CANCELLED, "off")
    with pytest.raises(errors.MeetingWrongState):
        rules.cancel(found, None, note="", at=datetime(2026, 3, 1, tzinfo=UTC))


def test_exceptions_move_along_on_the_clock_and_answers_are_asked_anew() -> None:
    old = kept(
        meeting(
            **WEEKLY, excluded_times=[at("2026-03-30T09:00")],
            participants=[Participant(user_id=ANA, answer=Participant.ANSWER_ACCEPTED)],
        )
    )  # fmt: skip
    rules.move_one(old, at("2026-03-23T09:00"), to_datetime(at("2026-03-24T12:00")), None, "")
    new = copy(old)
    rules.move_all(new, to_datetime(at("2026-03-03T11:30")), None, "")
    kept(new, old)

    assert walls(new) == [
        "03-03 11:30-03 12:30", "03-10 11:30-10 12:30", "03-17 11:30-17 12:30", "03-25 14:30-25 15:30",
    ]  # fmt: skip
    assert list(new.excluded_times) == [at("2026-03-31T11:30")]
    assert new.participants[0].answer == Participant.ANSWER_UNSPECIFIED
    assert new.sequence == old.sequence + 1


def test_exceptions_that_no_longer_come_from_the_rule_are_dropped() -> None:
    old = kept(meeting(**WEEKLY, excluded_times=[at("2026-03-09T09:00"), at("2026-03-23T09:00")]))
    new = copy(old)
    new.recurrence = "FREQ=WEEKLY;INTERVAL=3;COUNT=3"
    kept(new, old)

    assert list(new.excluded_times) == [at("2026-03-23T09:00")]


def test_answers_come_by_the_verb_only() -> None:
    old = kept(meeting(participants=[Participant(user_id=ANA), Participant(contact_id=JAN)]))
    now = datetime(2026, 3, 1, tzinfo=UTC)
    rules.answer(old, ANA, Participant.ANSWER_DECLINED, note=" ill ", at=now)
    new = copy(old)
    new.participants[1].answer = Participant.ANSWER_ACCEPTED
    new.participants[0].answer = Participant.ANSWER_ACCEPTED
    rules.keep_answers(new, old)

    assert [p.answer for p in new.participants] == [
        Participant.ANSWER_DECLINED,
        Participant.ANSWER_UNSPECIFIED,
    ]
    assert new.participants[0].answer_note == "ill"
    assert rules.people_of(new) == [OWNER]
    with pytest.raises(errors.NotInvited):
        rules.answer(new, OWNER, Participant.ANSWER_ACCEPTED, note="", at=now)


def test_travel_belongs_to_the_time() -> None:
    found = kept(meeting(travel_minutes=30))
    nine, ten = to_datetime(at("2026-03-02T09:00")), to_datetime(at("2026-03-02T10:00"))
    minute = timedelta(minutes=1)

    assert list(occurrences.between(found, ten + 29 * minute, ten + 40 * minute))
    assert not list(occurrences.between(found, ten + 30 * minute, ten + 40 * minute))
    assert not list(occurrences.between(found, nine - 60 * minute, nine - 30 * minute))
