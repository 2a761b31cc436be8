"""Deliveries: what they carry of a deal, how each goes on, and that nothing is sent twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.deals.v1 import deal_verbs_pb2, delivery_pb2
from crm.deals.v1.deliveries_service_pb2_grpc import DeliveriesServiceStub
from crm.deals.v1.delivery_pb2 import Delivery, DeliveryItem
from tests.service.deals.invoicing import line
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused


class DeliveryWorld(World):
    tables = (*World.tables, "deliveries_history")


class Deliveries:
    """The deliveries of a world's tenant."""

    def __init__(self, world: World) -> None:
        self.world = DeliveryWorld(world.running, world.tenant)
        self.stub = self.of(world.tenant.admin)

    def of(self, person: Person) -> Any:
        return self.world.stub(person, DeliveriesServiceStub)

    async def deal(self, *quantities: str, **given: Any) -> Deal:
        """A deal with a line of each quantity."""
        lines = [line(quantity=each) for each in quantities]
        return await self.world.make(contact_id=uuid7(), lines=lines, **given)

    async def plan(self, deal: Deal, **given: Any) -> Delivery:
        delivery = Delivery(deal_id=deal.id, **given)
        return await self.stub.CreateDelivery(delivery_pb2.CreateDeliveryRequest(delivery=delivery))

    async def get(self, delivery: Delivery) -> Delivery:
        return await self.stub.GetDelivery(delivery_pb2.GetDeliveryRequest(id=delivery.id))

    async def update(self, delivery: Delivery, **values: Any) -> Delivery:
        changed = Delivery(id=delivery.id, **values)
        return await self.stub.UpdateDelivery(
            delivery_pb2.UpdateDeliveryRequest(
                delivery=changed, update_mask={"paths": sorted(values)}
            )
        )

    async def ship(self, delivery: Delivery, **given: Any) -> Delivery:
        request = delivery_pb2.ShipDeliveryRequest(id=delivery.id, **given)
        return await self.stub.ShipDelivery(request)

    async def deliver(self, delivery: Delivery, **given: Any) -> Delivery:
        request = delivery_pb2.DeliverDeliveryRequest(id=delivery.id, **given)
        return await self.stub.DeliverDelivery(request)

    async def fail(self, delivery: Delivery) -> Delivery:
        request = delivery_pb2.FailDeliveryRequest(id=delivery.id, reason="nobody was there")
        return await self.stub.FailDelivery(request)

    async def delete(self, delivery: Delivery) -> Delivery:
        return await self.stub.DeleteDelivery(delivery_pb2.DeleteDeliveryRequest(id=delivery.id))


@pytest.fixture
def deliveries(world: World) -> Deliveries:
    return Deliveries(world)


def carries(delivery: Delivery) -> list[tuple[str, str]]:
    return [(item.line_id, item.quantity) for item in delivery.items]


async def test_a_part_goes_first_and_the_rest_with_the_next(deliveries: Deliveries) -> None:
    deal = await deliveries.deal("5", "2")
    first, second = deal.lines

    part = await deliveries.plan(deal, items=[DeliveryItem(line_id=first.id, quantity="3.5")])
    rest = await deliveries.plan(deal)

    assert carries(rest) == [(first.id, "1.5"), (second.id, "2")]
    assert part.items[0].name == first.name
    assert (part.state, part.contact_id, part.owner_id) == (Delivery.STATE_PLANNED, deal.contact_id, deal.owner_id)  # fmt: skip
    told = await deliveries.world.events("DeliveryPlanned", 2)
    assert [each["delivery"]["id"] for each in told] == [part.id, rest.id]
    async with Refused(deliveries.world, errors.FailedPrecondition, "DELIVERY_TOO_MUCH", "items"):
        await deliveries.plan(deal)
    async with Refused(deliveries.world, errors.FailedPrecondition, "DELIVERY_TOO_MUCH", "items[0].quantity"):  # fmt: skip
        await deliveries.update(part, items=[DeliveryItem(line_id=first.id, quantity="3.6")])


