"""Deals, and what is made for them, follow contacts and companies that are merged, and come back."""

from typing import Any
from uuid import UUID

import pytest

from chassis.keys import uuid7
from chassis.kit import following as kit
from chassis.settling import settled
from chassis.testing.installation import Installation, Tenant
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from crm.deals.v1 import deal_pb2, quote_pb2
from crm.deals.v1.deal_pb2 import Participant
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from services.deals import following_parties
from tests.service.deals.earnings import Earnings
from tests.service.deals.moving import system
from tests.service.deals.world import Deal, World


async def merge(world: World, survivor: str, *merged: str, company: bool = False) -> str:
    """contacts has merged them; the merge's id."""
    id = uuid7()
    event: Any = (
        contacts.CompanyMerged(merge_id=id, company_id=survivor, merged_ids=merged)
        if company
        else contacts.ContactMerged(merge_id=id, contact_id=survivor, merged_ids=merged)
    )
    await system(world, lambda tx: following_parties.parties.hear(event, tx))
    return id


async def unmerge(
    world: World, id: str, survivor: str, *restored: str, company: bool = False
) -> None:
    event: Any = (
        contacts.CompanyUnmerged(merge_id=id, company_id=survivor, restored_ids=restored)
        if company
        else contacts.ContactUnmerged(merge_id=id, contact_id=survivor, restored_ids=restored)
    )
    await system(world, lambda tx: following_parties.parties.hear(event, tx))


async def update(world: World, deal: Deal, **values: Any) -> Deal:
    changed = Deal(id=deal.id, **values)
    return await world.admin.UpdateDeal(
        deal_pb2.UpdateDealRequest(deal=changed, update_mask={"paths": sorted(values)})
    )


async def taking_part(world: World, deal: Deal) -> list[tuple[str, str]]:
    found = await world.deal(deal.id)
    return [(each.contact_id or each.company_id, each.role) for each in found.participants]


async def quote_for(world: World, deal: Deal) -> str:
    quotes = world.stub(world.tenant.admin, QuotesServiceStub)
    made = await quotes.CreateQuote(
        quote_pb2.CreateQuoteRequest(quote=quote_pb2.Quote(deal_id=deal.id))
    )
    return str(made.id)


async def test_deals_and_what_is_made_for_them_follow_the_survivor_and_come_back(
    world: World,
) -> None:
    survivor, merged, company = uuid7(), uuid7(), uuid7()
    deal = await world.make(contact_id=merged, company_id=company)
    quotes = world.stub(world.tenant.admin, QuotesServiceStub)
    quote = quote_pb2.GetQuoteRequest(id=await quote_for(world, deal))
    own = await world.deal((await world.make(contact_id=survivor)).id)

    id = await merge(world, survivor, merged)

    followed = await world.deal(deal.id)
    assert (followed.contact_id, followed.company_id) == (survivor, company)
    assert (await quotes.GetQuote(quote)).contact_id == survivor
    history = await world.admin.ListDealHistory(deal_pb2.ListDealHistoryRequest(id=deal.id))
    assert (history.revisions[0].cause.kind, history.revisions[0].cause.id) == ("merge", id)
    assert await world.deal(own.id) == own
    later = await world.make(contact_id=survivor)  # after the merge: it is the survivor's
    await unmerge(world, id, survivor, merged)
    assert (await world.deal(deal.id)).contact_id == merged
    assert (await quotes.GetQuote(quote)).contact_id == merged
    assert (await world.deal(later.id)).contact_id == survivor
    assert await world.count("merge_moves") == await world.count("merged_parties") == 0


async def test_companies_too_and_deleted_deals(world: World) -> None:
    survivor, merged = uuid7(), uuid7()
    deal = await world.make(company_id=merged)
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=deal.id))

    id = await merge(world, survivor, merged, company=True)

    back = await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=deal.id))
    assert back.company_id == survivor
    await unmerge(world, id, survivor, merged, company=True)
    assert (await world.deal(deal.id)).company_id == merged


async def test_a_deal_that_names_merged_ones_later_is_the_survivors(world: World) -> None:
    survivor, middle, merged = uuid7(), uuid7(), uuid7()
    await merge(world, middle, merged)
    await merge(world, survivor, middle)

    late = await world.make(
        contact_id=merged, participants=[Participant(contact_id=middle, role="pays")]
    )

    assert late.contact_id == survivor
    assert await taking_part(world, late) == [(survivor, "pays")]


async def test_a_chain_of_merges_comes_back_link_by_link(world: World) -> None:
    one, two, three = uuid7(), uuid7(), uuid7()
    last_first = await world.make(contact_id=one)
    first = await merge(world, two, one)
    second = await merge(world, three, two)
    assert (await world.deal(last_first.id)).contact_id == three

    await unmerge(world, second, three, two)
    assert (await world.deal(last_first.id)).contact_id == two
    await unmerge(world, first, two, one)

    assert (await world.deal(last_first.id)).contact_id == one
    assert await world.count("merge_moves") == 0


