"""Orders that shops send: one deal each, however often and however many at once, and what the shop reads back."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person
from chassis.times import to_timestamp
from crm.deals.v1 import deal_verbs_pb2, delivery_pb2, order_pb2
from crm.deals.v1.deal_pb2 import Deal, ShopOrder
from crm.deals.v1.deliveries_service_pb2_grpc import DeliveriesServiceStub
from crm.deals.v1.order_pb2 import OrderItem, PutOrderRequest
from crm.deals.v1.orders_service_pb2_grpc import OrdersServiceStub
from tests.service.deals.world import SELLER, World
from tests.service.worlds import Refused

WINDOW = OrderItem(sku="W-1", name="Window", quantity="2", unit_price="100")
DOOR = OrderItem(sku="D-1", name="Door", quantity="1", unit_price="50")


class Orders:
    """The orders of a world's tenant, as a shop sends them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stub = self.of(world.tenant.admin)

    def of(self, person: Person) -> Any:
        return self.world.stub(person, OrdersServiceStub)

    def order(self, *items: OrderItem, number: str = "1001", **given: Any) -> PutOrderRequest:
        order = ShopOrder(system="woo", id=number, url=f"https://shop.example/orders/{number}")
        values: dict[str, Any] = {"currency": "PLN", "items": items or (WINDOW, DOOR)}
        return PutOrderRequest(order=order, **values | given)

    async def put(self, *items: OrderItem, **given: Any) -> order_pb2.OrderStatus:
        return await self.stub.PutOrder(self.order(*items, **given))

    async def get(self, number: str = "1001", by: Person | None = None) -> order_pb2.OrderStatus:
        stub = self.of(by) if by else self.stub
        return await stub.GetOrder(order_pb2.GetOrderRequest(system="woo", id=number))


@pytest.fixture
def orders(world: World) -> Orders:
    return Orders(world)


async def refusal(call: Awaitable[Any]) -> str:
    """What the caller learns who does not get it."""
    with pytest.raises(errors.NotFound) as refused:
        await call
    return f"{refused.value.reason} {refused.value.message} {refused.value.metadata}"


async def ready(orders: Orders) -> None:
    """The company's pipeline is there."""
    await orders.world.pipeline()


async def test_an_order_is_one_deal_with_its_lines(orders: Orders) -> None:
    await ready(orders)
    contact = uuid7()
    placed = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)

    made = await orders.put(contact_id=contact, shipping_amount="15", discount_amount="5", place_time=to_timestamp(placed))  # fmt: skip

    deal = await orders.world.deal(made.deal_id)
    assert [(line.name, line.quantity, line.unit_price) for line in deal.lines] == [
        ("Window", "2", "100"), ("Door", "1", "50"), ("Shipping", "1", "15"),
    ]  # fmt: skip
    assert (deal.title, deal.contact_id, deal.amount, made.amount) == ("woo 1001", contact, "260.00", "260.00")  # fmt: skip
    assert deal.request_time == to_timestamp(placed)
    assert [line.unknown_sku for line in deal.lines] == [True, True, False]
    assert list(made.unknown_skus) == ["W-1", "D-1"]
    assert (made.state, made.pipeline_key, made.stage_key != "", made.paid) == (Deal.STATE_OPEN, "sales", True, False)  # fmt: skip


async def test_sent_again_and_all_at_once_it_stays_one_deal(orders: Orders) -> None:
    await ready(orders)

    made = await asyncio.gather(*(orders.put() for _ in range(6)))

    assert len({each.deal_id for each in made}) == 1
    deal = await orders.world.deal(made[0].deal_id)
    assert deal.etag == "1"
    assert len(await orders.world.events("DealCreated")) == 1
    assert await orders.world.published() == 2  # the pipeline and the deal


async def test_a_changed_order_changes_the_lines_and_keeps_what_stayed(orders: Orders) -> None:
    await ready(orders)
    before = await orders.world.deal((await orders.put()).deal_id)
    three = OrderItem(sku="W-1", name="Window", quantity="3", unit_price="100.00")

    after = await orders.put(three)

    deal = await orders.world.deal(before.id)
    assert [(line.id, line.quantity) for line in deal.lines] == [(before.lines[0].id, "3")]
    assert (after.deal_id, after.amount) == (before.id, "300.00")