async def test_deliveries_planned_at_once_send_nothing_twice(deliveries: Deliveries) -> None:
    deal = await deliveries.deal("5")
    two = [DeliveryItem(line_id=deal.lines[0].id, quantity="2")]

    tries = await asyncio.gather(
        *(deliveries.plan(deal, items=two) for _ in range(6)), return_exceptions=True
    )

    assert len([each for each in tries if isinstance(each, Delivery)]) == 2
    refused = {each.reason for each in tries if isinstance(each, errors.CrmError)}
    assert refused == {"DELIVERY_TOO_MUCH"}


async def test_it_is_shipped_and_delivered_once(deliveries: Deliveries) -> None:
    world = deliveries.world
    planned = await deliveries.plan(await deliveries.deal("5"))

    shipped = await deliveries.ship(planned, carrier="DHL", tracking_number="JD01", tracking_url="https://example.org/JD01")  # fmt: skip
    delivered = await deliveries.deliver(planned)

    assert (shipped.state, shipped.carrier, shipped.tracking_number) == (Delivery.STATE_SHIPPED, "DHL", "JD01")  # fmt: skip
    assert delivered.state == Delivery.STATE_DELIVERED
    assert delivered.HasField("deliver_time")
    for name in ("DeliveryShipped", "DeliveryDelivered"):
        assert len(await world.events(name)) == 1
    for verb in (deliveries.ship, deliveries.deliver, deliveries.fail):
        async with Refused(world, errors.FailedPrecondition, "DELIVERY_WRONG_STATE"):
            await verb(delivered)
    async with Refused(world, errors.FailedPrecondition, "DELIVERY_WRONG_STATE"):
        await deliveries.update(delivered, items=[DeliveryItem(line_id=planned.items[0].line_id, quantity="1")])  # fmt: skip
    assert (await deliveries.update(delivered, note="left at the gate")).note == "left at the gate"


async def test_what_failed_can_be_sent_again(deliveries: Deliveries) -> None:
    deal = await deliveries.deal("5")
    failed = await deliveries.fail(await deliveries.ship(await deliveries.plan(deal)))

    again = await deliveries.plan(deal)

    assert (failed.state, failed.fail_reason) == (Delivery.STATE_FAILED, "nobody was there")
    assert carries(again) == [(deal.lines[0].id, "5")]
    [told] = await deliveries.world.events("DeliveryFailed")
    assert told["delivery"]["failReason"] == "nobody was there"


async def test_a_deleted_one_comes_back_unless_its_goods_have_gone(deliveries: Deliveries) -> None:
    deal = await deliveries.deal("5")
    made = await deliveries.delete(await deliveries.plan(deal))
    back = delivery_pb2.UndeleteDeliveryRequest(id=made.id)
    assert carries(await deliveries.stub.UndeleteDelivery(back)) == carries(made)
    await deliveries.delete(made)
    await deliveries.plan(deal)

    async with Refused(deliveries.world, errors.FailedPrecondition, "DELIVERY_TOO_MUCH", "items[0].quantity"):  # fmt: skip
        await deliveries.stub.UndeleteDelivery(back)


async def test_wrong_lines_times_and_deals_are_refused(deliveries: Deliveries) -> None:
    world, deal = deliveries.world, await deliveries.deal("5")
    id = deal.lines[0].id
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "deal_id"):
        await deliveries.plan(Deal(id=uuid7()))
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "items[0].line_id"):
        await deliveries.plan(deal, items=[DeliveryItem(line_id=uuid7(), quantity="1")])
    twice = [DeliveryItem(line_id=id, quantity="0"), DeliveryItem(line_id=id, quantity="-1")]
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "items[0].quantity", "items[1].line_id", "items[1].quantity"):  # fmt: skip
        await deliveries.plan(deal, items=twice)
    made = await deliveries.ship(await deliveries.plan(deal))
    now = datetime.now(UTC)
    for at in (now + timedelta(hours=1), now - timedelta(hours=1)):
        async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "time"):
            await deliveries.deliver(made, time=to_timestamp(at))
    another = await deliveries.deal("1")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "deal_id"):
        await deliveries.update(made, deal_id=another.id)


async def test_it_goes_along_with_its_deal(deliveries: Deliveries) -> None:
    world = deliveries.world
    deal, other = await deliveries.deal("5"), await world.seller()
    made = await deliveries.plan(deal)

    await world.admin.AssignDeal(deal_verbs_pb2.AssignDealRequest(id=deal.id, owner_id=other.id))

    assert (await deliveries.get(made)).owner_id == other.id
