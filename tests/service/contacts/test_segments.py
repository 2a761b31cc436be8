"""Segments: whom they hold for whom, and each entering and leaving told once, with its cause."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.kit import counting
from chassis.testing.events import eventually
from crm.common.v1 import common_pb2
from crm.contacts.v1 import company_pb2, contact_pb2, customization_pb2, request_pb2
from crm.contacts.v1 import segment_pb2 as pb
from services.contacts import segments
from tests.service.contacts.groups import Groups
from tests.service.contacts.world import Refused, World

POLISH = "language = pl"


@pytest.fixture
def groups(world: World) -> Groups:
    return Groups(world)


def told(moves: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(m["type"], m.get("contactId") or m["companyId"]) for m in moves]


async def ask(world: World, contact_id: str) -> None:
    request = request_pb2.Request(text="Windows", contact_id=contact_id)
    await world.admin.CreateRequest(request_pb2.CreateRequestRequest(request=request))


async def test_a_segment_holds_whom_its_filter_selects(world: World, groups: Groups) -> None:
    jan, _ = (
        await world.contact(given_name="Jan", language="pl"),
        await world.contact(given_name="Budi", language="id"),
    )
    await world.contact(given_name="Ewa", language="pl")

    made = await groups.create(POLISH, label="  From   Poland ", description=" Speak Polish. ")

    assert (made.label, made.description, made.owner_id) == (
        "From Poland",
        "Speak Polish.",
        world.tenant.admin.id,
    )
    assert await groups.members(made, order_by="display_name") == ["Ewa", "Jan"]
    assert await groups.members(made, q="jan") == ["Jan"]
    count = await groups.count(made)
    assert (count.count, count.evaluating) == (2, False)
    assert count.HasField("evaluate_time")
    assert await groups.contains(made, contact_id=jan.id)


async def test_members_come_in_pages_and_a_changed_filter_ends_them(
    world: World, groups: Groups
) -> None:
    for name in ("A", "B", "C"):
        await world.contact(given_name=name, language="pl")
    made = await groups.create(POLISH)
    request = pb.ListSegmentMembersRequest(id=made.id, order_by="display_name", page_size=2)
    request.fields.paths.append("display_name")

    first = await groups.segments.ListSegmentMembers(request)
    request.page_token = first.next_page_token
    second = await groups.segments.ListSegmentMembers(request)

    assert [m.contact.display_name for m in (*first.members, *second.members)] == ["A", "B", "C"]
    assert not second.next_page_token
    assert not first.members[0].contact.language
    await groups.until_kept(made, *(m.contact.id for m in (*first.members, *second.members)))
    await groups.update(made.id, filter="language = id")
    await groups.moves(6)  # three have come, and three have gone
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "page_token"):
        await groups.segments.ListSegmentMembers(request)


async def test_companies_have_segments_too(world: World, groups: Groups) -> None:
    made = await groups.create('industry = "Windows"', resource="companies")
    company = company_pb2.Company(name="Okna", industry="Windows")
    firm = await world.admin.CreateCompany(company_pb2.CreateCompanyRequest(company=company))

    await groups.until_kept(made, firm.id)

    assert await groups.members(made) == ["Okna"]
    assert await groups.contains(made, company_id=firm.id)
    (move,) = await groups.moves(1)
    assert (move["type"], move["companyId"], move["segmentId"]) == (
        "CompanyEnteredSegment",
        firm.id,
        made.id,
    )


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"filter": "shoe_size > 4"}, "filter", "cannot filter by shoe_size"),
        ({"filter": "custom.shoe_size > 4"}, "filter", "cannot filter by custom.shoe_size"),
        (
            {"filter": "facts.last_contact_time < yesterday"},
            "filter",
            "must be a time with its zone",
        ),
        ({"filter": "language ="}, "filter", "expected a value after ="),
        ({"resource": "requests"}, "resource", "must be contacts or companies, got 'requests'"),
    ],
)
async def test_a_filter_that_cannot_be_followed_is_refused_by_name(
    world: World, groups: Groups, values: dict[str, str], field: str, said: str
) -> None:
    async with Refused(world, errors.InvalidArgument, "SEGMENT_INVALID", field):
        try:
            await groups.create(**{"filter": POLISH, **values}, told=False)
        except errors.CrmError as refusal:
            assert said in next(iter(refusal.violations)).description
            raise
    assert await world.count("segments") == 0


async def test_a_segment_stays_of_one_kind_of_records(world: World, groups: Groups) -> None:
    made = await groups.create(POLISH)
    async with Refused(world, errors.InvalidArgument, "SEGMENT_RESOURCE_FIXED", "resource"):
        await groups.update(made.id, resource="companies")
    async with Refused(world, errors.InvalidArgument, "SEGMENT_INVALID", "company_id"):
        await groups.contains(made, company_id=uuid7())
    async with Refused(world, errors.InvalidArgument, "SEGMENT_INVALID", "contact_id"):
        await groups.contains(made)
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "owner_id"):
        await groups.update(made.id, owner_id=uuid7())


async def test_custom_fields_labels_and_facts_make_segments(world: World, groups: Groups) -> None:
    field = common_pb2.CustomField(
        resource="contacts",
        key="shoe",
        label="Shoe",
        type=common_pb2.CUSTOM_FIELD_TYPE_NUMBER,
        filterable=True,
    )
    await world.admin.CreateCustomField(
        customization_pb2.CreateCustomFieldRequest(custom_field=field)
    )
    directory = world.running.process.directory
    await directory.until(
        lambda: directory.of(world.tenant.id).entry("custom_field", "contacts-shoe") is not None
    )
    contact = contact_pb2.Contact(given_name="Jan")
    contact.custom["shoe"].number_value = 44
    jan = await world.admin.CreateContact(contact_pb2.CreateContactRequest(contact=contact))
    made = await groups.create("custom.shoe > 43 AND facts.open_requests > 0")
    assert await groups.kept(made) == set()

    await ask(world, jan.id)

    await groups.until_kept(made, jan.id)
    (move,) = await groups.moves(1)
    assert (move["change"]["cause"]["kind"], move.get("segmentChanged", False)) == ("event", False)
    assert (move["segmentVersion"], move["segmentLabel"]) == ("1", "Group")


async def test_entering_and_leaving_are_told_once_for_each_change(
    world: World, groups: Groups
) -> None:
    made = await groups.create(POLISH)
    contact = await world.contact(given_name="Jan", language="pl")
    await groups.until_kept(made, contact.id)
    await groups.change(contact.id, position="Boss")  # still in it
    await groups.change(contact.id, language="id")
    await groups.until_kept(made)
    await groups.change(contact.id, language="pl")
    await groups.until_kept(made, contact.id)
    await world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=contact.id))
    await groups.until_kept(made)
    await world.admin.UndeleteContact(contact_pb2.UndeleteContactRequest(id=contact.id))
    await groups.until_kept(made, contact.id)

    moves = await groups.moves(5)
    entered, left = ("ContactEnteredSegment", contact.id), ("ContactLeftSegment", contact.id)
    assert told(moves) == [entered, left, entered, left, entered]
    assert {m["change"]["cause"]["kind"] for m in moves} == {"event"}


async def test_many_changes_at_once_are_told_once_each(world: World, groups: Groups) -> None:
    made = await groups.create("facts.open_requests >= 1")
    people = [await world.contact(given_name=f"P{n}") for n in range(6)]

    await asyncio.gather(*(ask(world, person.id) for person in people for _ in range(4)))

    await groups.until_kept(made, *(person.id for person in people))
    await groups.until_facts(people[0].id, open_requests=4)
    assert sorted(told(await groups.moves(6))) == sorted(
        ("ContactEnteredSegment", p.id) for p in people
    )


async def test_a_changed_segment_tells_its_own_change_as_cause(
    world: World, groups: Groups
) -> None:
    jan, budi = (
        await world.contact(given_name="Jan", language="pl"),
        await world.contact(given_name="Budi", language="id"),
    )
    made = await groups.create(POLISH)
    assert await groups.kept(made) == {jan.id}

    changed = await groups.update(made.id, filter="language = id")
    await groups.told(changed)

    assert await groups.kept(made) == {budi.id}
    moves = await groups.moves(3)
    assert told(moves) == [
        ("ContactEnteredSegment", jan.id), ("ContactEnteredSegment", budi.id), ("ContactLeftSegment", jan.id),
    ]  # fmt: skip
    assert {(m["change"]["cause"]["kind"], m["segmentChanged"]) for m in moves} == {
        ("segment_changed", True)
    }
    assert [m["segmentVersion"] for m in moves] == ["1", "2", "2"]


async def test_another_label_concerns_nobody(world: World, groups: Groups) -> None:
    await world.contact(given_name="Jan", language="pl")
    made = await groups.create(POLISH)
    operations = await world.count("operations")

    await groups.update(made.id, label="Poles")

    assert not (await groups.count(made)).evaluating
    assert await world.count("operations") == operations
    await groups.moves(1)


async def test_nobody_is_in_a_deleted_segment_until_it_comes_back(
    world: World, groups: Groups
) -> None:
    jan = await world.contact(given_name="Jan", language="pl")
    made = await groups.create(POLISH)

    deleted = await groups.segments.DeleteSegment(pb.DeleteSegmentRequest(id=made.id))
    await groups.told(deleted)
    assert await groups.kept(made) == set()
    with pytest.raises(errors.NotFound):
        await groups.members(made)
    back = await groups.segments.UndeleteSegment(pb.UndeleteSegmentRequest(id=made.id))
    await groups.told(back)

    assert await groups.kept(made) == {jan.id}
    assert [type for type, _ in told(await groups.moves(3))] == [
        "ContactEnteredSegment", "ContactLeftSegment", "ContactEnteredSegment",
    ]  # fmt: skip


async def test_time_alone_moves_people_at_night(world: World, groups: Groups) -> None:
    jan = await world.contact(given_name="Jan")
    await ask(world, jan.id)
    await groups.until_facts(jan.id, open_requests=1)
    made = await groups.create("facts.last_contact_time < now-90d")
    plain = await groups.create(POLISH)
    assert (made.time_dependent, plain.time_dependent) == (True, False)
    timers = "SELECT key, due_at FROM timers WHERE tenant_id = $1 AND kind = 'segment-night'"
    (timer,) = await world.running.rows("contacts", timers, world.tenant.id)
    assert str(timer["key"]) == made.id
    assert await groups.kept(made) == set()

    # The clock cannot be moved for one test of a shared process, so the touch and the timer are.
    move = "UPDATE contacts SET fact_last_contact_time = now() - interval '91 days' WHERE tenant_id = $1"
    await world.running.rows("contacts", move, world.tenant.id)
    fire = "UPDATE timers SET due_at = now(), try_at = now() WHERE tenant_id = $1 AND kind = 'segment-night'"
    await world.running.rows("contacts", fire, world.tenant.id)

    await groups.until_kept(made, jan.id)
    (entered,) = await groups.moves(1)
    assert (entered["change"]["cause"]["kind"], entered.get("segmentChanged", False)) == (
        "timer",
        False,
    )
    (again,) = await world.running.rows("contacts", timers, world.tenant.id)
    assert (again["due_at"].hour, again["due_at"].minute) in (
        (22, 5),
        (23, 5),
    )  # 00:05 in Warsaw, in UTC

    await groups.update(made.id, filter=POLISH)
    assert await world.running.rows("contacts", timers, world.tenant.id) == []


async def test_an_evaluation_can_be_asked_for_and_repairs(world: World, groups: Groups) -> None:
    jan = await world.contact(given_name="Jan", language="pl")
    made = await groups.create(POLISH)
    await world.running.rows(
        "contacts", "DELETE FROM segment_members WHERE segment_id = $1", made.id
    )
    operation = await groups.finished(
        await groups.segments.EvaluateSegment(pb.EvaluateSegmentRequest(id=made.id))
    )

    result = pb.SegmentEvaluation()
    operation.response.Unpack(result)
    assert (result.entered, result.left, result.superseded, result.segment_version) == (
        1,
        0,
        False,
        1,
    )
    assert await groups.kept(made) == {jan.id}


async def test_a_segment_whose_custom_field_is_gone_holds_back_nothing_else(
    world: World, groups: Groups
) -> None:
    field = common_pb2.CustomField(
        resource="contacts",
        key="shoe",
        label="Shoe",
        type=common_pb2.CUSTOM_FIELD_TYPE_NUMBER,
        filterable=True,
    )
    made = await world.admin.CreateCustomField(
        customization_pb2.CreateCustomFieldRequest(custom_field=field)
    )
    directory = world.running.process.directory
    await directory.until(
        lambda: directory.of(world.tenant.id).entry("custom_field", "contacts-shoe") is not None
    )
    broken, sound = await groups.create("custom.shoe > 43"), await groups.create(POLISH)
    revision = directory.revision(world.tenant.id)
    await world.admin.DeleteCustomField(customization_pb2.DeleteCustomFieldRequest(id=made.id))
    await directory.until(lambda: directory.revision(world.tenant.id) > revision)

    jan = await world.contact(given_name="Jan", language="pl")

    await groups.until_kept(sound, jan.id)
    async with Refused(world, errors.InvalidArgument, "SEGMENT_INVALID", "filter"):
        await groups.count(broken)


async def test_an_evaluation_under_way_ends_at_a_newer_version(
    world: World, groups: Groups
) -> None:
    for number in range(30):
        await world.contact(given_name=f"P{number}", language="pl" if number % 2 else "id")
    made = await groups.create("language = xx", told=False)
    for language in ("pl", "id", "pl", "id"):
        last = await groups.update(made.id, filter=f"language = {language}")

    await groups.told(last)

    async def at_rest() -> bool:
        open_ = "SELECT FROM operations WHERE tenant_id = $1 AND state IN ('queued', 'running')"
        return not await world.running.rows("contacts", open_, world.tenant.id)

    await eventually(at_rest, "all operations")
    assert len(await groups.kept(made)) == 15
    assert sorted(await groups.members(made)) == sorted(f"P{n}" for n in range(0, 30, 2))


async def test_a_batch_that_is_done_again_after_a_kill_tells_nothing_more(
    world: World, groups: Groups
) -> None:
    people = [await world.contact(given_name=f"P{n}", language="pl") for n in range(5)]
    made = await groups.create(POLISH, told=False)
    runtime = world.running.process.runtimes["contacts"]
    place = {"phase": "enter", "after": counting.FIRST_ID, "version": 0, "entered": 0, "left": 0}

    async def again() -> None:
        cause = Cause("segment_changed", uuid7())
        await runtime.run_system(
            world.tenant.id, cause, lambda tx: segments._step(tx, made.id, place)
        )

    await asyncio.gather(*(again() for _ in range(4)))  # beside the operation itself
    await groups.told(made)

    assert await groups.kept(made) == {person.id for person in people}
    assert len(await groups.moves(5)) == 5
