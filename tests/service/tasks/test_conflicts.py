"""Conflicts with the way, free slots within everybody's hours, and two bookers of one slot."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.testing.installation import Person
from chassis.tx import Tx
from crm.tasks.v1 import meeting_pb2, meeting_verbs_pb2, task_pb2, task_verbs_pb2
from services.tasks import saving
from tests.service.tasks.meeting_world import (
    WEEK,
    MeetingWorld,
    Participant,
    book,
    desk,
    invited,
    local,
    schedule,
    until,
    wall,
)
from tests.service.tasks.world import Refused

Busy = meeting_verbs_pb2.Busy


@pytest.fixture
def world(running: Any, tenant: Any) -> MeetingWorld:
    return MeetingWorld(running, tenant)


async def conflicts(by: Person, start: str, end: str, *people: Person, **given: Any) -> list[Busy]:
    found = await desk(by).FindConflicts(
        meeting_verbs_pb2.FindConflictsRequest(
            user_ids=[p.id for p in people], start_time=local(start), end_time=local(end), **given
        )
    )
    return list(found.conflicts)


async def slots(by: Person, start: str, end: str, *people: Person, **given: Any) -> list[str]:
    found = await desk(by).FindFreeSlots(
        meeting_verbs_pb2.FindFreeSlotsRequest(
            **{
                "user_ids": [p.id for p in people], "start_time": local(start), "end_time": local(end),
                "duration_minutes": 60, "step_minutes": 60, "zone": "Europe/Warsaw", **given,
            }
        )
    )  # fmt: skip
    return [wall(slot.start_time)[5:] for slot in found.slots]


def at_lipowa(at: str, **given: Any) -> task_pb2.Visit:
    return task_pb2.Visit(
        place="Lipowa 3",
        appointment_time=local(at),
        duration_minutes=60,
        travel_minutes=30,
        **given,
    )


async def visit(
    world: MeetingWorld, by: Person, at: str, *, exclusive: bool = False, **given: Any
) -> task_pb2.Task:
    place = at_lipowa(at, exclusive=exclusive)
    return await world.make(by, subject="Measure", visit=place, **given)


async def test_meetings_visits_and_absences_take_time_with_the_way(world: MeetingWorld) -> None:
    away = {
        "id": "a", "delegate_id": "", "from": datetime(2030, 3, 25, 14, tzinfo=UTC).timestamp(),
        "until": datetime(2030, 3, 25, 22, tzinfo=UTC).timestamp(),
    }  # fmt: skip
    ana, jan = await world.colleague(absences=[away]), await world.colleague()
    met = await schedule(jan, "2030-03-25T10:00", participants=invited(ana), travel_minutes=15)
    seen = await visit(world, ana, "2030-03-25T13:00")

    whole = await conflicts(jan, "2030-03-25T00:00", "2030-03-26T00:00", ana)
    before = await conflicts(ana, "2030-03-25T08:00", "2030-03-25T09:45", ana)
    with_way = await conflicts(ana, "2030-03-25T08:00", "2030-03-25T09:45", ana, travel_minutes=5)
    without = await conflicts(
        ana, "2030-03-25T09:00", "2030-03-25T12:00", ana, except_meeting_id=met.id
    )

    assert [(b.kind, wall(b.start_time)[11:], wall(b.end_time)[11:]) for b in whole] == [
        (Busy.KIND_MEETING, "09:45", "11:15"),
        (Busy.KIND_VISIT, "12:30", "14:30"),
        (Busy.KIND_ABSENCE, "15:00", "23:00"),
    ]
    # Jan organises the meeting and may not read Ana's visit.
    assert [(b.record_id, b.subject) for b in whole] == [
        (met.id, "Plan the spring"),
        ("", ""),
        ("", ""),
    ]
    assert seen.visit.departure_time == local("2030-03-25T12:30")
    assert (before, len(with_way), without) == ([], 1, [])


async def test_a_declined_cancelled_or_deleted_meeting_takes_no_time(world: MeetingWorld) -> None:
    ana, jan = await world.colleague(), await world.colleague()
    declined, cancelled, deleted = [
        await schedule(jan, f"2030-03-25T{hour}:00", participants=invited(ana))
        for hour in ("09", 10, 11)
    ]
    await desk(ana).AnswerMeeting(
        meeting_verbs_pb2.AnswerMeetingRequest(id=declined.id, answer=Participant.ANSWER_DECLINED)
    )
    await desk(jan).CancelMeeting(meeting_verbs_pb2.CancelMeetingRequest(id=cancelled.id))
    await desk(jan).DeleteMeeting(meeting_pb2.DeleteMeetingRequest(id=deleted.id))

    assert await conflicts(jan, "2030-03-25T00:00", "2030-03-26T00:00", ana) == []
    found = await conflicts(jan, "2030-03-25T00:00", "2030-03-26T00:00", jan)
    assert [b.record_id for b in found] == [declined.id]


async def test_free_slots_lie_within_everybodys_hours_in_his_own_zone(world: MeetingWorld) -> None:
    # Both days of the change: Warsaw's clock on Sunday 31 March 2030, so Monday is 9 to 17 at +02:00.
    ana = await world.colleague(working_hours=WEEK, time_zone="Europe/Warsaw")
    bob = await world.colleague(working_hours=WEEK, time_zone="Europe/London")
    await schedule(ana, "2030-04-01T11:00", travel_minutes=30)

    alone = await slots(ana, "2030-03-29T15:00", "2030-04-02T00:00", ana)
    both = await slots(ana, "2030-03-29T00:00", "2030-04-02T00:00", ana, bob, max_slots=1000)
    far = await slots(ana, "2030-04-01T00:00", "2030-04-02T00:00", ana, travel_minutes=45)

    assert alone == [
        "03-29T15:00", "03-29T16:00", "04-01T09:00", "04-01T13:00", "04-01T14:00", "04-01T15:00", "04-01T16:00",
    ]  # fmt: skip
    assert both == [
        *(f"03-29T{hour}:00" for hour in range(10, 17)), *(f"04-01T{hour}:00" for hour in range(13, 17)),
    ]  # fmt: skip
    assert far == [
        "04-01T14:00",
        "04-01T15:00",
        "04-01T16:00",
    ]  # 13:00 less the way is 12:15, while she returns


async def test_slots_come_in_pages_and_not_from_the_past(world: MeetingWorld) -> None:
    ana = await world.colleague()
    ask = {"user_ids": [ana.id], "duration_minutes": 30, "max_slots": 3}
    found = await desk(ana).FindFreeSlots(
        meeting_verbs_pb2.FindFreeSlotsRequest(
            start_time=local("2030-03-25T10:10"), end_time=local("2030-03-25T13:00"), **ask
        )
    )
    past = await desk(ana).FindFreeSlots(
        meeting_verbs_pb2.FindFreeSlotsRequest(
            start_time=local("2020-03-25T10:10"), end_time=local("2020-03-25T13:00"), **ask
        )
    )

    assert [wall(slot.start_time)[11:] for slot in found.slots] == ["10:30", "11:00", "11:30"]
    assert (found.more, list(past.slots)) == (True, [])


async def test_searches_have_limits(world: MeetingWorld) -> None:
    ana = await world.colleague()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "end_time"):
        await slots(ana, "2030-03-01T00:00", "2030-05-01T00:00", ana)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "end_time"):
        await conflicts(ana, "2030-03-02T00:00", "2030-03-01T00:00", ana)
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "user_ids"):
        nobody = Person(world.running, "", "019a0000-0000-7000-8000-000000000000")
        await conflicts(ana, "2030-03-01T00:00", "2030-03-02T00:00", nobody)
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "duration_minutes"):
        await slots(ana, "2030-03-01T00:00", "2030-03-02T00:00", ana, duration_minutes=4)
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "user_ids"):
        await conflicts(ana, "2030-03-01T00:00", "2030-03-02T00:00", *[ana] * 21)


async def test_of_twenty_bookers_of_one_slot_one_wins(world: MeetingWorld) -> None:
    room = await world.colleague()
    bookers = [await world.colleague() for _ in range(20)]

    answers = await asyncio.gather(
        *(book(by, participants=invited(room)) for by in bookers), return_exceptions=True
    )
    won = [each for each in answers if isinstance(each, meeting_pb2.Meeting)]
    lost = [each for each in answers if isinstance(each, errors.CrmError)]

    assert (len(won), len(lost)) == (1, 19)
    assert {each.reason for each in lost} == {"MEETING_CONFLICT"}
    assert await world.count("meetings_history") == 1
    assert len(await world.events("MeetingScheduled")) == 1


async def test_bookers_of_each_other_never_wait_in_a_circle(world: MeetingWorld) -> None:
    people = [await world.colleague() for _ in range(6)]

    async def one(number: int) -> Any:
        by, others = people[number], [p for p in people if p is not people[number]]
        return await book(by, f"2030-03-25T{8 + number:02}:00", participants=invited(*others[::-1]))

    made = await asyncio.gather(*(one(number) for number in range(6)))

    assert len({each.id for each in made}) == 6


async def test_a_conflict_names_who_and_when_and_what_the_caller_may_read(
    world: MeetingWorld,
) -> None:
    ana, jan, eva = [await world.colleague(name=name) for name in ("Ana", "Jan", "Eva")]
    await schedule(ana, "2030-03-25T10:00", participants=invited(jan), travel_minutes=30)

    async with Refused(
        world, errors.Aborted, "MEETING_CONFLICT", "start_time", "start_time"
    ) as known:
        await book(jan, "2030-03-25T11:00", participants=invited(ana))
    async with Refused(world, errors.Aborted, "MEETING_CONFLICT", "start_time") as unknown:
        await book(eva, "2030-03-25T11:00", participants=invited(ana))

    when = "is busy from 2030-03-25 09:30 until 2030-03-25 11:30 Europe/Warsaw"
    assert {v.description for v in known.error.violations} == {
        f"Ana {when} (Plan the spring)", f"Jan {when} (Plan the spring)",
    }  # fmt: skip
    assert [v.description for v in unknown.error.violations] == [f"Ana {when}"]


async def test_a_row_is_booked_only_if_every_time_is_free(world: MeetingWorld) -> None:
    ana = await world.colleague()
    await schedule(ana, "2030-04-08T10:30")
    weekly = {"recurrence": "FREQ=WEEKLY;COUNT=4"}

    async with Refused(world, errors.Aborted, "MEETING_CONFLICT", "start_time"):
        await book(ana, "2030-03-25T10:00", **weekly)
    free = await book(ana, "2030-03-25T10:00", excluded_times=[local("2030-04-08T10:00")], **weekly)

    assert len(free.excluded_times) == 1


async def test_an_exclusive_move_needs_free_people_and_does_not_meet_itself(
    world: MeetingWorld,
) -> None:
    ana = await world.colleague()
    made = await schedule(ana, "2030-03-25T10:00")
    await schedule(ana, "2030-03-25T13:00")
    move = meeting_verbs_pb2.MoveMeetingRequest

    moved = await desk(ana).MoveMeeting(
        move(id=made.id, start_time=local("2030-03-25T10:30"), exclusive=True)
    )
    async with Refused(world, errors.Aborted, "MEETING_CONFLICT", "start_time"):
        await desk(ana).MoveMeeting(
            move(id=made.id, start_time=local("2030-03-25T12:30"), exclusive=True)
        )

    assert wall(moved.start_time) == "2030-03-25T10:30"


# -- visits ----------------------------------------------------------------------------------------------------------------


async def test_a_booker_waits_for_the_visit_that_is_being_made(world: MeetingWorld) -> None:
    ana, eva = await world.colleague(), await world.colleague()
    bookings: list[asyncio.Task[Any]] = []

    async def make(tx: Tx) -> None:
        task = task_pb2.Task(
            subject="Measure", owner_id=ana.id, visit=at_lipowa("2030-03-25T10:30")
        )
        await saving.create(tx, task)
        bookings.append(asyncio.create_task(book(eva, participants=invited(ana))))
        await until(waits)  # the visit is not committed before somebody books its assignee

    async def waits() -> bool:
        sql = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool((await world.running.rows("tasks", sql))[0]["n"])

    await world.running.process.runtimes["tasks"].run_system(world.tenant.id, Cause("setup"), make)

    with pytest.raises(errors.Aborted) as refused:
        await bookings[-1]
    assert refused.value.reason == "MEETING_CONFLICT"
    assert await world.count("meetings_history") == 0


async def test_of_visits_and_meetings_that_want_one_slot_at_once_one_gets_it(
    world: MeetingWorld,
) -> None:
    ana = await world.colleague()
    makers = [await world.colleague() for _ in range(16)]
    wanted = [
        book(by, participants=invited(ana))
        if number % 2
        else visit(world, by, "2030-03-25T10:30", exclusive=True, owner_id=ana.id)
        for number, by in enumerate(makers)
    ]

    answers = await asyncio.gather(*wanted, return_exceptions=True)

    lost = [each for each in answers if isinstance(each, errors.CrmError)]
    assert {each.reason for each in lost} == {"MEETING_CONFLICT"}
    assert len(lost) == len(makers) - 1
    assert await world.count("meetings_history") + await world.count("tasks_history") == 1


async def test_an_exclusive_visit_needs_its_assignee_free_whenever_it_takes_his_time(
    world: MeetingWorld,
) -> None:
    ana, eva = await world.colleague(name="Ana"), await world.colleague(name="Eva")
    await visit(world, ana, "2030-03-25T10:00")
    field = "visit.appointment_time"
    async with Refused(world, errors.Aborted, "MEETING_CONFLICT", field) as refused:
        await visit(world, ana, "2030-03-25T11:30", exclusive=True)
    later = await visit(world, ana, "2030-03-25T12:00", exclusive=True)

    async def update(**place: Any) -> task_pb2.Task:
        task = task_pb2.Task(id=later.id, visit=at_lipowa(**place))
        request = task_pb2.UpdateTaskRequest(task=task, update_mask={"paths": ["visit"]})
        return await world.stub(ana).UpdateTask(request)

    async with Refused(world, errors.Aborted, "MEETING_CONFLICT", field):
        await update(at="2030-03-25T11:00", exclusive=True)
    assert (await update(at="2030-03-25T13:00", exclusive=True)).visit.exclusive
    await visit(world, eva, "2030-03-25T13:00")
    async with Refused(world, errors.Aborted, "MEETING_CONFLICT", field):
        await world.admin.AssignTask(task_verbs_pb2.AssignTaskRequest(id=later.id, owner_id=eva.id))
    # Ana is back at 11:30 and would have to leave at 11:00; she may do that knowingly.
    assert (await update(at="2030-03-25T11:30")).visit.appointment_time == local("2030-03-25T11:30")
    assert "Ana is busy from 2030-03-25 08:30 until 2030-03-25 10:30 UTC" in str(refused.error)
