"""What the facts of a card are made of."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from chassis.times import to_timestamp
from crm.contacts.v1 import card_facts_pb2 as pb
from crm.contacts.v1 import party_pb2
from services.contacts.rules import card_facts as rules
from services.contacts.rules.card_facts import Item, purchases
from services.contacts.store import fact_columns

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEAD, PROSPECT, CUSTOMER = (
    party_pb2.LIFECYCLE_STAGE_LEAD, party_pb2.LIFECYCLE_STAGE_PROSPECT, party_pb2.LIFECYCLE_STAGE_CUSTOMER,
)  # fmt: skip
UNSAID, FORMER = party_pb2.LIFECYCLE_STAGE_UNSPECIFIED, party_pb2.LIFECYCLE_STAGE_FORMER


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def contact(number: float, event_id: str, user_id: str = "") -> pb.LastContact:
    return pb.LastContact(
        time=to_timestamp(day(number)), event_id=event_id, user_id=user_id, way="request"
    )


def test_purchases_are_summed_for_each_currency_and_their_times_together() -> None:
    found = purchases([
        (day(10), Decimal("100.00"), "PLN"), (day(0), Decimal("50.01"), "PLN"), (day(25), Decimal("9"), "EUR"), (day(30), None, ""),
    ])  # fmt: skip

    assert found == rules.Purchases(
        count=4, revenue={"EUR": Decimal(9), "PLN": Decimal("150.01")},
        average={"EUR": Decimal("9.00"), "PLN": Decimal("75.01")}, first=day(0), last=day(30), interval_days=10.0,
    )  # fmt: skip


def test_no_purchase_has_no_times_and_one_has_no_interval() -> None:
    assert purchases([]) == rules.Purchases(0, {}, {}, None, None, None)
    assert purchases([(day(3), Decimal(7), "PLN")]).interval_days is None


def test_purchases_at_one_moment_have_an_interval_of_nothing() -> None:
    assert purchases([(day(1), Decimal(1), "PLN")] * 2).interval_days == 0.0


def test_the_mean_is_rounded_to_the_hundredth_half_up() -> None:
    found = purchases([(day(0), Decimal("0.01"), "PLN"), (day(0), Decimal("0.02"), "PLN")])
    assert found.average == {"PLN": Decimal("0.02")}


DEALS = [
    Item("deal", "d1", 3, "open", stage="Offer", amount=Decimal(500), currency="PLN"),
    Item("deal", "d2", 1, "open", stage="New", amount=Decimal(900), currency="PLN"),
    Item("deal", "d3", 2, "open", stage="New"),
    Item("deal", "d4", 9, "won", amount=Decimal(200), currency="PLN", time=day(1)),
    Item("deal", "d5", 9, "won", amount=Decimal(100), currency="PLN", time=day(5)),
    Item("deal", "d6", 9, "over", amount=Decimal(9999), currency="PLN"),
    Item("case", "c1", 1, "open"), Item("case", "c2", 1, "over"),
    Item("bill", "b1", 1, "open", amount=Decimal("12.50"), currency="EUR"), Item("bill", "b2", 1, "over", amount=Decimal(5), currency="EUR"),
]  # fmt: skip


def test_deals_cases_and_bills_make_the_facts_in_any_order() -> None:
    found = set()
    for order in itertools.islice(itertools.permutations(DEALS), 0, 3_000_000, 99_991):
        facts = pb.CardFacts(won_count=77, open_cases=9)
        rules.summarise(facts, list(order))
        found.add(facts.SerializeToString(deterministic=True))

    assert len(found) == 1
    facts = pb.CardFacts.FromString(found.pop())
    assert [(deal.deal_id, deal.stage, deal.value.amount) for deal in facts.open_deals] == [
        ("d2", "New", "900"), ("d1", "Offer", "500"), ("d3", "New", ""),
    ]  # fmt: skip
    assert (facts.open_deal_count, facts.won_count, facts.open_cases) == (3, 2, 1)
    assert [(m.currency, m.amount) for m in facts.open_deal_value] == [("PLN", "1400")]
    assert [(m.currency, m.amount) for m in facts.revenue] == [("PLN", "300")]
    assert [(m.currency, m.amount) for m in facts.average_bill] == [("PLN", "150.00")]
    assert [(m.currency, m.amount) for m in facts.debt] == [("EUR", "12.50")]
    assert facts.purchase_interval_days == 4.0


def test_what_is_over_leaves_no_trace() -> None:
    facts = pb.CardFacts()
    rules.summarise(facts, DEALS)
    rules.summarise(facts, [])
    assert facts == pb.CardFacts()


def test_only_twenty_open_deals_are_shown_and_all_are_counted() -> None:
    facts = pb.CardFacts()
    rules.summarise(
        facts,
        [Item("deal", f"d{n:02}", 1, "open", amount=Decimal(n), currency="PLN") for n in range(25)],
    )
    assert (len(facts.open_deals), facts.open_deal_count) == (20, 25)
    assert facts.open_deals[0].deal_id == "d24"


def test_the_latest_touch_of_each_direction_stays_whatever_comes_first_or_twice() -> None:
    touches = [
        ("in", contact(1, "a")),
        ("out", contact(2, "b", "u")),
        ("in", contact(3, "c")),
        ("in", contact(3, "d")),
    ]
    for order in itertools.permutations([*touches, touches[0]]):
        facts = pb.CardFacts()
        for direction, one in order:
            rules.touch(facts, direction, one)  # type: ignore[arg-type]

        assert (facts.last_in.event_id, facts.last_out.event_id) == ("d", "b")
        assert facts.last_contact_time == to_timestamp(day(3))


def test_who_became_one_has_the_later_touches() -> None:
    facts, other = pb.CardFacts(), pb.CardFacts()
    rules.touch(facts, "in", contact(5, "a"))
    rules.touch(other, "in", contact(4, "b"))
    rules.touch(other, "out", contact(6, "c"))

    rules.unite(facts, other)

    assert (facts.last_in.event_id, facts.last_out.event_id) == ("a", "c")
    assert facts.last_contact_time == to_timestamp(day(6))


def test_facts_lead_a_stage_forward_only() -> None:
    answered, won = "crm.contacts.v1.RequestAnswered", "crm.deals.v1.DealWon"
    assert [rules.stage_after(s, answered) for s in (UNSAID, LEAD, PROSPECT, CUSTOMER, FORMER)] == [
        PROSPECT, PROSPECT, PROSPECT, CUSTOMER, FORMER,
    ]  # fmt: skip
    assert {rules.stage_after(s, won) for s in (UNSAID, LEAD, PROSPECT, CUSTOMER, FORMER)} == {
        CUSTOMER
    }
    assert rules.stage_after(LEAD, "crm.deals.v1.NobodyKnowsThis") == LEAD


def test_columns_of_nothing_are_their_defaults() -> None:
    found = fact_columns.values(pb.CardFacts(), "PLN")

    assert found.keys() == set(fact_columns.NAMES["contact"])
    assert set(fact_columns.NAMES["company"]) == {n for n in found if "_touch_" not in n}
    defaults = {c.name: str(c.server_default.arg) for c in fact_columns.columns("contact")}  # type: ignore[union-attr]
    assert {n: defaults[n] for n, v in found.items() if v != b"" and not str(v).startswith("1970")} == {
        n: "'{}'" if v == [] else str(v) for n, v in found.items() if v != b"" and not str(v).startswith("1970")
    }  # fmt: skip


def test_columns_hold_touches_as_they_are_looked_for() -> None:
    touch = party_pb2.Touch(
        utm_source="Google",
        landing_page="https://Okna.example/" + "x" * 2_000,
        click_ids={"gclid": "AbC"},
    )
    facts = pb.CardFacts()
    rules.set_arrivals(facts, (touch, party_pb2.Touch(utm_campaign="Spring")))

    found = fact_columns.values(facts, "PLN")

    assert found["fact_first_touch_utm_source"] == "google"
    assert len(found["fact_first_touch_landing_page"]) == 1_000
    assert found["fact_first_touch_click_ids"] == ["gclid", "AbC", "gclid/AbC"]
    assert found["fact_last_touch_utm_campaign"] == "spring"
    rules.set_arrivals(facts, None)
    assert facts == pb.CardFacts()


def test_columns_hold_the_amounts_in_the_tenants_currency() -> None:
    facts = pb.CardFacts()
    rules.summarise(facts, DEALS)
    found = fact_columns.values(facts, "PLN")
    assert (found["fact_revenue"], found["fact_debt"], found["fact_average_bill"]) == (
        Decimal(300),
        Decimal(0),
        Decimal(150),
    )
    assert (found["fact_open_deals"], found["fact_purchase_interval_days"]) == (3, Decimal(4))
    assert found["fact_last_purchase_time"] == day(5)


def test_hidden_facts_are_cleared_by_the_names_that_filters_use() -> None:
    facts = pb.CardFacts(contact_id="x", open_requests=2)
    rules.touch(facts, "in", contact(1, "a"))
    rules.summarise(facts, DEALS)

    rules.without_hidden(
        facts, lambda path: path in ("facts.last_in_time", "facts.revenue", "facts.open_deals")
    )

    left = {field.name for field, _ in facts.ListFields()}
    assert not left & {"last_in", "revenue", "open_deals", "open_deal_count"}
    assert {"contact_id", "open_requests", "last_contact_time", "debt"} <= left
