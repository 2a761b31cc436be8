"""Commissions: what is earned by a sale, to the last unit, and that every figure can be reckoned again."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from crm.deals.v1 import commission_pb2, commission_plan_pb2
from services.deals import errors
from services.deals.money import currencies
from services.deals.rules import commission_plans as plan_rules
from services.deals.rules import commissions as rules
from tests.unit.deals.reckoning import replay

SaleBasis = commission_pb2.SaleBasis
CommissionPlan = commission_plan_pb2.CommissionPlan
CommissionTerms = commission_plan_pb2.CommissionTerms
NET, GROSS, MARGIN = (
    CommissionTerms.BASIS_NET, CommissionTerms.BASIS_GROSS, CommissionTerms.BASIS_MARGIN,
)  # fmt: skip
WINNING, PAYMENT = CommissionTerms.EARNED_ON_WINNING, CommissionTerms.EARNED_ON_PAYMENT
PLAN = CommissionPlan(id="plan", etag="3")


def terms(**given: Any) -> CommissionTerms:
    return CommissionTerms(**{"basis": NET, "earned_on": WINNING, "percent": "5", **given})


def sale(net: str = "1000.00", *, payment: str | None = None, taken_back: bool = False, currency: str = "PLN", **basis: Any) -> rules.Sale:  # fmt: skip
    made = SaleBasis(**{"net": net, "gross": net, "cost": "0", **basis})
    paid = None if payment is None else Decimal(payment)
    return rules.Sale(
        owner_id="anna", currency=currency, basis=made, payment=paid, taken_back=taken_back
    )


def progress(before: str, value: str, target: str = "1000.00") -> rules.PlanProgress:
    return rules.PlanProgress(
        plan_id="goal", version=1, currency="PLN", target=Decimal(target), before=Decimal(before), value=Decimal(value)
    )  # fmt: skip


def earned(sale: rules.Sale, terms: CommissionTerms, progress: rules.PlanProgress | None = None) -> dict[str, Decimal]:  # fmt: skip
    """What each person earns; checked against the independent interpreter."""
    made = rules.reckon(sale, PLAN, terms, progress)
    known = replay(made.trail.steps)
    for figure in made.people.values():
        assert known[figure.name] == Fraction(figure.value)
    return {person: figure.value for person, figure in made.people.items()}


def day(year: int, month: int = 1, at: int = 1) -> Date:
    return Date(year=year, month=month, day=at)


def test_a_percentage_of_net_gross_and_margin() -> None:
    sold = sale("1000.00", gross="1230.00", cost="400.00")
    assert earned(sold, terms()) == {"anna": Decimal("50.00")}
    assert earned(sold, terms(basis=GROSS)) == {"anna": Decimal("61.50")}
    assert earned(sold, terms(basis=MARGIN)) == {"anna": Decimal("30.00")}


def test_a_loss_earns_nothing() -> None:
    assert earned(sale("100.00", cost="130.00"), terms(basis=MARGIN)) == {"anna": Decimal("0.00")}


def test_families_have_percentages_of_their_own() -> None:
    sold = sale(families=[{"family_id": "doors", "net": "600.00"}, {"net": "400.00"}])
    rates = [{"family_id": "doors", "percent": "10"}]
    assert earned(sold, terms(family_rates=rates)) == {"anna": Decimal("80.00")}


def test_what_lies_above_the_sales_plan_earns_more() -> None:
    tiers = [{"above_percent": "100", "percent": "2"}]
    assert earned(sale(), terms(tiers=tiers), progress("700.00", "1000.00")) == {
        "anna": Decimal("50.00") + Decimal("14.00")
    }


def test_several_tiers_add_up() -> None:
    tiers = [{"above_percent": "100", "percent": "2"}, {"above_percent": "150", "percent": "1"}]
    got = earned(sale(), terms(tiers=tiers), progress("1000.00", "1000.00"))
    assert got == {"anna": Decimal("50.00") + Decimal("20.00") + Decimal("5.00")}


def test_a_split_sums_to_the_whole() -> None:
    shares = [{"weight": "70"}, {"role": "Measurer", "weight": "30"}]
    sold = sale("0.99", participants=[{"user_id": "max", "role": "measurer"}])
    got = earned(sold, terms(percent="100", shares=shares))
    assert got == {"anna": Decimal("0.69"), "max": Decimal("0.30")}


def test_several_people_of_one_role_share_its_part_alike() -> None:
    shares = [{"weight": "50"}, {"role": "fitter", "weight": "50"}]
    people = [{"user_id": "max", "role": "fitter"}, {"user_id": "zoe", "role": "fitter"}]
    got = earned(sale("10.01", participants=people), terms(percent="100", shares=shares))
    assert got == {"anna": Decimal("5.01"), "max": Decimal("2.50"), "zoe": Decimal("2.50")}


def test_a_part_that_nobody_has_goes_to_the_others() -> None:
    shares = [{"weight": "70"}, {"role": "measurer", "weight": "30"}]
    assert earned(sale(), terms(shares=shares)) == {"anna": Decimal("50.00")}
    only = [{"role": "measurer", "weight": "1"}]
    assert earned(sale(), terms(shares=only)) == {"anna": Decimal("50.00")}


def test_a_sale_of_nobody_earns_nothing() -> None:
    nobody = rules.Sale(owner_id="", currency="PLN", basis=SaleBasis(net="5", gross="5", cost="0"))
    assert rules.reckon(nobody, PLAN, terms(), None).people == {}


def test_each_payment_earns_its_part_and_a_refund_takes_it_back() -> None:
    by_payment = terms(earned_on=PAYMENT)
    first = sale("1000.00", gross="1230.00", payment="410.00", paid_before="0")
    rest = sale("1000.00", gross="1230.00", payment="820.00", paid_before="410.00")
    back = sale("1000.00", gross="1230.00", payment="-820.00", paid_before="1230.00")
    assert earned(first, by_payment) == {"anna": Decimal("16.67")}
    assert earned(rest, by_payment) == {"anna": Decimal("33.33")}
    assert earned(back, by_payment) == {"anna": Decimal("-33.33")}


def test_more_than_the_deal_comes_to_earns_nothing_more() -> None:
    over = sale("100.00", payment="500.00", paid_before="90.00")
    assert earned(over, terms(earned_on=PAYMENT)) == {"anna": Decimal("0.50")}


def test_a_payment_for_a_deal_that_comes_to_nothing_earns_nothing() -> None:
    assert earned(sale("0", payment="5.00", paid_before="0"), terms(earned_on=PAYMENT)) == {
        "anna": Decimal("0.00")
    }


_money = st.integers(0, 10_000_000).map(lambda cents: Decimal(cents).scaleb(-2))
_percent = st.integers(0, 100_000).map(lambda parts: Decimal(parts).scaleb(-3))


@pytest.mark.large
@given(_money, st.lists(_money, max_size=6), _percent, st.sampled_from(("PLN", "JPY", "KWD")))  # fmt: skip
def test_payments_earn_what_the_whole_earns(whole: Decimal, parts: list[Decimal], percent: Decimal, currency: str) -> None:  # fmt: skip
    """However a deal is paid, what is earned sums to its basis to the last unit once it is paid."""
    net = currencies.rounded(whole, currency)
    gross, before, basis = currencies.rounded(net * Decimal("1.23"), currency), Decimal(0), Decimal(0)  # fmt: skip
    rest = gross - sum(parts) if sum(parts) < gross else Decimal(0)
    for part in [*parts, rest]:
        paid = sale(f"{net}", gross=f"{gross}", payment=f"{part}", paid_before=f"{before}", currency=currency)  # fmt: skip
        made = rules.reckon(paid, PLAN, terms(earned_on=PAYMENT, percent=f"{percent}"), None)
        replay(made.trail.steps)
        basis += made.basis
        before += part
    assert basis == (net if gross else 0)


@given(st.lists(st.tuples(_money, st.booleans()), min_size=1, max_size=8), st.integers(1, 50_000))
def test_above_the_plan_counts_once_whatever_is_taken_back(sales: list[tuple[Decimal, bool]], target: int) -> None:  # fmt: skip
    """The tiers of all sales sum to that of the whole, when wins are taken back and won again."""
    tiers = [{"above_percent": "100", "percent": "100"}]
    only_tier = terms(percent="0", tiers=tiers)
    reached = total = Decimal(0)
    for value, undone in sales:
        for back in (False, True) if undone else (False,):
            sold = sale(f"{value}", taken_back=back)
            step = progress(f"{reached}", f"{-value if back else value}", f"{target}")
            total += sum(earned(sold, only_tier, step).values())
            reached += -value if back else value
    assert total == max(Decimal(0), reached - target)


@given(_money, st.lists(st.integers(1, 99), min_size=1, max_size=5), _percent)
def test_splits_sum_to_what_is_earned(net: Decimal, weights: list[int], percent: Decimal) -> None:
    people = [{"user_id": f"u{at}", "role": f"r{at}"} for at in range(len(weights))]
    shares = [{"role": f"r{at}", "weight": f"{weight}"} for at, weight in enumerate(weights)]
    got = earned(sale(f"{net}", participants=people), terms(percent=f"{percent}", shares=shares))
    alone = earned(sale(f"{net}"), terms(percent=f"{percent}"))
    assert sum(got.values()) == alone["anna"]


@given(_money, _percent)
def test_what_is_taken_back_is_what_was_earned(net: Decimal, percent: Decimal) -> None:
    won = earned(sale(f"{net}"), terms(percent=f"{percent}"))
    back = earned(sale(f"{net}", taken_back=True), terms(percent=f"{percent}"))
    assert back == {person: -amount for person, amount in won.items()}


_ledger = st.dictionaries(st.sampled_from("abcd"), _money)


@given(_ledger, st.lists(_ledger, max_size=4))
def test_entries_always_sum_to_a_fresh_reckoning(first: dict[str, Decimal], later: list[dict[str, Decimal]]) -> None:  # fmt: skip
    """Whatever is changed backwards how often: entries are only added, and a repeated reckoning adds none."""
    entries: list[tuple[str, Decimal]] = []
    for fresh in [first, *later]:
        already: dict[str, Decimal] = {}
        for person, amount in entries:
            already[person] = already.get(person, Decimal(0)) + amount
        entries += rules.differences(fresh, already).items()
        sums = {p: sum((a for q, a in entries if q == p), Decimal(0)) for p, _ in entries}
        assert {p: a for p, a in sums.items() if a} == {p: a for p, a in fresh.items() if a}
        assert rules.differences(fresh, sums) == {}


# -- which plan applies -------------------------------------------------------------------------------


def plan(name: str, *all_terms: CommissionTerms, **whom: Any) -> CommissionPlan:
    return CommissionPlan(name=name, terms=all_terms or [terms()], **whom)


def applies(*plans: CommissionPlan, on: date = date(2026, 5, 1)) -> str:
    found = plan_rules.applying(
        plans, on, WINNING, owner_id="anna", department_ids=["shop", "sales"], role_ids=["seller"]
    )
    return found[0].name if found else ""


def test_the_nearest_plan_applies() -> None:
    everybody, role = plan("everybody"), plan("role", role_ids=["seller"])
    far, near = plan("sales", department_ids=["sales"]), plan("shop", department_ids=["shop"])
    own, other = plan("anna", user_ids=["anna"]), plan("max", user_ids=["max"])
    assert applies(everybody, role, far, near, own, other) == "anna"
    assert applies(everybody, role, far, near, other) == "shop"
    assert applies(everybody, role, far) == "sales"
    assert applies(everybody, role) == "role"
    assert applies(other, everybody) == "everybody"
    assert applies(other) == ""


def test_terms_hold_on_their_days_only() -> None:
    may = terms(from_date=day(2026, 5), until_date=day(2026, 5, 31))
    assert applies(plan("may", may), on=date(2026, 5, 31)) == "may"
    assert applies(plan("may", may), on=date(2026, 6, 1)) == ""
    assert applies(plan("anna", terms(from_date=day(2026, 6)), user_ids=["anna"]), plan("all")) == "all"  # fmt: skip
    assert applies(plan("paid", terms(earned_on=PAYMENT))) == ""


def test_overlapping_terms_are_refused_by_name() -> None:
    first = terms(id="a", from_date=day(2026, 1), until_date=day(2026, 6, 30))
    with pytest.raises(errors.ValuesInvalid) as refused:
        plan_rules.check(plan("p", first, terms(id="b", from_date=day(2026, 6, 30))))
    [violation] = refused.value.violations
    assert violation.field == "terms[1].from_date"
    assert "overlaps terms[0]" in violation.description
    plan_rules.check(plan("p", first, terms(id="b", from_date=day(2026, 7))))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("terms[0].percent", {"percent": "101"}),
        ("terms[0].until_date", {"from_date": day(2026, 5), "until_date": day(2026, 4)}),
        ("terms[0].from_date", {"from_date": Date(year=2026, month=2, day=30)}),
        ("terms[0].family_rates[0].percent", {"family_rates": [{"family_id": "f", "percent": "-1"}]}),
        ("terms[0].family_rates.family_id", {"family_rates": [{"family_id": "f", "percent": "1"}] * 2}),
        ("terms[0].tiers[0].above_percent", {"tiers": [{"above_percent": "-5", "percent": "1"}]}),
        ("terms[0].tiers[0].percent", {"tiers": [{"above_percent": "100", "percent": "200"}]}),
        ("terms[0].shares[0].weight", {"shares": [{"weight": "0"}]}),
        ("terms[0].shares.role", {"shares": [{"weight": "1"}, {"weight": "2"}]}),
    ],
)  # fmt: skip
def test_wrong_terms_are_refused_by_field(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        plan_rules.check(plan("p", terms(id="a", **wrong)))
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_change_touches_the_days_of_what_it_changes() -> None:
    old = plan("p", terms(id="a", from_date=day(2026, 1), until_date=day(2026, 6, 30)), terms(id="b", from_date=day(2026, 7)))  # fmt: skip
    new = CommissionPlan()
    new.CopyFrom(old)
    assert plan_rules.touched(new, old) is None
    new.terms[0].percent = "6"
    assert plan_rules.touched(new, old) == (date(2026, 1, 1), date(2026, 6, 30))
    assert plan_rules.touched(None, old) == (date(2026, 1, 1), date.max)
    new.CopyFrom(old)
    new.user_ids.append("anna")
    assert plan_rules.touched(new, old) == (date(2026, 1, 1), date.max)
