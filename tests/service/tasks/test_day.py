"""The day of one person: every reason, whose it is, who may see it, and its pages."""

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import field_mask_pb2

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.common.v1.common_pb2 import Link
from crm.contacts.v1 import duplicate_events_pb2, events_pb2, note_events_pb2, privacy_events_pb2
from crm.contacts.v1.agreement_pb2 import Agreement
from crm.contacts.v1.request_pb2 import Request
from crm.tasks.v1 import day_pb2 as pb
from crm.tasks.v1 import meeting_pb2, task_pb2, task_settings_pb2, task_verbs_pb2
from crm.tasks.v1.ladders_service_pb2_grpc import LaddersServiceStub
from tests.service.tasks.days import (
    SELLER,
    Told,
    ago,
    codes,
    dated,
    day,
    now,
    today,
    zone_where_it_is,
)
from tests.service.tasks.meeting_world import desk, until
from tests.service.tasks.world import Refused, World

NOON = zone_where_it_is(12)


@pytest_asyncio.fixture
async def told(world: World) -> Told:
    return Told(world)


@pytest_asyncio.fixture
async def anna(world: World) -> Person:
    return await world.tenant.person(SELLER, time_zone=NOON)


async def task(world: World, owner: Person, hours: float | None = None, **given: Any) -> Any:
    """A task of this person that is due so many hours from now."""
    if hours is not None:
        given["due_time"] = to_timestamp(now() + timedelta(hours=hours))
    return await world.make(owner_id=owner.id, **given)


async def test_a_day_has_one_line_for_a_customer_with_all_reasons_in_order(
    world: World, anna: Person, told: Told
) -> None:
    born = dated(today(NOON))
    born.year = 1990
    jan = await told.contact(anna, birthday=born, next_contact_date=dated(today(NOON)))
    late = await task(world, anna, -50, contact_id=jan.id)
    soon = await task(world, anna, 1, contact_id=jan.id)
    tomorrow = await task(world, anna, 30, contact_id=jan.id)
    other = await task(world, anna, -1)

    read = await day(anna)

    assert codes(read) == [["OVERDUE", "DUE_TODAY", "NEXT_CONTACT", "BIRTHDAY"], ["OVERDUE"]]
    first = read.lines[0]
    assert (first.contact_id, first.reasons[0].task_id, first.reasons[0].days) == (
        jan.id,
        late.id,
        2,
    )
    assert (first.reasons[1].task_id, first.reasons[1].subject) == (soon.id, "Call back")
    assert first.reasons[3].years == today(NOON).year - 1990
    assert read.lines[1].reasons[0].task_id == other.id
    assert (read.date, read.zone, read.user_id) == (dated(today(NOON)), NOON, anna.id)
    assert (read.line_count, read.more, read.next_page_token) == (2, False, "")
    assert [(each.code, each.count) for each in read.counts] == [
        (pb.DayReason.CODE_OVERDUE, 2), (pb.DayReason.CODE_DUE_TODAY, 1),
        (pb.DayReason.CODE_NEXT_CONTACT, 1), (pb.DayReason.CODE_BIRTHDAY, 1),
    ]  # fmt: skip
    assert tomorrow.id not in str(read)


async def test_what_is_done_is_not_in_the_day_any_more(world: World, anna: Person) -> None:
    made = await task(world, anna, -1)
    assert codes(await day(anna)) == [["OVERDUE"]]

    await world.admin.CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=made.id))

    assert codes(await day(anna)) == []


async def test_a_customer_who_waits_comes_first_whenever_the_deadline_is(
    world: World, anna: Person, told: Told
) -> None:
    asked = Request(id=uuid7(), contact_id=uuid7(), owner_id=anna.id, state=Request.STATE_ASSIGNED)
    await task(world, anna, -5)
    await task(world, anna, -2, link=Link(call_id=uuid7()))

    await told.event(events_pb2.RequestReceived(request=asked))

    async def waits() -> Any:
        read = await day(anna)
        return read if len(read.lines) == 3 else None

    read = await until(waits)
    assert codes(read) == [["REACTION_CLOCK"], ["CALL_TO_RETURN"], ["OVERDUE"]]
    assert read.lines[0].contact_id == asked.contact_id


async def test_meetings_and_visits_of_today_stand_by_their_hour(world: World, anna: Person) -> None:
    start = now() + timedelta(hours=3)
    met = await desk(anna).CreateMeeting(
        meeting_pb2.CreateMeetingRequest(
            meeting=meeting_pb2.Meeting(
                subject="Plan", start_time=to_timestamp(start), zone="UTC",
                end_time=to_timestamp(start + timedelta(hours=1)), travel_minutes=20, company_id=uuid7(),
            )
        )
    )  # fmt: skip
    appointment = to_timestamp(now() + timedelta(hours=2))
    visit = task_pb2.Visit(place="Lipowa 3", appointment_time=appointment, travel_minutes=30)
    measured = await task(world, anna, visit=visit)
    called = await task(world, anna, 1)

    read = await day(anna)

    assert codes(read) == [["DUE_TODAY"], ["VISIT"], ["MEETING"]]
    due, visited, meeting = (line.reasons[0] for line in read.lines)
    assert (due.task_id, visited.task_id, meeting.meeting_id) == (called.id, measured.id, met.id)
    assert visited.departure_time == to_timestamp(now_of(appointment) - timedelta(minutes=30))
    assert meeting.departure_time == to_timestamp(start - timedelta(minutes=20))
    assert read.lines[2].company_id == met.company_id


