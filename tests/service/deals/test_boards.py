"""The board of a pipeline: what stands on it, what its columns come to, and how it was."""

from decimal import Decimal
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.deals.v1 import board_pb2 as pb
from crm.deals.v1 import deal_pb2, pipeline_pb2
from crm.deals.v1 import deal_verbs_pb2 as verbs
from crm.deals.v1.boards_service_pb2_grpc import BoardsServiceStub
from tests.service.deals.world import SELLER, Deal, World
from tests.service.worlds import Refused


async def board(world: World, by: Person | None = None, **given: Any) -> pb.Board:
    if "pipeline_id" not in given:
        given["pipeline_id"] = (await world.pipeline()).id
    stub = (by or world.tenant.admin).stub(BoardsServiceStub)
    return await stub.GetBoard(pb.GetBoardRequest(**given))


def counts(found: pb.Board) -> list[int]:
    return [column.count for column in found.columns]


async def move(world: World, deal: Deal, stage_id: str) -> Deal:
    request = verbs.MoveDealRequest(id=deal.id, stage_id=stage_id, skip_reason="Tested")
    return await world.admin.MoveDeal(request)


async def test_columns_hold_open_deals_with_what_they_come_to(world: World) -> None:
    pipeline = await world.pipeline()
    needs = pipeline.stages[1]
    dear = await world.make(amount="1000", expected_close_date={"year": 2030, "month": 2, "day": 1})
    near = await world.make(amount="500.50", expected_close_date={"year": 2030, "month": 1, "day": 1})  # fmt: skip
    moved = await move(world, await world.make(amount="80", currency="EUR", probability=50), needs.id)  # fmt: skip
    lost = await world.make(amount="7")
    await world.admin.WinDeal(verbs.WinDealRequest(id=lost.id))

    found = await board(world)

    assert [c.stage_id for c in found.columns] == [s.id for s in pipeline.stages]
    first, second, *rest = found.columns
    assert (first.name, first.color, first.probability) == ("New", "#64748b", 10)
    assert [deal.id for deal in first.deals] == [near.id, dear.id]
    assert [(s.currency, s.count, s.amount, s.weighted_amount) for s in first.sums] == [
        ("PLN", 2, "1500.50", "150.05")
    ]
    assert [(s.currency, s.amount, s.weighted_amount) for s in second.sums] == [("EUR", "80.00", "40.00")]  # fmt: skip
    assert [deal.id for deal in second.deals] == [moved.id]
    assert "move" in second.deals[0].can
    assert [c.count for c in rest] == [0, 0, 0]


async def test_a_column_goes_on_as_the_list_of_its_deals(world: World) -> None:
    made = [await world.make(title=f"Deal {n}", amount=str(n)) for n in range(5)]
    found = await board(world, page_size=2, order_by="amount desc")
    column = found.columns[0]
    assert ([d.title for d in column.deals], column.count) == (["Deal 4", "Deal 3"], 5)
    page = await world.admin.ListDeals(
        deal_pb2.ListDealsRequest(
            filter=column.filter, order_by="amount desc", page_size=2, page_token=column.next_page_token
        )
    )  # fmt: skip
    assert [d.id for d in page.deals] == [made[2].id, made[1].id]


async def test_a_filter_holds_for_deals_and_sums(world: World) -> None:
    await world.make(title="Doors", amount="100")
    windows = await world.make(title="Windows", amount="200")
    found = await board(world, filter='title = "Windows" OR title = "Gates"')
    assert (counts(found)[0], found.columns[0].sums[0].amount) == (1, "200.00")
    assert [d.id for d in found.columns[0].deals] == [windows.id]


async def test_only_what_the_caller_may_read_counts(world: World) -> None:
    home = await world.tenant.department()
    me, colleague = await world.seller(home), await world.seller(home)
    mine = await world.make(me, amount="10")
    followed = await world.make(amount="20", follower_ids=[me.id])
    both = await world.make(me, amount="5", follower_ids=[me.id])
    await world.make(colleague, amount="40")
    await world.make(amount="80")

    found = await board(world, me)

    assert {d.id for d in found.columns[0].deals} == {mine.id, followed.id, both.id}
    assert (found.columns[0].count, found.columns[0].sums[0].amount) == (3, "35.00")
    filtered = await board(world, me, filter="state = OPEN")
    assert filtered.columns[0].sums == found.columns[0].sums
    whole = await board(world)
    assert (whole.columns[0].count, whole.columns[0].sums[0].amount) == (5, "155.00")


async def test_hidden_amounts_are_in_no_sum(world: World) -> None:
    me = await world.tenant.person(SELLER, hidden=["deal.amount", "deal.base_amount"])
    await world.make(owner_id=me.id, amount="10")
    found = await board(world, me)
    column = found.columns[0]
    assert (column.count, len(column.sums), column.base_amount) == (1, 0, "")
    assert column.deals[0].amount == ""
    with pytest.raises(errors.PermissionDenied) as refused:
        await board(world, me, filter="amount > 5")
    assert refused.value.reason == "FIELD_HIDDEN"


