"""Paid -> stage: a deal that is paid moves once and forward, else it shows what the move lacks (S40, scenario 13)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pytest
from google.type.date_pb2 import Date

from chassis.call import Actor, Cause
from chassis.events.reading import read as read_stream
from chassis.rights import Rights
from chassis.settling import settled
from chassis.tx import Draws, Tx
from crm.contacts.v1 import party_pb2
from crm.deals.v1 import deal_pb2, pipeline_pb2
from services.deals import timers_invoices
from tests.service.deals import hearing, verbs
from tests.service.deals.earnings import today
from tests.service.deals.invoicing import Instalment, Invoice, line
from tests.service.deals.paying import Paying
from tests.service.deals.world import World

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline
FIRST, FULL = Pipeline.PAID_ON_FIRST_INSTALMENT, Pipeline.PAID_ON_FULL


@pytest.fixture
def paying(world: World) -> Paying:
    return Paying(world)


async def _pipeline(paying: Paying, on: "Pipeline.PaidOn" = FULL, **guard: Any) -> Pipeline:
    """Sales whose paid deals go to Agreed, which may ask for something."""
    pipeline = await paying.world.pipeline()
    agreed = next(stage for stage in pipeline.stages if stage.key == "agreed")
    agreed.enter.fields.extend(guard.get("fields", ()))
    pipeline.paid_stage_id, pipeline.paid_on = agreed.id, on
    return await verbs.shape(paying.world, pipeline, "stages", "paid_stage_id", "paid_on")


def _stage(pipeline: Pipeline, key: str) -> str:
    return next(stage.id for stage in pipeline.stages if stage.key == key)


def _dated(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


async def _moved(paying: Paying, count: int = 1) -> list[dict[str, Any]]:
    return await paying.world.events("DealStageChanged", count)


async def test_the_first_instalment_moves_the_deal_and_the_second_is_overdue(
    paying: Paying,
) -> None:
    pipeline = await _pipeline(paying, FIRST)
    deal = await paying.world.make(lines=[line()])
    dues = [today() + timedelta(days=2), today() + timedelta(days=30)]
    parts = [Instalment(percent="40", due_date=_dated(dues[0])), Instalment(percent="60", due_date=_dated(dues[1]))]  # fmt: skip
    invoice = await paying.issued(deal_id=deal.id, instalments=parts)

    payment = await paying.pay("40", invoice)
    [moved] = await _moved(paying)

    assert (moved["deal"]["stageId"], moved["deal"]["paidAmount"]) == (_stage(pipeline, "agreed"), "40.00")  # fmt: skip
    assert await _told(paying, moved["change"]["cause"]["id"]) == ("PaymentReceived", payment.id)

    async def month_later(tx: Tx) -> None:
        await timers_invoices.overdue({"invoice_id": invoice.id}, tx)

    await _at(paying, datetime.combine(dues[1], time(), UTC) + timedelta(days=2), month_later)
    [late] = await paying.world.events("InstalmentOverdue")
    assert (late["instalmentId"], late["amount"]) == (invoice.instalments[1].id, "60.00")
    await paying.pay("60", invoice)
    assert (await paying.get(invoice)).state == Invoice.STATE_PAID
    await _settled(paying)
    assert len(await _moved(paying)) == 1


async def test_a_part_is_not_enough_where_everything_must_be_paid(paying: Paying) -> None:
    await _pipeline(paying, FULL)
    deal = await paying.world.make(lines=[line()])
    first, second = await paying.issued(deal_id=deal.id), await paying.issued(deal_id=deal.id)

    await paying.pay("100", first)
    await paying.pay("99", second)
    await _settled(paying)
    assert (await paying.world.deal(deal.id)).stage_id == deal.stage_id

    await paying.pay("1", second)
    [moved] = await _moved(paying)
    assert moved["deal"]["id"] == deal.id


async def test_what_is_missing_is_shown_and_the_move_made_when_the_deal_is_filled(
    paying: Paying,
) -> None:
    world, pipeline = paying.world, await _pipeline(paying, fields=["deal.expected_close_date"])
    deal = await world.make(lines=[line()])
    invoice = await paying.issued(deal_id=deal.id)

    await paying.pay("100", invoice)
    [blocked] = await world.events("DealMoveBlocked")

    assert (
        await paying.get(invoice)
    ).state == Invoice.STATE_PAID  # never refused for a stage's sake
    waiting = (await world.deal(deal.id)).blocked_move
    assert (waiting.stage_id, list(waiting.missing)) == (_stage(pipeline, "agreed"), ["deal.expected_close_date"])  # fmt: skip
    assert waiting.event_id == blocked["change"]["cause"]["id"]

    await verbs.change(world, await world.deal(deal.id), expected_close_date=Date(year=2030, month=5, day=1))  # fmt: skip
    [moved] = await _moved(paying)
    assert moved["change"]["cause"]["id"] == waiting.event_id
    there = await world.deal(deal.id)
    assert (there.stage_id, there.HasField("blocked_move")) == (waiting.stage_id, False)


async def test_the_move_is_made_when_the_contact_is_filled(paying: Paying) -> None:
    world, pipeline = paying.world, await _pipeline(paying, fields=["contact.phones"])
    contact_id = await hearing.contact(world, given_name="Ana")
    deal = await world.make(lines=[line()], contact_id=contact_id)
    await paying.pay("100", await paying.issued(deal_id=deal.id))
    await world.events("DealMoveBlocked")

    await hearing.contact(
        world, contact_id, version=2, given_name="Ana", phones=[party_pb2.Phone(number="+48512345678")]
    )  # fmt: skip

    await _moved(paying)
    assert (await world.deal(deal.id)).stage_id == _stage(pipeline, "agreed")


async def test_a_deal_that_was_moved_back_or_is_further_or_ended_stays(paying: Paying) -> None:
    world, pipeline = paying.world, await _pipeline(paying)
    back = await world.make(lines=[line()])
    await paying.pay("100", await paying.issued(deal_id=back.id))
    await _moved(paying)
    await verbs.move(world, back, _stage(pipeline, "new"))
    further = await world.make(lines=[line()], stage_id=_stage(pipeline, "fulfilment"))
    won = await world.make(lines=[line()])
    await verbs.win(world, won)

    for deal in (back, further, won):
        await paying.pay("100", await paying.issued(deal_id=deal.id))
    await _settled(paying)

    assert (await world.deal(back.id)).stage_id == _stage(pipeline, "new")
    assert (await world.deal(further.id)).stage_id == _stage(pipeline, "fulfilment")
    assert (await world.deal(won.id)).state == Deal.STATE_WON
    assert len(await _moved(paying, 2)) == 2


async def test_a_payment_that_went_back_wants_no_move_any_more(paying: Paying) -> None:
    world = paying.world
    await _pipeline(paying, fields=["deal.expected_close_date"])
    deal = await world.make(lines=[line()])
    payment = await paying.pay("100", await paying.issued(deal_id=deal.id))
    await world.events("DealMoveBlocked")

    await paying.refund(payment)
    await _settled(paying)

    assert not (await world.deal(deal.id)).HasField("blocked_move")


async def _settled(paying: Paying) -> None:
    """Everything that was told was heard."""
    await settled(paying.world.running.process)


async def _told(paying: Paying, event_id: str) -> tuple[str, str]:
    """The name of an event, and the payment that it is about."""
    tenant, nats = paying.world.tenant, paying.world.running.process.nats
    async for message in read_stream(nats, "DEALS", subjects=[f"crm.{tenant.id}.>"]):
        if message.headers["ce-id"] == event_id:
            return message.subject.rpartition(".")[2], orjson.loads(message.data)["payment"]["id"]
    raise LookupError(event_id)


async def _at(paying: Paying, now: datetime, body: Any) -> None:
    """Runs a timer's body as if it were then."""
    runtime = paying.world.running.process.runtimes["deals"]
    tx = Tx(
        runtime, tenant=paying.world.tenant.id, actor=Actor("system"), cause=Cause("timer"),
        draws=Draws(now), rights=Rights.of_system(),
    )  # fmt: skip
    await body(tx)
    await tx.flush()
    await tx.commit()
