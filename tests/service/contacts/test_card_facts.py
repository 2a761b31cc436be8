"""The facts of a card follow the events, stand beside the record, and are shown to whoever may see them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.contracts import message_class
from chassis.keys import uuid7
from chassis.settling import settled
from chassis.testing.events import eventually
from chassis.times import to_datetime, to_timestamp
from chassis.tx import EventMeta
from crm.contacts.v1 import card_facts_pb2 as pb
from crm.contacts.v1 import company_pb2, contact_pb2, events_pb2, request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from services.contacts import facts
from services.contacts.rules.card_facts import Item
from tests.service.contacts.groups import Groups
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]


@pytest.fixture
def groups(world: World) -> Groups:
    return Groups(world)


async def ask(world: World, **values: Any) -> request_pb2.Request:
    request = request_pb2.Request(text="Windows", **values)
    return await world.admin.CreateRequest(request_pb2.CreateRequestRequest(request=request))


async def answer(world: World, id: str) -> request_pb2.Request:
    return await world.admin.AnswerRequest(verbs.AnswerRequestRequest(id=id))


async def listed(world: World, **asked: Any) -> list[str]:
    found = await world.admin.ListContacts(contact_pb2.ListContactsRequest(**asked))
    return [contact.display_name for contact in found.contacts]


async def consume(world: World, event: Any, event_id: str) -> None:
    """Gives the event to the consumer's body, as a delivery whose inbox row was lost would."""
    runtime = world.running.process.runtimes["contacts"]
    moment = to_datetime(event.change.time)
    name = event.DESCRIPTOR.full_name
    meta = EventMeta(event_id, name, world.tenant.id, moment, event.request.id)
    await runtime.run_event(f"again-{uuid7()}", facts.follow, event, meta)


async def as_system(world: World, work: Any) -> Any:
    return await world.running.process.runtimes["contacts"].run_system(
        world.tenant.id, Cause("event", uuid7()), work
    )


async def test_a_request_is_the_last_contact_in_and_its_answer_the_last_out(
    world: World, groups: Groups
) -> None:
    firm = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name="Okna"))
    )
    contact = await world.contact(given_name="Jan", company_id=firm.id)
    request = await ask(world, contact_id=contact.id)
    found = await groups.until_facts(contact.id, open_requests=1)
    assert (found.contact_id, found.last_request_id) == (contact.id, request.id)
    assert (found.last_in.time, found.last_in.way) == (request.create_time, "request")
    assert found.last_in.user_id == world.tenant.admin.id  # who wrote it down
    assert not found.HasField("last_out")

    answered = await answer(world, request.id)

    async def told() -> bool:
        return (await groups.of_contact(contact.id)).HasField("last_out")

    await eventually(told, "the answer")
    found = await groups.of_contact(contact.id)
    assert (found.last_out.time, found.last_out.user_id) == (
        answered.first_response_time,
        world.tenant.admin.id,
    )
    assert found.last_contact_time == answered.first_response_time
    of_firm = await groups.of_company(firm.id)
    assert (of_firm.company_id, of_firm.open_requests, of_firm.last_out) == (
        firm.id,
        1,
        found.last_out,
    )

    await world.admin.CloseRequest(
        verbs.CloseRequestRequest(id=request.id, reason=request_pb2.Request.CLOSE_REASON_NOT_FOR_US)
    )
    await groups.until_facts(contact.id, open_requests=0, last_request_id=request.id)


async def test_facts_change_neither_version_nor_etag_nor_history(
    world: World, groups: Groups
) -> None:
    contact = await world.contact(given_name="Jan")
    request = await ask(world, contact_id=contact.id)
    await groups.until_facts(contact.id, open_requests=1)
    now = await world.contact(contact.id)
    assert (now.etag, now.update_time) == (contact.etag, contact.update_time)
    assert await world.count("contacts_history") == 1

    await groups.change(contact.id, position="Boss")  # a save leaves the facts alone
    assert (await groups.of_contact(contact.id)).last_request_id == request.id


