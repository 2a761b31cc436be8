""":open: the deal of a request, by hand and by the built-in rule."""

import asyncio

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.contacts.v1 import party_pb2
from crm.deals.v1 import deal_pb2, deal_settings_pb2, deal_verbs_pb2
from tests.service.deals import hearing, verbs
from tests.service.deals.hearing import Request
from tests.service.deals.world import SELLER, Deal, World
from tests.service.worlds import Refused

_READS = {"object": "request", "action": "read", "scope": "own"}


async def open_deal(world: World, asked: Request, by: Person | None = None, **given: str) -> Deal:
    request = deal_verbs_pb2.OpenDealRequest(from_request_id=asked.id, **given)  # type: ignore[arg-type]
    return await world.stub(by or world.tenant.admin).OpenDeal(request)


async def listed(world: World, asked: Request) -> list[Deal]:
    request = deal_pb2.ListDealsRequest(filter=f'request_ids:"{asked.id}"')
    return list((await world.admin.ListDeals(request)).deals)


async def by_rule(world: World) -> None:
    await world.admin.UpdateDealSettings(
        deal_settings_pb2.UpdateDealSettingsRequest(
            deal_settings=deal_settings_pb2.DealSettings(request_opens_deal=True),
            update_mask={"paths": ["request_opens_deal"]},
        )
    )


async def test_a_deal_takes_over_what_the_request_says(world: World) -> None:
    seller, person, source = await world.seller(), uuid7(), uuid7()
    await world.pipeline()
    asked = hearing.request(
        contact_id=person, owner_id=seller.id, source_id=source, label_ids=[uuid7()],
        text="  Six windows\nfor a house ", create_time=Timestamp(seconds=1_790_000_000),
        first_touch=party_pb2.Touch(utm_source="google"),
    )  # fmt: skip
    await hearing.received(world, asked)

    deal = await open_deal(world, asked, amount="1200")

    assert (deal.title, deal.amount) == ("Six windows for a house", "1200.00")
    assert (deal.contact_id, deal.owner_id, deal.source_id) == (person, seller.id, source)
    assert (list(deal.request_ids), deal.request_time) == ([asked.id], asked.create_time)
    assert (deal.first_touch.utm_source, deal.label_ids) == ("google", asked.label_ids)
    assert deal.etag == "1"


async def test_twenty_at_once_open_one_deal(world: World) -> None:
    await world.pipeline()
    asked = hearing.request()
    await hearing.received(world, asked)

    opened = await asyncio.gather(*(open_deal(world, asked) for _ in range(20)))

    assert len({deal.id for deal in opened}) == 1
    assert len(await listed(world, asked)) == 1
    assert len(await world.events("DealCreated")) == 1
    assert await world.published() == 2  # the pipeline and the deal


async def test_another_pipeline_gets_a_deal_of_its_own(world: World) -> None:
    await world.pipeline()
    other = await world.pipeline("repairs", name="Repairs")
    asked = hearing.request()
    await hearing.received(world, asked)
    first, second = await open_deal(world, asked), await open_deal(world, asked, pipeline_id=other.id)  # fmt: skip
    assert first.id != second.id
    assert (await open_deal(world, asked, pipeline_id=other.id, title="Else")).id == second.id
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "pipeline_id"):
        await open_deal(world, asked, pipeline_id=uuid7())


async def test_a_request_that_is_not_known_or_not_the_callers_answers_alike(world: World) -> None:
    await world.pipeline()
    asked = hearing.request(owner_id=world.tenant.admin.id)
    await hearing.received(world, asked)
    seller = await world.tenant.person([*SELLER, _READS])
    for unknown in (asked, hearing.request()):
        async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "from_request_id"):
            await open_deal(world, unknown, seller)


async def test_a_deal_that_somebody_else_has_is_not_shown_by_opening_it_again(world: World) -> None:  # fmt: skip
    await world.pipeline()
    seller = await world.tenant.person([*SELLER, _READS])
    asked = hearing.request(owner_id=seller.id)
    await hearing.received(world, asked)
    mine = await open_deal(world, asked, seller)
    assert mine.owner_id == seller.id
    await verbs.assign(world, mine, world.tenant.admin.id)

    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await open_deal(world, asked, seller)


async def test_the_built_in_rule_opens_one_deal_for_each_request_that_comes(world: World) -> None:
    pipeline = await world.pipeline()
    before, spam = hearing.request(), hearing.request(state=Request.STATE_CLOSED)
    await hearing.received(world, before)
    await by_rule(world)
    asked, imported = hearing.request(), hearing.request()

    told = [await hearing.received(world, known) for known in (asked, spam)]
    await hearing.received(world, imported, cause="import")
    await hearing.received(world, asked, version=2)

    [deal] = await listed(world, asked)
    assert (deal.stage_id, deal.creator_id) == (pipeline.stages[0].id, "")
    assert deal.effect_key == f"{told[0]} deal"
    for none in (before, spam, imported):
        assert await listed(world, none) == []
    assert (await open_deal(world, asked)).id == deal.id