def now_of(stamp: Any) -> Any:
    return stamp.ToDatetime(tzinfo=now().tzinfo)


async def test_a_step_without_an_hour_comes_after_those_with_one(
    world: World, anna: Person
) -> None:
    deal = uuid7()
    whole = await task(world, anna, 1, all_day=True, due_zone=NOON, link=Link(deal_id=deal))
    begun = await world.make(owner_id=anna.id, start_time=to_timestamp(ago(days=2)))
    await world.make(owner_id=anna.id)  # some time, if ever

    read = await day(anna)

    assert codes(read) == [["NEXT_STEP"], ["NEXT_STEP"]]
    assert [line.reasons[0].task_id for line in read.lines] == [begun.id, whole.id]
    assert read.lines[1].matter.deal_id == deal
    assert read.lines[1].reasons[0].date == dated(today(NOON))


# -- what contacts told ----------------------------------------------------------------------------------------------------


async def test_agreements_are_in_the_day_of_who_sees_to_them(
    world: World, anna: Person, told: Told
) -> None:
    contact = await told.contact(None)
    made = await told.agreement(anna, today(NOON) - timedelta(days=3), contact_id=contact.id)
    await told.agreement(anna, today(NOON) + timedelta(days=1), contact_id=contact.id)

    read = await day(anna)

    assert codes(read) == [["AGREEMENT"]]
    reason = read.lines[0].reasons[0]
    assert (reason.agreement_id, reason.days, read.lines[0].contact_id) == (made.id, 3, contact.id)
    made.state = Agreement.STATE_KEPT
    await told.event(note_events_pb2.AgreementKept(agreement=made), version=2)
    assert codes(await day(anna)) == []


async def test_who_was_not_spoken_to_for_long_goes_cold_unless_something_is_planned(
    world: World, anna: Person, told: Told
) -> None:
    long_ago = {"create_time": to_timestamp(ago(days=40))}
    cold = await told.contact(anna, **long_ago)
    firm = await told.company(anna, **long_ago)
    planned = await told.contact(anna, **long_ago)
    await task(world, anna, 200, contact_id=planned.id)
    await told.contact(anna, next_contact_date=dated(today(NOON) + timedelta(days=5)), **long_ago)
    spoken = await told.contact(anna, **long_ago)
    answered = events_pb2.RequestAnswered(request=Request(id=uuid7(), contact_id=spoken.id))
    await told.event(answered, at=ago(days=10))

    read = await day(anna)

    assert codes(read) == [["GOING_COLD"], ["GOING_COLD"]]
    assert {read.lines[0].contact_id, read.lines[1].contact_id} == {cold.id, ""}
    assert {line.company_id for line in read.lines} == {"", firm.id}
    assert {line.reasons[0].days for line in read.lines} == {40}


@pytest.mark.parametrize(("days", "cold"), [(5, 1), (20, 0), (0, 0)])
async def test_the_company_says_how_long_is_long(
    world: World, anna: Person, told: Told, days: int, cold: int
) -> None:
    settings = task_settings_pb2.UpdateTaskSettingsRequest(
        task_settings=task_settings_pb2.TaskSettings(going_cold_days=days),
        update_mask=field_mask_pb2.FieldMask(paths=["going_cold_days"]),
    )
    await world.tenant.admin.stub(LaddersServiceStub).UpdateTaskSettings(settings)
    await told.contact(anna, create_time=to_timestamp(ago(days=10)))

    assert len((await day(anna)).lines) == cold


async def test_something_older_changes_nothing(world: World, anna: Person, told: Told) -> None:
    id, due = uuid7(), dated(today(NOON))
    await told.contact(anna, version=3, id=id, next_contact_date=due)

    await told.contact(anna, version=2, id=id)
    assert codes(await day(anna)) == [["NEXT_CONTACT"]]
    await told.contact(anna, version=4, id=id)
    assert codes(await day(anna)) == []


async def test_a_customer_of_somebody_else_or_a_deleted_one_is_in_nobodys_day(
    world: World, anna: Person, told: Told
) -> None:
    due = {"next_contact_date": dated(today(NOON))}
    bob = await world.tenant.person(SELLER, time_zone=NOON)
    given_on = await told.contact(anna, **due)
    gone = await told.contact(anna, **due)

    await told.contact(bob, version=2, id=given_on.id, **due)
    gone.delete_time.CopyFrom(to_timestamp(now()))
    await told.event(events_pb2.ContactDeleted(contact=gone), version=2)

    assert codes(await day(anna)) == []
    assert codes(await day(bob)) == [["NEXT_CONTACT"]]
    gone.ClearField("delete_time")
    await told.event(events_pb2.ContactUndeleted(contact=gone), version=3)
    assert codes(await day(anna)) == [["NEXT_CONTACT"]]