async def test_an_event_that_comes_twice_or_too_early_changes_nothing_more(
    world: World, groups: Groups
) -> None:
    contact = await world.contact(given_name="Jan")
    request = await ask(world, contact_id=contact.id)
    await answer(world, request.id)
    second = await ask(world, contact_id=contact.id)
    await groups.until_facts(contact.id, open_requests=2, last_request_id=second.id)
    await settled(world.running.process)
    before = await groups.of_contact(contact.id)
    history = await world.count("contacts_history")

    event = events_pb2.RequestReceived(request=request)
    event.change.time.CopyFrom(request.create_time)
    event.change.version = 1
    late = events_pb2.RequestAnswered(request=request, first=True)
    late.change.time.CopyFrom(to_timestamp(to_datetime(request.create_time) - timedelta(days=3)))
    for each in (event, late, event, late):
        await consume(world, each, uuid7())

    after = await groups.of_contact(contact.id)
    assert after == before
    assert await world.count("contacts_history") == history


async def test_events_that_nobody_knows_here_change_nothing(world: World, groups: Groups) -> None:
    contact = await world.contact(given_name="Jan")
    form = await world.form()

    created = message_class("crm.contacts.v1.FormCreated")(form=form)  # type: ignore[call-arg, misc]
    runtime = world.running.process.runtimes["contacts"]
    meta = EventMeta(
        uuid7(),
        "crm.contacts.v1.FormCreated",
        world.tenant.id,
        to_datetime(form.create_time),
        form.id,
    )
    assert await runtime.run_event(f"again-{uuid7()}", facts.follow, created, meta) == "done"
    assert await groups.of_contact(contact.id) == pb.CardFacts(contact_id=contact.id)


async def test_a_request_that_moves_to_another_person_is_open_there(
    world: World, groups: Groups
) -> None:
    jan, ewa = await world.contact(given_name="Jan"), await world.contact(given_name="Ewa")
    request = await ask(world, contact_id=jan.id)
    await groups.until_facts(jan.id, open_requests=1)

    await world.admin.ChooseRequestContact(
        verbs.ChooseRequestContactRequest(id=request.id, contact_id=ewa.id)
    )

    await groups.until_facts(ewa.id, open_requests=1, last_request_id=request.id)
    await groups.until_facts(jan.id, open_requests=0, last_request_id="")


async def test_lists_filter_and_sort_by_facts(world: World, groups: Groups) -> None:
    people = {name: await world.contact(given_name=name) for name in ("None", "One", "Two")}
    await ask(world, contact_id=people["One"].id)
    for _ in range(2):
        await ask(world, contact_id=people["Two"].id)
    await groups.until_facts(people["One"].id, open_requests=1)
    await groups.until_facts(people["Two"].id, open_requests=2)

    assert await listed(world, order_by="facts.open_requests desc") == ["Two", "One", "None"]
    assert await listed(world, order_by="facts.lastContactTime") == ["None", "One", "Two"]
    assert await listed(
        world, filter="facts.open_requests >= 1", order_by="facts.open_requests"
    ) == ["One", "Two"]
    assert await listed(world, filter="facts.last_contact_time:*") == ["Two", "One"]
    assert await listed(world, filter="facts.last_contact_time < now-90d") == []
    assert await listed(world, filter="NOT facts.last_contact_time > now-90d") == ["None"]
    first = await world.admin.ListContacts(
        contact_pb2.ListContactsRequest(order_by="facts.last_contact_time desc", page_size=1)
    )
    rest = await listed(
        world, order_by="facts.last_contact_time desc", page_token=first.next_page_token
    )
    assert [first.contacts[0].display_name, *rest] == ["Two", "One", "None"]


