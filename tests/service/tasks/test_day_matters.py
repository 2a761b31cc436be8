"""The day of one person, as far as deals, quotes, invoices and price lists are its reasons; and tasks of a deal."""

from datetime import date, timedelta
from typing import Any

import pytest
import pytest_asyncio

from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_datetime, to_timestamp
from crm.common.v1.common_pb2 import Link
from crm.contacts.v1 import privacy_events_pb2
from crm.deals.v1 import (
    contract_events_pb2,
    events_pb2,
    invoice_events_pb2,
    product_events_pb2,
    quote_events_pb2,
)
from crm.deals.v1.contract_pb2 import Contract
from crm.deals.v1.deal_pb2 import Deal
from crm.deals.v1.invoice_pb2 import Invoice
from crm.deals.v1.price_list_pb2 import PriceList
from crm.deals.v1.quote_pb2 import Quote
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
from tests.service.tasks.world import World

NOON = zone_where_it_is(12)
OF_DEALS = [
    {"object": o, "action": "read", "scope": "own"}
    for o in ("deal", "quote", "invoice", "contract")
]


@pytest_asyncio.fixture
async def told(world: World) -> Told:
    return Told(world)


@pytest_asyncio.fixture
async def anna(world: World) -> Person:
    return await world.tenant.person([*SELLER, *OF_DEALS], time_zone=NOON)


def deal(owner: Person, contact_id: str = "", **given: Any) -> Deal:
    made: dict[str, Any] = {
        "id": uuid7(), "title": "Six windows", "owner_id": owner.id, "contact_id": contact_id,
        "state": Deal.STATE_OPEN, "stage_time": to_timestamp(ago(days=3)),
    }  # fmt: skip
    return Deal(**made | given)


def days(number: int) -> date:
    return today(NOON) + timedelta(days=number)


async def test_an_open_deal_without_a_task_is_there_until_one_is_planned(
    world: World, anna: Person, told: Told
) -> None:
    jan = await told.contact(anna, next_contact_date=dated(days(30)))
    made = deal(anna, jan.id)
    await told.event(events_pb2.DealCreated(deal=made))

    read = await day(anna)
    assert codes(read) == [["DEAL_WITHOUT_STEP"]]
    [line] = read.lines
    assert (line.contact_id, line.matter.deal_id) == (jan.id, made.id)
    began = to_datetime(made.stage_time).date()  # the world's date, which is not everybody's
    assert (line.reasons[0].deal_id, line.reasons[0].days) == (made.id, (days(0) - began).days)

    planned = await world.make(owner_id=anna.id, link=Link(deal_id=made.id))
    assert (await day(anna)).lines == []
    assert planned.contact_id == jan.id  # a task of a deal is for its customer


async def test_what_is_told_late_changes_nothing_and_who_may_not_read_it_does_not_see_it(
    world: World, told: Told
) -> None:
    blind = await world.tenant.person(SELLER, time_zone=NOON)
    made = deal(blind)
    await told.event(events_pb2.DealCreated(deal=made))
    assert (await day(blind)).lines == []

    anna = await world.tenant.person([*SELLER, *OF_DEALS], time_zone=NOON)
    mine = deal(anna, state=Deal.STATE_WON)
    await told.event(events_pb2.DealWon(deal=mine), version=2)
    mine.state = Deal.STATE_OPEN
    await told.event(events_pb2.DealCreated(deal=mine), version=1)
    assert (await day(anna)).lines == []


@pytest.mark.parametrize(("number", "there"), [(-2, True), (0, True), (1, False)])
async def test_a_promise_is_there_from_its_day_until_it_is_kept(
    world: World, anna: Person, told: Told, number: int, there: bool
) -> None:
    promised = to_timestamp(now() + timedelta(days=number))
    made = deal(anna, state=Deal.STATE_WON, promise={"time": promised, "zone": NOON})
    await told.event(events_pb2.DealWon(deal=made))
    assert codes(await day(anna)) == ([["PROMISE"]] if there else [])

    made.promise.kept_time.CopyFrom(to_timestamp(now()))
    await told.event(events_pb2.DealUpdated(deal=made), version=2)
    assert (await day(anna)).lines == []