async def test_a_cancelled_order_loses_its_deal_once(orders: Orders) -> None:
    await ready(orders)
    made = await orders.put()
    cancelled = {"state": PutOrderRequest.STATE_CANCELLED, "cancel_reason": "wrong colour"}

    lost = await orders.put(**cancelled)
    again = await orders.put(**cancelled)

    deal = await orders.world.deal(made.deal_id)
    assert (lost, again.state) == (again, Deal.STATE_LOST)
    assert (deal.ending.note, deal.amount, len(deal.lines)) == ("wrong colour", "250.00", 2)
    assert len(await orders.world.events("DealLost")) == 1
    async with Refused(orders.world, errors.FailedPrecondition, "DEAL_ENDED"):
        await orders.put(WINDOW)
    async with Refused(orders.world, errors.InvalidArgument, "VALUES_INVALID", "order.id"):
        await orders.put(number="7", **cancelled)


async def test_an_order_that_was_won_is_not_cancelled_by_its_shop(orders: Orders) -> None:
    await ready(orders)
    made = await orders.put()
    await orders.world.admin.WinDeal(deal_verbs_pb2.WinDealRequest(id=made.deal_id))

    async with Refused(orders.world, errors.FailedPrecondition, "DEAL_WRONG_STATE"):
        await orders.put(state=PutOrderRequest.STATE_CANCELLED)


async def test_wrong_orders_are_refused_by_their_own_fields(orders: Orders) -> None:
    await ready(orders)
    negative = OrderItem(name="Sill", quantity="-1", unit_price="5")
    async with Refused(orders.world, errors.InvalidArgument, "VALUES_INVALID", "items[2].quantity"):
        await orders.put(WINDOW, DOOR, negative)
    async with Refused(orders.world, errors.InvalidArgument, "VALUES_INVALID", "currency"):
        await orders.put(currency="XTS")
    later = to_timestamp(datetime.now(UTC) + timedelta(days=1))
    free = OrderItem(name="Sill", quantity="0", unit_price="5.0000001")
    async with Refused(
        orders.world, errors.InvalidArgument, "VALUES_INVALID",
        "items[0].quantity", "items[0].unit_price", "shipping_amount", "place_time",
    ):  # fmt: skip
        await orders.put(free, shipping_amount="-1", place_time=later)
    empty = orders.order()
    del empty.items[:]
    async with Refused(orders.world, errors.InvalidArgument, "VALUES_INVALID", "items"):
        await orders.stub.PutOrder(empty)


async def test_a_shop_reads_its_deliveries_and_nobody_elses_orders(orders: Orders) -> None:
    await ready(orders)
    made = await orders.put()
    deliveries = orders.world.stub(orders.world.tenant.admin, DeliveriesServiceStub)
    planned = delivery_pb2.Delivery(deal_id=made.deal_id, carrier="DHL", tracking_number="JD01")
    await deliveries.CreateDelivery(delivery_pb2.CreateDeliveryRequest(delivery=planned))

    [delivery] = (await orders.get()).deliveries

    assert (delivery.carrier, delivery.tracking_number, len(delivery.items)) == ("DHL", "JD01", 2)
    seller = await orders.world.seller()
    for number, by in (("1001", seller), ("1002", orders.world.tenant.admin)):
        async with Refused(orders.world, errors.NotFound, "ORDER_UNKNOWN"):
            await orders.get(number, by)
    async with Refused(orders.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await orders.of(seller).PutOrder(orders.order())


async def test_one_number_in_two_companies_is_two_orders_and_each_shop_reads_its_own(
    orders: Orders, running: Installation
) -> None:
    elsewhere = Orders(World(running, await running.tenant()))
    for each in (orders, elsewhere):
        await ready(each)
    shop, beside = [await orders.world.seller() for _ in range(2)]
    stranger = await elsewhere.world.seller()
    theirs = await elsewhere.of(stranger).PutOrder(elsewhere.order(DOOR))

    async with Refused(orders.world, errors.NotFound, "ORDER_UNKNOWN"):
        await orders.get(by=shop)
    mine = await orders.of(shop).PutOrder(orders.order(WINDOW))

    assert (mine.amount, theirs.amount, mine.deal_id != theirs.deal_id) == ("200.00", "50.00", True)
    assert await orders.get(by=shop) == mine
    known, unknown = [await refusal(orders.get(number, beside)) for number in ("1001", "9999")]
    assert known == unknown.replace("9999", "1001")
    async with Refused(orders.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await orders.of(beside).PutOrder(orders.order(DOOR))
    assert await elsewhere.get(by=stranger) == theirs


async def test_what_is_hidden_of_the_deal_is_hidden_of_the_order(orders: Orders) -> None:
    await ready(orders)
    shop = await orders.world.tenant.person(SELLER, hidden=["deal.amount", "deal.paid_amount"])  # fmt: skip

    made = await orders.of(shop).PutOrder(orders.order())

    assert (made.amount, made.paid, made.currency) == ("", False, "PLN")
    assert (await orders.world.deal(made.deal_id)).amount == "250.00"