async def test_lists_of_the_past_cannot_ask_for_facts(world: World) -> None:
    contact = await world.contact(given_name="Jan")
    both: list[dict[str, Any]] = [
        {"filter": "facts.open_requests > 0"},
        {"order_by": "facts.open_requests"},
    ]
    for asked in both:
        async with Refused(world, errors.InvalidArgument, "BAD_LIST", "as_of"):
            await world.admin.ListContacts(
                contact_pb2.ListContactsRequest(as_of=contact.create_time, **asked)
            )


async def test_a_service_that_comes_later_tells_of_deals_cases_and_bills(
    world: World, groups: Groups
) -> None:
    firm = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name="Okna"))
    )
    jan, ewa = await world.contact(given_name="Jan"), await world.contact(given_name="Ewa")
    deal, at = uuid7(), to_datetime(jan.create_time)
    opened = Item("deal", deal, 1, "open", jan.id, firm.id, "Offer", Decimal(500), "PLN")
    won = Item("deal", deal, 3, "won", jan.id, firm.id, "", Decimal(480), "PLN", at)

    await as_system(world, lambda tx: facts.note_item(tx, opened))
    found = await groups.of_contact(jan.id)
    assert [(d.deal_id, d.stage, d.value.amount) for d in found.open_deals] == [
        (deal, "Offer", "500")
    ]

    for each in (won, opened, won):  # twice, and the older one late
        await as_system(world, lambda tx, each=each: facts.note_item(tx, each))
    found = await groups.of_contact(jan.id)
    assert (found.open_deal_count, found.won_count, found.revenue[0].amount) == (0, 1, "480")
    assert (await groups.of_company(firm.id)).won_count == 1
    assert await listed(world, filter="facts.revenue > 479.99 AND facts.won_count = 1") == ["Jan"]
    assert await listed(world, filter="facts.average_bill < 1000") == [
        "Jan"
    ]  # who never bought has no average

    moved = Item("deal", deal, 4, "won", ewa.id, "", "", Decimal(480), "PLN", at)
    await as_system(world, lambda tx: facts.note_item(tx, moved))
    assert [(await groups.of_contact(p.id)).won_count for p in (jan, ewa)] == [0, 1]
    assert (await groups.of_company(firm.id)).won_count == 0
    await as_system(world, lambda tx: facts.note_item(tx, Item("case", uuid7(), 1, "open", ewa.id)))
    assert (await groups.of_contact(ewa.id)).open_cases == 1


async def test_facts_can_be_computed_anew_from_the_tables(world: World, groups: Groups) -> None:
    firm = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name="Okna"))
    )
    contact = await world.contact(given_name="Jan", company_id=firm.id)
    request = await ask(world, contact_id=contact.id)
    await answer(world, request.id)
    deal = Item(
        "deal",
        uuid7(),
        1,
        "won",
        contact.id,
        firm.id,
        "",
        Decimal(5),
        "PLN",
        to_datetime(request.create_time),
    )
    await as_system(world, lambda tx: facts.note_item(tx, deal))

    async def told() -> bool:
        rows = await world.running.rows(
            "contacts",
            "SELECT FROM timeline WHERE party_id = $1 AND type LIKE '%Answered'",
            contact.id,
        )
        return bool(rows) and (await groups.of_contact(contact.id)).HasField("last_out")

    await eventually(told, "timeline and facts")
    before = await groups.of_contact(contact.id), await groups.of_company(firm.id)
    history = await world.count("contacts_history")
    untouched = await groups.finished(
        await groups.facts.RebuildCardFacts(pb.RebuildCardFactsRequest())
    )
    assert rebuilt(untouched) == (2, 0)
    for table in ("contacts", "companies"):
        await world.running.rows(
            "contacts",
            f"UPDATE {table} SET facts = '', fact_won_count = 7 WHERE tenant_id = $1",
            world.tenant.id,
        )

    again = await groups.finished(await groups.facts.RebuildCardFacts(pb.RebuildCardFactsRequest()))

    assert rebuilt(again) == (2, 2)
    assert (await groups.of_contact(contact.id), await groups.of_company(firm.id)) == before
    assert await listed(world, filter="facts.won_count = 1") == ["Jan"]
    assert await world.count("contacts_history") == history