async def test_who_did_not_buy_is_asked_again_on_the_day_that_was_agreed(
    world: World, anna: Person, told: Told
) -> None:
    later = deal(anna, state=Deal.STATE_LOST, ask_again_date=dated(days(1)))
    now_due = deal(anna, state=Deal.STATE_LOST, ask_again_date=dated(days(0)))
    for each in (later, now_due):
        await told.event(events_pb2.DealLost(deal=each))
    [line] = (await day(anna)).lines
    assert [(r.code, r.deal_id) for r in line.reasons] == [
        (r.CODE_ASK_AGAIN, now_due.id) for r in line.reasons
    ]


async def test_a_quote_that_expires_tomorrow_and_an_invoice_that_is_late(
    world: World, anna: Person, told: Told
) -> None:
    quote = Quote(id=uuid7(), owner_id=anna.id, state=Quote.STATE_SENT, valid_until=dated(days(1)))
    invoice = Invoice(
        id=uuid7(), owner_id=anna.id, state=Invoice.STATE_PARTLY_PAID,
        instalments=[
            {"due_date": dated(days(-9)), "open_amount": "0.00"},
            {"due_date": dated(days(-2)), "open_amount": "120.00"},
        ],
    )  # fmt: skip
    await told.event(quote_events_pb2.QuoteSent(quote=quote))
    await told.event(invoice_events_pb2.InvoiceUpdated(invoice=invoice))

    read = await day(anna)
    assert codes(read) == [["INVOICE_OVERDUE"], ["QUOTE_EXPIRES"]]
    assert (read.lines[0].reasons[0].invoice_id, read.lines[0].reasons[0].days) == (invoice.id, 1)

    quote.state = Quote.STATE_ACCEPTED
    invoice.state = Invoice.STATE_PAID
    await told.event(quote_events_pb2.QuoteAccepted(quote=quote), version=2)
    await told.event(invoice_events_pb2.InvoicePaid(invoice=invoice), version=2)
    assert (await day(anna)).lines == []


async def test_a_contract_is_there_from_the_day_it_comes_up_until_it_is_renewed(
    world: World, anna: Person, told: Told
) -> None:
    contract = Contract(id=uuid7(), owner_id=anna.id, state=Contract.STATE_ACTIVE, remind_date=dated(days(-2)))  # fmt: skip
    later = Contract(id=uuid7(), owner_id=anna.id, state=Contract.STATE_ACTIVE, remind_date=dated(days(1)))  # fmt: skip
    for each in (contract, later):
        await told.event(contract_events_pb2.ContractCreated(contract=each))

    read = await day(anna)
    assert codes(read) == [["RENEWAL"]]
    reason = read.lines[0].reasons[0]
    assert (reason.contract_id, reason.date, reason.days) == (contract.id, dated(days(-2)), 2)

    contract.state = Contract.STATE_RENEWED
    await told.event(contract_events_pb2.ContractRenewed(contract=contract), version=2)
    assert (await day(anna)).lines == []


async def test_a_new_price_list_is_news_for_customers_with_open_deals(
    world: World, anna: Person, told: Told
) -> None:
    jan = await told.contact(anna, next_contact_date=dated(days(30)), create_time=to_timestamp(ago(days=9)))  # fmt: skip
    made = deal(anna, jan.id)
    await told.event(events_pb2.DealCreated(deal=made))
    await world.make(owner_id=anna.id, link=Link(deal_id=made.id))  # so that it has a next step
    published = PriceList(id=uuid7(), name="Spring")
    await told.event(product_events_pb2.PriceListPublished(price_list=published), at=ago(days=2))

    [line] = (await day(anna)).lines
    assert [(r.code, r.price_list_id) for r in line.reasons] == [
        (line.reasons[0].CODE_NEW_PRICE_LIST, published.id)
    ]


async def test_nothing_names_a_person_who_was_erased(
    world: World, anna: Person, told: Told
) -> None:
    jan = await told.contact(anna, next_contact_date=dated(days(30)))
    made = deal(anna, jan.id)
    await told.event(events_pb2.DealCreated(deal=made))
    await told.event(privacy_events_pb2.ContactErased(contact_id=jan.id, erasure_id=uuid7()))

    [line] = (await day(anna)).lines
    assert (line.contact_id, line.matter.deal_id) == ("", made.id)
