"""Meetings: who may see them, their verbs, their events and reminders."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.common.v1 import common_pb2
from crm.tasks.v1 import meeting_pb2, meeting_verbs_pb2, task_pb2
from tests.service.tasks.meeting_world import (
    Meeting,
    MeetingWorld,
    Participant,
    desk,
    draft,
    invited,
    local,
    read,
    schedule,
    until,
    wall,
)
from tests.service.tasks.world import Refused


@pytest.fixture
def world(running: Any, tenant: Any) -> MeetingWorld:
    return MeetingWorld(running, tenant)


async def test_a_meeting_is_read_by_its_people_and_by_nobody_else(world: MeetingWorld) -> None:
    owner, guest, stranger = [await world.colleague() for _ in range(3)]
    contact = uuid7()
    made = await schedule(
        owner, participants=[*invited(guest), Participant(contact_id=contact)],
        link=common_pb2.Link(company_id=contact), reminders=[task_pb2.Reminder(minutes_before=15)],
    )  # fmt: skip

    seen = await read(guest, made.id)
    listed = await desk(guest).ListMeetings(
        meeting_pb2.ListMeetingsRequest(filter=f'company_id = "{contact}"', order_by="start_time")
    )
    (event,) = await world.events("MeetingScheduled")

    assert (made.owner_id, list(made.follower_ids), made.company_id) == (
        owner.id,
        [guest.id],
        contact,
    )
    assert (made.state, made.sequence, made.zone) == (Meeting.STATE_SCHEDULED, 0, "Europe/Warsaw")
    assert (seen.subject, list(seen.can)) == ("Plan the spring", ["answer", "read"])
    assert [each.id for each in listed.meetings] == [made.id]
    assert event["meeting"]["contactIds"] == [contact]
    with pytest.raises(errors.NotFound):
        await read(stranger, made.id)


async def test_bad_input_is_refused_by_field_and_changes_nothing(world: MeetingWorld) -> None:
    owner = await world.colleague()
    gone = await world.tenant.person(state="deactivated")
    cases: list[tuple[Any, str, str, dict[str, Any]]] = [
        (errors.InvalidArgument, "VALUES_INVALID", "end_time", {"minutes": 0}),
        (errors.InvalidArgument, "INVALID_FIELDS", "meeting.zone", {"zone": "Mars/Base"}),
        (errors.InvalidArgument, "INVALID_FIELDS", "meeting.travel_minutes", {"travel_minutes": 1441}),
        (errors.InvalidArgument, "RECURRENCE_INVALID", "recurrence", {"recurrence": "FREQ=DAILY"}),
        (errors.InvalidArgument, "RECURRENCE_INVALID", "recurrence", {"recurrence": "FREQ=DAILY;COUNT=1001"}),
        (errors.InvalidArgument, "RECURRENCE_INVALID", "recurrence", {"recurrence": "weekly"}),
        (errors.InvalidArgument, "VALUES_INVALID", "participants[0]", {"participants": [Participant(name="Ewa")]}),
        (errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "participants[0].user_id", {"participants": invited(gone)}),
    ]  # fmt: skip
    for kind, reason, field, given in cases:
        async with Refused(world, kind, reason, field):
            await schedule(owner, **given)


async def test_an_update_of_the_time_moves_the_meeting_and_another_does_not(
    world: MeetingWorld,
) -> None:
    owner, guest = await world.colleague(), await world.colleague()
    made = await schedule(owner, participants=invited(guest))
    await desk(guest).AnswerMeeting(
        meeting_verbs_pb2.AnswerMeetingRequest(id=made.id, answer=Participant.ANSWER_ACCEPTED)
    )

    async def update(**given: Any) -> Meeting:
        return await desk(owner).UpdateMeeting(
            meeting_pb2.UpdateMeetingRequest(
                meeting=Meeting(id=made.id, **given), update_mask=FieldMask(paths=list(given))
            )
        )

    named = await update(subject="Plan the summer")
    moved = await update(start_time=local("2030-03-26T10:00"), end_time=local("2030-03-26T11:00"))
    await world.events("MeetingUpdated")
    await world.events("MeetingMoved")

    assert (named.participants[0].answer, named.sequence) == (Participant.ANSWER_ACCEPTED, 0)
    assert (moved.participants[0].answer, moved.sequence) == (Participant.ANSWER_UNSPECIFIED, 1)
    async with Refused(world, errors.InvalidArgument, "INVALID_MASK"):
        await update(state=Meeting.STATE_CANCELLED)


async def test_one_of_a_row_is_moved_and_one_cancelled_over_the_change_of_the_clock(
    world: MeetingWorld,
) -> None:
    owner = await world.colleague()
    # Mondays at 10:00; on 31 March 2030 the clock changes.
    made = await schedule(owner, "2030-03-25T10:00", recurrence="FREQ=WEEKLY;COUNT=3")
    moved = await desk(owner).MoveMeeting(
        meeting_verbs_pb2.MoveMeetingRequest(
            id=made.id, original_time=local("2030-04-01T10:00"), start_time=local("2030-04-02T08:00"),
            etag=made.etag,
        )
    )  # fmt: skip
    cancelled = await desk(owner).CancelMeeting(
        meeting_verbs_pb2.CancelMeetingRequest(
            id=made.id, original_time=local("2030-04-08T10:00"), note="Easter"
        )
    )
    (told,) = await world.events("MeetingMoved")
    (off,) = await world.events("MeetingCancelled")

    (change,) = moved.changed_occurrences
    assert (wall(change.start_time), wall(change.end_time)) == (
        "2030-04-02T08:00",
        "2030-04-02T09:00",
    )
    assert told["originalTime"] == "2030-04-01T08:00:00Z"
    assert (off["originalTime"], off["note"]) == ("2030-04-08T08:00:00Z", "Easter")
    assert (cancelled.state, len(cancelled.excluded_times)) == (Meeting.STATE_SCHEDULED, 1)
    async with Refused(world, errors.InvalidArgument, "OCCURRENCE_UNKNOWN", "original_time"):
        await desk(owner).CancelMeeting(
            meeting_verbs_pb2.CancelMeetingRequest(
                id=made.id, original_time=local("2030-04-08T10:00")
            )
        )
    async with Refused(world, errors.Aborted, "CHANGED_MEANWHILE"):
        await desk(owner).CancelMeeting(
            meeting_verbs_pb2.CancelMeetingRequest(id=made.id, etag=made.etag)
        )


async def test_a_cancelled_meeting_stays_cancelled(world: MeetingWorld) -> None:
    owner, guest = await world.colleague(), await world.colleague()
    made = await schedule(owner, participants=invited(guest))
    over = await desk(owner).CancelMeeting(
        meeting_verbs_pb2.CancelMeetingRequest(id=made.id, note="Not needed", request_id="once")
    )
    again = await desk(owner).CancelMeeting(
        meeting_verbs_pb2.CancelMeetingRequest(id=made.id, note="Not needed", request_id="once")
    )

    assert (over.state, over.cancel_note) == (Meeting.STATE_CANCELLED, "Not needed")
    assert again == over
    start = local("2030-03-26T10:00")
    async with Refused(world, errors.FailedPrecondition, "MEETING_WRONG_STATE"):
        await desk(owner).MoveMeeting(
            meeting_verbs_pb2.MoveMeetingRequest(id=made.id, start_time=start)
        )
    async with Refused(world, errors.FailedPrecondition, "MEETING_WRONG_STATE"):
        await desk(guest).AnswerMeeting(
            meeting_verbs_pb2.AnswerMeetingRequest(id=made.id, answer=Participant.ANSWER_ACCEPTED)
        )


async def test_each_answers_for_himself_and_the_organiser_for_people_outside(
    world: MeetingWorld,
) -> None:
    owner, guest, other = [await world.colleague() for _ in range(3)]
    people = [*invited(guest), Participant(name="Ewa", email="ewa@example.com")]
    made = await schedule(owner, participants=people)
    ask = meeting_verbs_pb2.AnswerMeetingRequest
    yes, no = Participant.ANSWER_ACCEPTED, Participant.ANSWER_DECLINED

    await desk(guest).AnswerMeeting(ask(id=made.id, answer=no, note="on leave"))
    found = await desk(owner).AnswerMeeting(ask(id=made.id, answer=yes, email="Ewa@example.com"))
    answered = await world.events("MeetingAnswered", count=2)

    assert [p.answer for p in found.participants] == [no, yes]
    assert [e["participant"].get("userId") for e in answered] == [guest.id, None]
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await desk(guest).AnswerMeeting(ask(id=made.id, answer=no, email="ewa@example.com"))
    async with Refused(world, errors.PermissionDenied, "NOT_INVITED"):
        await desk(owner).AnswerMeeting(ask(id=made.id, answer=yes))
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await desk(other).AnswerMeeting(ask(id=made.id, answer=yes))


async def test_answers_at_once_are_all_kept(world: MeetingWorld) -> None:
    owner, *guests = [await world.colleague() for _ in range(9)]
    made = await schedule(owner, participants=invited(*guests))
    ask = meeting_verbs_pb2.AnswerMeetingRequest(id=made.id, answer=Participant.ANSWER_ACCEPTED)

    await asyncio.gather(*(desk(guest).AnswerMeeting(ask) for guest in guests))
    found = await read(owner, made.id)

    assert {p.answer for p in found.participants} == {Participant.ANSWER_ACCEPTED}
    assert len(await world.events("MeetingAnswered", count=8)) == 8


async def test_a_reminder_is_told_once_and_the_next_one_waits(world: MeetingWorld) -> None:
    owner = await world.colleague()
    soon = datetime.now(UTC) + timedelta(minutes=15, seconds=1)
    made = await desk(owner).CreateMeeting(
        meeting_pb2.CreateMeetingRequest(
            meeting=Meeting(
                subject="Stand-up", start_time=to_timestamp(soon), end_time=to_timestamp(soon + timedelta(minutes=5)),
                zone="UTC", recurrence="FREQ=DAILY;COUNT=2", reminders=[task_pb2.Reminder(minutes_before=15)],
            )
        )
    )  # fmt: skip
    (told,) = await world.events("MeetingReminded")

    async def waits() -> Any:
        rows = await world.running.rows(
            "tasks", "SELECT due_at FROM timers WHERE tenant_id = $1 AND kind = 'meeting-reminder'",
            world.tenant.id,
        )  # fmt: skip
        return [row["due_at"] for row in rows]

    at = soon - timedelta(minutes=15) + timedelta(days=1)
    assert (told["meeting"]["id"], told["minutesBefore"]) == (made.id, 15)
    assert await waits() == [at]
    await desk(owner).CancelMeeting(meeting_verbs_pb2.CancelMeetingRequest(id=made.id))
    assert await waits() == []


async def test_moving_gives_another_reminder_and_deleting_none(world: MeetingWorld) -> None:
    owner = await world.colleague()
    made = await schedule(owner, reminders=[task_pb2.Reminder(minutes_before=10)])

    async def timers() -> list[str]:
        rows = await world.running.rows(
            "tasks", "SELECT due_at FROM timers WHERE tenant_id = $1", world.tenant.id
        )
        return [wall(to_timestamp(row["due_at"])) for row in rows]

    before = await timers()
    await desk(owner).MoveMeeting(
        meeting_verbs_pb2.MoveMeetingRequest(id=made.id, start_time=local("2030-03-26T10:00"))
    )
    moved = await timers()
    await desk(owner).DeleteMeeting(meeting_pb2.DeleteMeetingRequest(id=made.id))
    deleted = await timers()
    await desk(owner).UndeleteMeeting(meeting_pb2.UndeleteMeetingRequest(id=made.id))

    assert (before, moved, deleted) == (["2030-03-25T09:50"], ["2030-03-26T09:50"], [])
    assert await timers() == moved


async def test_a_meeting_is_made_once_though_the_body_runs_twice(world: MeetingWorld) -> None:
    owner = await world.colleague()
    id = uuid7()
    request = meeting_pb2.CreateMeetingRequest(meeting=draft(id=id), request_id="r1")

    first, second = await asyncio.gather(
        desk(owner).CreateMeeting(request), desk(owner).CreateMeeting(request)
    )

    assert first.id == second.id == id
    assert await world.count("meetings_history") == 1
    found = await until(lambda: world.events("MeetingScheduled"))
    assert len(found) == 1
