"""What a deal refuses by name, who may read it, and commands that come late or twice."""

import asyncio
from datetime import UTC, datetime, timedelta

from google.type.date_pb2 import Date

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.deals.v1 import deal_pb2
from crm.deals.v1.deal_pb2 import Participant, ShopOrder
from tests.service.deals import verbs
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused


async def test_everything_that_is_wrong_with_a_deal_is_named_at_once(world: World) -> None:
    deal = await world.make()
    yesterday = to_timestamp(datetime.now(UTC) - timedelta(days=1))
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID",
        "amount", "expected_close_date", "promise.time", "participants[0]",
    ):  # fmt: skip
        await verbs.change(
            world, deal, amount="-1", expected_close_date=Date(year=2020, month=2, day=30),
            promise={"time": yesterday}, participants=[Participant(role="pays")],
        )  # fmt: skip


async def test_references_that_lead_nowhere_are_named_at_once(world: World) -> None:
    await world.pipeline()
    async with Refused(
        world, errors.InvalidArgument, "REFERENCE_UNKNOWN",
        "method_id", "department_id", "participants[0].user_id",
    ):  # fmt: skip
        await world.make(
            method_id=uuid7(), department_id=uuid7(), participants=[Participant(user_id=uuid7(), role="pays")]
        )  # fmt: skip


async def test_an_update_neither_moves_nor_ends_nor_gives_to_nobody(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "stage_id"):
        await verbs.change(world, deal, stage_id=pipeline.stages[1].id)
    async with Refused(world, errors.InvalidArgument, "INVALID_MASK", "update_mask"):
        await verbs.change(world, deal, state=Deal.STATE_WON)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "ending"):
        await verbs.change(world, deal, "ending.note", ending={"note": "won"})
    async with Refused(world, errors.FailedPrecondition, "OWNER_NOT_ACTIVE", "owner_id"):
        await verbs.change(world, deal, owner_id=uuid7())
    async with Refused(world, errors.FailedPrecondition, "OWNER_NOT_ACTIVE", "owner_id"):
        await verbs.assign(world, deal, uuid7())


async def test_an_update_that_gives_a_deal_to_somebody_is_told_as_such(world: World) -> None:
    home = await world.tenant.department()
    deal, other = await world.make(), await world.seller(home)

    given = await verbs.change(world, deal, owner_id=other.id)

    assert (given.owner_id, given.department_id) == (other.id, home)
    [told] = await world.events("DealAssigned")
    assert told["previousOwnerId"] == world.tenant.admin.id
    assert await world.published() == 3  # the pipeline, the deal, and no DealUpdated besides


async def test_a_colleague_who_takes_part_may_read_the_deal(world: World) -> None:
    seller = await world.seller()
    deal = await world.make()
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.deal(deal.id, seller)

    await verbs.change(world, deal, participants=[Participant(user_id=seller.id, role="installs")])

    assert (await world.deal(deal.id, seller)).id == deal.id
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await verbs.change(world, deal, by=seller, title="Mine")


async def test_the_currency_of_a_deal_is_changed_only_without_lines(world: World) -> None:
    deal = await world.make(amount="10")
    deal = await verbs.change(world, deal, currency="EUR")
    deal = await verbs.change(
        world, deal, lines=[{"name": "Window", "quantity": "2", "unit_price": "100"}]
    )
    assert deal.amount == "200.00"
    async with Refused(world, errors.FailedPrecondition, "CURRENCY_FIXED", "currency"):
        await verbs.change(world, deal, currency="PLN")


async def test_one_order_of_one_shop_is_one_deal(world: World) -> None:
    order = ShopOrder(system="woo", id="1001")
    await world.make(order=order)
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "order.id"):
        await world.make(order=order)


async def test_a_late_update_lands_where_nobody_changed_its_fields_since(world: World) -> None:
    deal = await world.make()
    await verbs.change(world, deal, title="Doors")

    landed = await verbs.change(world, deal, amount="10", etag=deal.etag)

    assert (landed.title, landed.amount, landed.etag) == ("Doors", "10.00", "3")
    async with Refused(world, errors.Aborted, "FIELDS_CHANGED", "title"):
        await verbs.change(world, deal, title="Gates", etag=deal.etag)


async def test_the_same_key_creates_changes_gives_and_ends_once(world: World) -> None:
    pipeline, other = await world.pipeline(), await world.seller()
    request = deal_pb2.CreateDealRequest(
        deal=Deal(title="Windows", pipeline_id=pipeline.id), request_id="c"
    )

    made, twin = await asyncio.gather(*(world.admin.CreateDeal(request) for _ in range(2)))

    assert made == twin
    for _ in range(2):
        changed = await verbs.change(world, made, title="Doors", request_id="u")
        given = await verbs.assign(world, made, other.id, request_id="a")
        won = await verbs.win(world, made, request_id="w")
        assert (changed.etag, given.etag, won.etag) == ("2", "3", "4")
    assert (await world.deal(made.id)).etag == "4"
    async with Refused(world, errors.AlreadyExists, "REQUEST_ID_REUSED", "request_id"):
        await verbs.win(world, made, note="else", request_id="w")


async def test_lists_find_deals_by_stage_owner_customer_and_day(world: World) -> None:
    pipeline, seller, person = await world.pipeline(), await world.seller(), uuid7()
    mine = await world.make(
        seller, title="Żaluzje", contact_id=person, amount="12.5",
        expected_close_date=Date(year=2031, month=5, day=1),
    )  # fmt: skip
    await world.make(title="Doors")

    for asked in (
        f'owner_id = "{seller.id}"', f'party_ids:"{person}"', "amount > 12", 'expected_close_date = "2031-05-01"',
        f'pipeline_id = "{pipeline.id}" AND state = OPEN AND expected_close_date < "2032-01-01"',
    ):  # fmt: skip
        page = await world.admin.ListDeals(deal_pb2.ListDealsRequest(filter=asked))
        assert [deal.id for deal in page.deals] == [mine.id], asked
    found = await world.admin.ListDeals(deal_pb2.ListDealsRequest(q="zaluzje"))
    assert [deal.id for deal in found.deals] == [mine.id]
    own = await world.stub(seller).ListDeals(deal_pb2.ListDealsRequest())
    assert [deal.id for deal in own.deals] == [mine.id]