async def test_a_merge_takes_the_last_contact_and_the_agreements_along(
    world: World, anna: Person, told: Told
) -> None:
    long_ago = {"create_time": to_timestamp(ago(days=40))}
    survivor = await told.contact(anna, **long_ago)
    merged = await told.contact(None, **long_ago)
    spoken = events_pb2.RequestAnswered(request=Request(id=uuid7(), contact_id=merged.id))
    await told.event(spoken, at=ago(days=1))
    await told.agreement(anna, today(NOON), contact_id=merged.id)

    event = duplicate_events_pb2.ContactMerged(
        merge_id=uuid7(), contact_id=survivor.id, merged_ids=[merged.id]
    )
    await told.event(event)

    read = await day(anna)
    assert codes(read) == [["AGREEMENT"]]
    assert read.lines[0].contact_id == survivor.id


async def test_nothing_is_left_of_somebody_who_was_erased_whatever_is_heard_late(
    world: World, anna: Person, told: Told
) -> None:
    born = dated(today(NOON))
    jan = await told.contact(anna, birthday=born)
    agreed = await told.agreement(anna, today(NOON), contact_id=jan.id)

    await told.event(privacy_events_pb2.ContactErased(erasure_id=uuid7(), contact_id=jan.id))
    await told.contact(anna, version=9, id=jan.id, birthday=born)
    await told.event(
        events_pb2.RequestAnswered(request=Request(id=uuid7(), contact_id=jan.id)), at=now()
    )
    await told.event(note_events_pb2.AgreementUpdated(agreement=agreed), version=2)

    assert codes(await day(anna)) == []
    rows = await world.running.rows(
        "tasks", "SELECT * FROM day_parties WHERE tenant_id = $1", world.tenant.id
    )
    (row,) = rows
    assert (row["owner_id"], row["birth_day"], row["birth_year"], row["touch_time"].year) == (
        None,
        0,
        0,
        1970,
    )
    assert await world.count("day_agreements") == 0


# -- who sees what ---------------------------------------------------------------------------------------------------------


async def test_a_head_reads_the_days_of_his_people_and_nobody_else_does(
    world: World, told: Told
) -> None:
    sales = await world.tenant.department()
    anna = await world.tenant.person(SELLER, department_id=sales, time_zone=NOON)
    bob = await world.tenant.person(SELLER, department_id=sales)
    subtree = [{"object": "task", "action": "read", "scope": "subtree"}]
    head = await world.tenant.person(subtree, department_id=sales)
    await task(world, anna, -1)
    await told.contact(anna, next_contact_date=dated(today(NOON)))

    assert codes(await day(head, anna.id)) == [["OVERDUE"]]  # he reads no customers
    assert len((await day(anna)).lines) == 2
    async with Refused(world, errors.PermissionDenied, "DAY_NOT_YOURS"):
        await day(bob, anna.id)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await day(bob, uuid7())
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "user_id"):
        await day(bob, "nobody")


async def test_hidden_fields_are_in_no_reason(world: World, told: Told) -> None:
    hidden = ["contact.birthday", "contact.next_contact_date", "task.subject"]
    clerk = await world.tenant.person(SELLER, time_zone=NOON, hidden=hidden)
    due = dated(today(NOON))
    await told.contact(clerk, birthday=due, next_contact_date=due)
    await task(world, clerk, -1)

    read = await day(clerk)

    assert codes(read) == [["OVERDUE"]]
    assert read.lines[0].reasons[0].subject == ""


# -- pages -----------------------------------------------------------------------------------------------------------------


async def test_pages_hold_every_line_once_in_one_order(world: World, anna: Person) -> None:
    for minutes in (5, 3, 9, 3, 1):
        await task(world, anna, -minutes / 60)
    whole = await day(anna)

    seen, token = [], ""
    for _ in range(3):
        page = await day(anna, page_size=2, page_token=token)
        seen += list(page.lines)
        token = page.next_page_token
    assert token == ""
    assert seen == list(whole.lines)


async def test_a_token_of_another_day_is_refused(world: World, anna: Person) -> None:
    for _ in range(2):
        await task(world, anna, -1)
        await task(world, world.tenant.admin, -1)
    token = (await day(world.tenant.admin, page_size=1)).next_page_token
    assert token
    await world.events("DeadlineMissed", 4)

    for wrong in (token, "x"):
        async with Refused(world, errors.InvalidArgument, "INVALID_ARGUMENT", "page_token"):
            await day(anna, page_token=wrong)
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "page_size"):
        await day(anna, page_size=201)
