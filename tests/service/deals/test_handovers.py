"""deals' part when somebody leaves or is away: what goes, what stays whose it was, and what comes back (scenarios 16, 16b)."""

from dataclasses import dataclass
from typing import Any

from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.deals.v1 import deal_reason_pb2, deal_verbs_pb2, quote_pb2
from crm.deals.v1.deal_pb2 import Participant
from crm.deals.v1.deal_reason_pb2 import DealReason
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from crm.identity.v1 import handover_events_pb2 as stages
from crm.identity.v1.handover_pb2 import Handover, HandoverRule
from services.deals import handovers
from tests.service.deals.moving import answered, system
from tests.service.deals.world import Deal, World

_HEAR = handovers.parts.consumers[0]


@dataclass
class Asking:
    """identity, as deals hears it: one handover through its stages."""

    world: World
    handover: Handover

    async def stage(self, event: type, answer: str) -> dict[str, Any]:
        """Tells deals, and returns its answer."""
        told = event(handover=self.handover)
        told.change.actor.kind = "system"
        await system(self.world, lambda tx: _HEAR(told, tx))
        (found,) = await answered(self.world, answer)
        return dict(found["part"])

    async def preview(self) -> dict[str, Any]:
        return await self.stage(stages.HandoverProposed, "HandoverPreviewed")

    async def confirm(self) -> dict[str, Any]:
        return await self.stage(stages.HandoverConfirmed, "HandoverDone")

    async def revert(self) -> dict[str, Any]:
        return await self.stage(stages.HandoverReverted, "HandoverReturned")


def leaving(world: World, leaver: Person, *heirs: Person, away: bool = False) -> Asking:
    kind = Handover.KIND_TEMPORARY if away else Handover.KIND_LEAVER
    rule = HandoverRule(user_ids=[heir.id for heir in heirs])
    return Asking(world, Handover(id=uuid7(), owner_id=leaver.id, kind=kind, rules=[rule], round=1))


def counts(part: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(c["object"], c["field"]): int(c["count"]) for c in part.get("counts", [])}


async def won(world: World, deal: Deal) -> Deal:
    reason = await world.admin.CreateDealReason(
        deal_reason_pb2.CreateDealReasonRequest(
            deal_reason=DealReason(name=f"Price {deal.id}", kind=DealReason.KIND_WON)
        )
    )
    return await world.admin.WinDeal(deal_verbs_pb2.WinDealRequest(id=deal.id, reason_id=reason.id))


async def owner(world: World, deal: Deal) -> str:
    return (await world.deal(deal.id)).owner_id


async def test_deals_go_in_turn_with_their_quotes_and_the_credit_stays(world: World) -> None:
    leaver, heir, other = [await world.seller() for _ in range(3)]
    going = [await world.make(leaver) for _ in range(3)]
    bought = await won(world, await world.make(leaver))
    quotes = world.stub(world.tenant.admin, QuotesServiceStub)
    quote = await quotes.CreateQuote(
        quote_pb2.CreateQuoteRequest(quote=quote_pb2.Quote(deal_id=going[0].id))
    )
    asking = leaving(world, leaver, heir, other)

    planned = await asking.preview()

    assert counts(planned) == {("deal", "owner_id"): 4}
    (count,) = planned["counts"]
    assert set(count["sampleIds"]) <= {deal.id for deal in [*going, bought]}
    assert {await owner(world, deal) for deal in going} == {leaver.id}
    moved = await asking.confirm()
    assert (counts(moved), moved.get("leftCount", "0")) == ({("deal", "owner_id"): 4}, "0")
    owners = [await owner(world, deal) for deal in [*going, bought]]
    assert sorted(owners) == sorted([heir.id, heir.id, other.id, other.id])
    assert (await world.deal(bought.id)).ending.owner_id == leaver.id
    followed = await quotes.GetQuote(quote_pb2.GetQuoteRequest(id=quote.id))
    assert followed.owner_id == owners[0]
    await asking.revert()
    assert {await owner(world, deal) for deal in [*going, bought]} == {leaver.id}
    back = await quotes.GetQuote(quote_pb2.GetQuoteRequest(id=quote.id))
    assert back.owner_id == leaver.id


async def test_an_undone_handover_gives_back_what_nobody_has_moved_on(world: World) -> None:
    leaver, heir, third = [await world.seller() for _ in range(3)]
    kept, moved_on = [await world.make(leaver) for _ in range(2)]
    asking = leaving(world, leaver, heir)
    await asking.preview()
    await asking.confirm()
    await world.admin.AssignDeal(
        deal_verbs_pb2.AssignDealRequest(id=moved_on.id, owner_id=third.id)
    )

    back = await asking.revert()

    assert await owner(world, kept) == leaver.id
    assert await owner(world, moved_on) == third.id
    assert [(k["id"], k["reason"]) for k in back["kept"]] == [(moved_on.id, "REASON_MOVED_ON")]


async def test_while_somebody_is_away_open_deals_are_lent_and_what_was_won_stays_with_who_won_it(
    world: World,
) -> None:
    ill, stand_in = [await world.seller() for _ in range(2)]
    lent, finished = [await world.make(ill) for _ in range(2)]
    before = await won(world, await world.make(ill))
    asking = leaving(world, ill, stand_in, away=True)

    planned = await asking.preview()

    assert counts(planned) == {("deal", "owner_id"): 2}
    await asking.confirm()
    await won(world, finished)
    back = await asking.revert()
    assert await owner(world, lent) == ill.id
    assert await owner(world, before) == ill.id
    assert await owner(world, finished) == stand_in.id
    assert [(k["id"], k["reason"]) for k in back["kept"]] == [(finished.id, "REASON_FINISHED")]


async def test_the_leaver_follows_no_more_and_stays_named_as_who_took_part(world: World) -> None:
    leaver, heir, other = [await world.seller() for _ in range(3)]
    followed = await world.make(other, follower_ids=[leaver.id, heir.id])
    joined = await world.make(other, participants=[Participant(user_id=leaver.id, role="installs")])
    asking = leaving(world, leaver, heir)
    await asking.preview()

    moved = await asking.confirm()

    assert counts(moved) == {("deal", "follower_ids"): 1}
    assert moved.get("leftCount", "0") == "0"
    assert list((await world.deal(followed.id)).follower_ids) == [heir.id]
    assert [p.user_id for p in (await world.deal(joined.id)).participants] == [leaver.id]
    await asking.revert()
    assert list((await world.deal(followed.id)).follower_ids) == [leaver.id, heir.id]
