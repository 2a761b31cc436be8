""":win, :lose and :reopen: once, with what reports need."""

import asyncio
from datetime import UTC, datetime, timedelta

from google.type.date_pb2 import Date

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.deals.v1 import deal_verbs_pb2
from tests.service.deals import hearing, verbs
from tests.service.deals.verbs import DealReason
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused


async def test_a_won_deal_says_why_where_and_to_whom_it_is_credited(world: World) -> None:
    seller = await world.seller()
    deal, why = await world.make(seller), await verbs.reason(world, DealReason.KIND_WON)

    won = await verbs.win(world, deal, seller, reason_id=why.id, note="at once")

    assert (won.state, won.ending.reason_id, won.ending.note) == (Deal.STATE_WON, why.id, "at once")
    assert (won.ending.owner_id, won.ending.user_id) == (seller.id, seller.id)
    assert (won.ending.stage_id, won.HasField("idle_time")) == (deal.stage_id, False)
    [told] = await world.events("DealWon")
    assert told["deal"]["id"] == deal.id
    journey = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=deal.id))
    assert [stay.HasField("leave_time") for stay in journey.stays] == [True]


async def test_a_later_owner_takes_no_credit_of_what_was_won(world: World) -> None:
    seller, other = await world.seller(), await world.seller()
    won = await verbs.win(world, await world.make(seller), seller)

    given = await verbs.assign(world, won, other.id)

    assert (given.owner_id, given.ending.owner_id) == (other.id, seller.id)


async def test_a_reason_of_the_other_kind_unknown_or_retired_is_refused(world: World) -> None:
    deal, lost = await world.make(), await verbs.reason(world)
    old = await verbs.reason(world, DealReason.KIND_WON, name="Old", retired=True)
    for id in (lost.id, uuid7()):
        async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "reason_id"):
            await verbs.win(world, deal, reason_id=id)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "reason_id"):
        await verbs.win(world, deal, reason_id=old.id)


async def test_a_lost_deal_names_the_competitor_and_when_to_ask_again(world: World) -> None:
    deal, why = await world.make(), await verbs.reason(world, names_competitor=True)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "competitor"):
        await verbs.lose(world, deal, why)
    past = Date(year=2020, month=1, day=1)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "ask_again_date"):
        await verbs.lose(world, deal, why, competitor="Okna", ask_again_date=past)

    lost = await verbs.lose(
        world, deal, why, competitor="Okna", ask_again_date=Date(year=2030, month=3, day=1)
    )

    assert (lost.ending.competitor, lost.ask_again_date.year) == ("Okna", 2030)
    assert len(await world.events("DealLost")) == 1


async def test_an_end_keeps_the_last_touch_before_it(world: World) -> None:
    person, seller = uuid7(), await world.seller()
    deal = await world.make(contact_id=person)
    told = await hearing.answered(world, hearing.request(contact_id=person), by=seller.id)

    lost = await verbs.lose(world, deal, await verbs.reason(world))

    touch = lost.ending.last_touch
    assert (touch.way, touch.user_id, touch.event_id) == ("request", seller.id, told)


async def test_an_end_in_the_future_or_before_its_stage_is_refused(world: World) -> None:
    deal = await world.make()
    for wrong in (timedelta(hours=1), timedelta(hours=-1)):
        async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "time"):
            await verbs.win(world, deal, time=to_timestamp(datetime.now(UTC) + wrong))


async def test_twenty_who_win_and_twenty_who_lose_at_once_end_it_once(world: World) -> None:
    deal, why = await world.make(), await verbs.reason(world)

    answers = await asyncio.gather(
        *(verbs.win(world, deal) for _ in range(20)),
        *(verbs.lose(world, deal, why) for _ in range(20)),
        return_exceptions=True,
    )

    ended = [answer for answer in answers if isinstance(answer, Deal)]
    refused = {answer.reason for answer in answers if isinstance(answer, errors.CrmError)}
    assert len(ended) == 1
    assert refused <= {"DEAL_WRONG_STATE", "CHANGED_MEANWHILE"}
    last = await world.deal(deal.id)
    assert (last.state, last.etag) == (ended[0].state, "2")
    name = "DealWon" if last.state == Deal.STATE_WON else "DealLost"
    assert len(await world.events(name)) == 1
    assert await world.published() == 4  # the pipeline, the deal, the reason, the end


async def test_what_has_ended_ends_moves_and_changes_no_more(world: World) -> None:
    pipeline, deal = await world.pipeline(), await verbs.win(world, await world.make(amount="10"))
    async with Refused(world, errors.FailedPrecondition, "DEAL_WRONG_STATE"):
        await verbs.win(world, deal)
    why = await verbs.reason(world)
    async with Refused(world, errors.FailedPrecondition, "DEAL_WRONG_STATE"):
        await verbs.lose(world, deal, why)
    async with Refused(world, errors.FailedPrecondition, "DEAL_WRONG_STATE"):
        await verbs.move(world, deal, pipeline.stages[1].id)
    async with Refused(world, errors.FailedPrecondition, "DEAL_ENDED", "contact_id", "amount"):
        await verbs.change(world, deal, title="Doors", amount="11", contact_id=uuid7())

    changed = await verbs.change(world, deal, "ending.note", title="Doors", ending={"note": "n"})

    assert (changed.title, changed.ending.note) == ("Doors", "n")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "ending"):
        await verbs.change(world, deal, "ending.competitor", ending={"competitor": "me"})


async def test_a_new_deal_has_no_ending_whatever_it_was_copied_from(world: World) -> None:
    made = await world.make(ending={"note": "won"}, ask_again_date=Date(year=2030, month=1, day=1))
    assert (made.HasField("ending"), made.state) == (False, Deal.STATE_OPEN)


async def test_a_deal_that_is_reopened_goes_on_where_it_stood(world: World) -> None:
    deal = await world.make()
    async with Refused(world, errors.FailedPrecondition, "DEAL_WRONG_STATE"):
        await verbs.reopen(world, deal)
    lost = await verbs.lose(world, deal, await verbs.reason(world), note="gone")

    again = await verbs.reopen(world, lost, reason="he called", request_id="k")

    assert (again.state, again.stage_id) == (Deal.STATE_OPEN, deal.stage_id)
    assert (again.HasField("ending"), again.HasField("idle_time")) == (False, True)
    assert await verbs.reopen(world, lost, reason="he called", request_id="k") == again
    [told] = await world.events("DealReopened")
    assert (told["previousState"], told["previousEnding"]["note"]) == ("STATE_LOST", "gone")
    journey = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=deal.id))
    assert [stay.skip_reason for stay in journey.stays] == ["", "he called"]