async def test_a_stage_that_is_retired_shows_while_deals_stand_in_it(world: World) -> None:
    pipeline = await world.pipeline()
    deal = await world.make()
    request = pipeline_pb2.UpdatePipelineRequest(pipeline=pipeline)
    del request.pipeline.stages[0]
    request.update_mask.paths.append("stages")
    await world.admin.UpdatePipeline(request)
    found = await board(world)
    [column] = [c for c in found.columns if c.stage_id == pipeline.stages[0].id]
    assert (column.retired, column.count, column.name) == (True, 1, "New")
    await move(world, deal, pipeline.stages[1].id)
    assert [c.stage_id for c in (await board(world)).columns] == [s.id for s in pipeline.stages[1:]]


async def test_the_board_of_an_instant_is_what_it_was_then(world: World) -> None:
    pipeline = await world.pipeline()
    first = await world.make(title="First", amount="100")
    await world.make(title="Second", amount="200", probability=90)
    then, before = to_timestamp(world.running.process.clock.now()), await board(world)
    await move(world, first, pipeline.stages[2].id)
    await world.make(title="Third", amount="400")
    assert counts(await board(world)) != counts(before)

    found = await board(world, as_of=then)

    assert found == before
    assert (await board(world, as_of=then, filter='title = "Second"')).columns[0].count == 1


async def test_sums_are_kept_with_every_way_of_writing(world: World) -> None:
    pipeline = await world.pipeline()
    one, two = await world.make(amount="1.25"), await world.make(amount="2.50")
    request = deal_pb2.UpdateDealRequest(deal=Deal(id=one.id, amount="10"))
    request.update_mask.paths.append("amount")
    await world.admin.UpdateDeal(request)
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=two.id))
    assert await kept(world) == await reckoned(world) == {(pipeline.stages[0].id, "PLN"): (1, Decimal(10))}  # fmt: skip
    await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=two.id))
    await move(world, one, pipeline.stages[1].id)
    await world.admin.WinDeal(verbs.WinDealRequest(id=one.id))
    assert await kept(world) == await reckoned(world)
    await world.admin.ReopenDeal(verbs.ReopenDealRequest(id=one.id))
    assert await kept(world) == await reckoned(world)
    assert len(await kept(world)) == 2


async def test_a_deal_that_is_removed_for_good_is_in_no_sum(world: World) -> None:
    pipeline = await world.pipeline()
    gone = await world.make(amount="1.25")
    await world.make(amount="2.50")
    await world.running.rows("deals", "DELETE FROM deals WHERE id = $1", gone.id)
    assert await kept(world) == await reckoned(world) == {(pipeline.stages[0].id, "PLN"): (1, Decimal("2.50"))}  # fmt: skip


async def test_rows_of_sums_are_put_together_and_come_to_the_same(world: World) -> None:
    pipeline = await world.pipeline()
    for amount in range(3):
        await world.make(amount=str(amount))
    before = await kept(world)
    await world.running.rows(
        "deals", "SELECT fold_deal_sums($1, $2, $3)", world.tenant.id, pipeline.id, pipeline.stages[0].id
    )  # fmt: skip
    assert await kept(world) == before
    assert await world.count("deal_sums") == 1


SUMS = """SELECT stage_id, currency, sum({count})::int AS count, sum(amount) AS amount FROM {table}
WHERE tenant_id = $1 {where} GROUP BY 1, 2 HAVING sum({count}) <> 0"""


async def kept(world: World) -> dict[tuple[str, str], tuple[int, Decimal]]:
    return await _sums(world, SUMS.format(count="count", table="deal_sums", where=""))


async def reckoned(world: World) -> dict[tuple[str, str], tuple[int, Decimal]]:
    where = "AND state = 1 AND delete_time IS NULL"
    return await _sums(world, SUMS.format(count="1", table="deals", where=where))


async def _sums(world: World, sql: str) -> dict[tuple[str, str], tuple[int, Decimal]]:
    rows = await world.running.rows("deals", sql, world.tenant.id)
    return {(str(r["stage_id"]), r["currency"]): (r["count"], r["amount"]) for r in rows}


# -- refusals --------------------------------------------------------------------------------------------------------------


async def test_a_board_of_no_pipeline_is_not_found(world: World) -> None:
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await board(world, pipeline_id=uuid7())


async def test_a_filter_that_would_break_out_is_refused(world: World) -> None:
    await world.pipeline()
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "filter"):
        await board(world, filter="state = WON) OR (state = LOST")
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "order_by"):
        await board(world, order_by="nonsense")


async def test_who_may_not_read_pipelines_gets_no_board(world: World) -> None:
    pipeline = await world.pipeline()
    me = await world.tenant.person(SELLER[:5])
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await board(world, me, pipeline_id=pipeline.id)