def rebuilt(operation: Any) -> tuple[int, int]:
    result = pb.RebuiltCardFacts()
    assert operation.response.Unpack(result), operation
    return result.record_count, result.changed_count


async def test_facts_hidden_from_the_caller_are_in_no_answer_and_no_filter(
    world: World, groups: Groups
) -> None:
    contact = await world.contact(given_name="Jan")
    await ask(world, contact_id=contact.id)
    await groups.until_facts(contact.id, open_requests=1)
    clerk = Groups(
        world,
        await world.tenant.person(
            EVERYTHING, hidden=["contact.facts.open_requests", "contact.facts.last_in_time"]
        ),
    )
    blind = Groups(world, await world.tenant.person(EVERYTHING, hidden=["contact.facts"]))

    seen = await clerk.of_contact(contact.id)
    assert (seen.open_requests, seen.HasField("last_in"), seen.HasField("last_request_time")) == (
        0,
        False,
        True,
    )
    assert await blind.of_contact(contact.id) == pb.CardFacts(contact_id=contact.id)
    for person, filter in (
        (clerk, "facts.open_requests > 0"),
        (clerk, "facts.last_in_time:*"),
        (blind, "facts.revenue > 0"),
    ):
        async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
            await world.stub(person.person).ListContacts(
                contact_pb2.ListContactsRequest(filter=filter)
            )
        async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
            await person.create(filter, told=False)
    assert await world.stub(clerk.person).ListContacts(
        contact_pb2.ListContactsRequest(filter="facts.revenue = 0")
    )


async def test_facts_are_read_by_who_may_read_the_record(world: World, groups: Groups) -> None:
    mine = [{"object": "contact", "action": "read", "scope": "own"}]
    person = await world.tenant.person(mine)
    own, other = (
        await world.contact(given_name="A", owner_id=person.id),
        await world.contact(given_name="B"),
    )
    reader = Groups(world, person)

    found = await reader.facts.BatchGetContactFacts(
        pb.BatchGetContactFactsRequest(ids=[other.id, own.id, own.id])
    )
    assert ([f.contact_id for f in found.facts], list(found.missing_ids)) == ([own.id], [other.id])
    with pytest.raises(errors.NotFound):
        await reader.of_contact(other.id)
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await reader.facts.RebuildCardFacts(pb.RebuildCardFactsRequest())


async def test_facts_of_merged_people_are_the_survivors_until_they_are_unmerged(
    world: World, groups: Groups
) -> None:
    jan, twin = await world.contact(given_name="Jan"), await world.contact(given_name="Jan")
    old = await ask(world, contact_id=jan.id)
    await answer(world, old.id)
    late = await ask(world, contact_id=twin.id)
    await groups.until_facts(twin.id, open_requests=1)

    async def answered() -> bool:
        return (await groups.of_contact(jan.id)).HasField("last_out")

    await eventually(answered, "the answer")
    before = {id: await groups.of_contact(id) for id in (jan.id, twin.id)}
    merging = Merging(world)
    merge = await merging.merge(jan, twin)

    one = await groups.until_facts(jan.id, open_requests=2, last_request_id=late.id)
    assert (one.last_in, one.last_out) == (before[twin.id].last_in, before[jan.id].last_out)
    assert await groups.of_contact(twin.id) == one  # under the old id too

    await merging.undo(merge)
    await groups.until_facts(twin.id, contact_id=twin.id, open_requests=1)
    await groups.until_facts(jan.id, open_requests=1, last_in=before[jan.id].last_in)
    assert {id: await groups.of_contact(id) for id in before} == before