async def test_a_chain_may_be_undone_from_its_beginning(world: World) -> None:
    one, two, three = uuid7(), uuid7(), uuid7()
    deal = await world.make(contact_id=one)
    own = await world.make(contact_id=two)
    first = await merge(world, two, one)
    second = await merge(world, three, two)

    await unmerge(world, first, two, one)

    assert (await world.deal(deal.id)).contact_id == one
    assert (await world.deal(own.id)).contact_id == three
    await unmerge(world, second, three, two)
    assert (await world.deal(deal.id)).contact_id == one
    assert (await world.deal(own.id)).contact_id == two
    assert await world.count("merge_moves") == 0


async def test_what_went_elsewhere_since_stays_there(world: World) -> None:
    survivor, merged, another = uuid7(), uuid7(), uuid7()
    deal = await world.make(contact_id=merged)
    id = await merge(world, survivor, merged)
    await update(world, deal, contact_id=another)

    await unmerge(world, id, survivor, merged)

    assert (await world.deal(deal.id)).contact_id == another


async def test_who_takes_part_twice_in_one_role_does_once_and_again_after_the_undo(
    world: World,
) -> None:
    survivor, merged, other = uuid7(), uuid7(), uuid7()
    people = [
        Participant(contact_id=survivor, role="decides"), Participant(contact_id=merged, role="decides"),
        Participant(contact_id=merged, role="pays"), Participant(company_id=other, role="installs"),
    ]  # fmt: skip
    deal = await world.make(contact_id=other, participants=people)

    id = await merge(world, survivor, merged)

    assert await taking_part(world, deal) == [
        (survivor, "decides"), (survivor, "pays"), (other, "installs"),
    ]  # fmt: skip
    await unmerge(world, id, survivor, merged)
    assert await taking_part(world, deal) == [
        (survivor, "decides"), (merged, "pays"), (other, "installs"), (merged, "decides"),
    ]  # fmt: skip
    assert (await world.deal(deal.id)).contact_id == other


async def test_who_was_taken_out_since_does_not_come_back(world: World) -> None:
    survivor, merged = uuid7(), uuid7()
    deal = await world.make(participants=[Participant(contact_id=merged, role="pays")])
    id = await merge(world, survivor, merged)
    await update(world, deal, participants=[])

    await unmerge(world, id, survivor, merged)

    assert await taking_part(world, deal) == []


@pytest.mark.large
async def test_a_large_customer_follows_in_steps(world: World, monkeypatch: Any) -> None:
    survivor, merged = uuid7(), uuid7()
    deals = [await world.make(contact_id=merged) for _ in range(5)]
    monkeypatch.setattr(kit, "AT_ONCE", 2)
    kit._referring.cache_clear()
    try:
        id = await merge(world, survivor, merged)
        wanted = {"merge_id": id, "party": "contact", "ids": [merged], "survivor_id": survivor}
        for _ in range(3):
            await system(world, lambda tx: following_parties.parties.follow(dict(wanted), tx))
    finally:
        kit._referring.cache_clear()

    assert {(await world.deal(deal.id)).contact_id for deal in deals} == {survivor}
    assert await world.count("merge_moves") == 5


async def test_sales_facts_follow_and_come_back_with_every_figure_as_it_was(
    running: Installation, tenant: Tenant, monkeypatch: Any
) -> None:
    world = Earnings(running, tenant)
    monkeypatch.setattr(kit, "AT_ONCE", 2)
    one, two, company, other = (uuid7() for _ in range(4))
    anna = await world.earner()
    for at in range(5):
        party = {"contact_id": one if at % 2 else two, "company_id": company}
        await world.won(anna, f"{at + 1}0.00", **party)
    before = await _facts(world)

    contacts_merged = await merge(world, two, one)
    companies_merged = await merge(world, other, company, company=True)
    await settled(running.process)

    followed = await _facts(world)
    assert [(fact["contact_id"], fact["company_id"]) for fact in followed] == [(UUID(two), UUID(other))] * 5  # fmt: skip
    assert _figures(followed) == _figures(before)
    later = await world.won(
        anna, "7.00", contact_id=one
    )  # named late: it is the survivor's for good
    await unmerge(world, companies_merged, other, company, company=True)
    await unmerge(world, contacts_merged, two, one)
    await settled(running.process)
    *restored, added = await _facts(world)
    assert restored == before
    assert (str(added["deal_id"]), str(added["contact_id"])) == (later.id, two)
    assert await world.count("merge_moves") == 0


async def _facts(world: World) -> list[dict[str, Any]]:
    rows = await world.running.rows(
        "deals", "SELECT * FROM sales_facts WHERE tenant_id = $1 ORDER BY seq", world.tenant.id
    )
    return [dict(row) for row in rows]


def _figures(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in fact.items() if k not in ("contact_id", "company_id")} for fact in facts]  # fmt: skip


async def test_a_fact_of_two_merges_comes_back_in_any_order(
    running: Installation, tenant: Tenant
) -> None:
    world = Earnings(running, tenant)
    one, two, three = uuid7(), uuid7(), uuid7()
    await world.won(await world.earner(), "10.00", contact_id=one)
    first, second = await merge(world, two, one), await merge(world, three, two)
    whose = [str((await _facts(world))[0]["contact_id"])]
    await unmerge(world, first, two, one)
    whose.append(str((await _facts(world))[0]["contact_id"]))
    await unmerge(world, second, three, two)
    whose.append(str((await _facts(world))[0]["contact_id"]))
    assert whose == [three, one, one]
