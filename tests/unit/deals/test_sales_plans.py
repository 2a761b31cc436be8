"""Sales plans and rates: whole months, quarters and years; targets, percentages and what amounts are worth."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from google.type.date_pb2 import Date

from crm.deals.v1 import currency_rate_pb2, deal_pb2, sales_plan_pb2
from services.deals import errors
from services.deals.rules import days, rates, sales
from services.deals.rules import sales_plans as rules

Deal = deal_pb2.Deal
SalesPlan = sales_plan_pb2.SalesPlan
CurrencyRate = currency_rate_pb2.CurrencyRate


def plan(**given: Any) -> SalesPlan:
    first = Date(year=2024, month=2, day=29)
    return SalesPlan(**{"from_date": first, "measure": SalesPlan.MEASURE_WON_VALUE, "target": "100", "currency": "PLN", **given})  # fmt: skip


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (SalesPlan.PERIOD_MONTH, date(2024, 2, 1), date(2024, 2, 29)),
        (SalesPlan.PERIOD_QUARTER, date(2024, 1, 1), date(2024, 3, 31)),
        (SalesPlan.PERIOD_YEAR, date(2024, 1, 1), date(2024, 12, 31)),
    ],
)
def test_a_period_is_a_whole_one(period: "SalesPlan.Period", first: date, last: date) -> None:
    made = plan(period=period)
    rules.complete(made)
    assert days.span(made) == (first, last)


def test_the_last_quarter_ends_with_the_year() -> None:
    assert rules.bounds(date(2026, 12, 31), 3) == (date(2026, 10, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("until_date", {}),
        ("until_date", {"until_date": Date(year=2024, month=2, day=28)}),
        ("from_date", {"from_date": Date(year=2023, month=2, day=29), "period": SalesPlan.PERIOD_OWN, "until_date": Date(year=2023, month=3, day=1)}),
        ("target", {"target": "0", "period": SalesPlan.PERIOD_MONTH}),
        ("target", {"target": "-1", "period": SalesPlan.PERIOD_MONTH}),
        ("target", {"target": "0.001", "period": SalesPlan.PERIOD_MONTH}),
        ("target", {"target": "1.5", "measure": SalesPlan.MEASURE_COUNT, "period": SalesPlan.PERIOD_MONTH}),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused_by_field(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.complete(plan(**given))
    assert [violation.field for violation in refused.value.violations] == [field]


def test_figures_are_shown_as_what_they_count() -> None:
    assert rules.shown(Decimal("12.5"), plan()) == "12.50"
    assert rules.shown(Decimal("12.50"), plan(measure=SalesPlan.MEASURE_COUNT)) == "12.5"
    assert rules.percent(Decimal(1), Decimal(3)) == Decimal("33.33")


# -- rates --------------------------------------------------------------------------------------------


def rate(**given: Any) -> CurrencyRate:
    on = Date(year=2026, month=5, day=4)
    return CurrencyRate(**{"currency": "EUR", "base_currency": "PLN", "date": on, "rate": "4.2531", **given})  # fmt: skip


def test_an_amount_is_worth_its_rate_rounded_to_the_base() -> None:
    assert rates.converted(Decimal("10.01"), rate()) == Decimal("42.57")
    assert rates.converted(Decimal("-10.01"), rate()) == Decimal("-42.57")
    rupiah = rate(currency="IDR", rate="0.000245")
    assert rates.converted(Decimal(1_000_000), rupiah) == Decimal("245.00")


def test_of_known_rates_the_last_one_until_the_day_holds() -> None:
    known = rates.Known("PLN", [
        ("EUR", date(2026, 5, 4), Decimal("4.2531")), ("EUR", date(2026, 5, 6), Decimal(5)), ("USD", date(2026, 5, 9), Decimal(4)),
    ])  # fmt: skip
    days = [date(2026, 5, day) for day in (3, 4, 5, 6, 31)]
    worths = [known.worth(Decimal("10.01"), "EUR", on) for on in days]
    assert worths == [None, Decimal("42.57"), Decimal("42.57"), Decimal("50.05"), Decimal("50.05")]
    assert known.worth(Decimal("1.005"), "PLN", days[0]) == Decimal("1.01")
    assert known.worth(Decimal(1), "GBP", days[0]) is None


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("currency", {"currency": "XXQ"}), ("currency", {"currency": "PLN"}), ("base_currency", {"base_currency": "QQQ"}),
        ("date", {"date": Date(year=2026, month=13, day=1)}), ("rate", {"rate": "0"}), ("rate", {"rate": "-4"}),
        ("rate", {"rate": "0.1234567890123"}), ("rate", {"rate": "1000000000"}),
    ],
)  # fmt: skip
def test_a_rate_that_cannot_be_is_refused_by_field(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rates.check(rate(**given), "rates[2].")
    assert [violation.field for violation in refused.value.violations] == [f"rates[2].{field}"]


# -- what stands as sold ------------------------------------------------------------------------------


def won(**given: Any) -> Deal:
    ending = {"owner_id": "anna", "department_id": "shop"}
    return Deal(**{"state": Deal.STATE_WON, "amount": "123.00", "currency": "PLN", "owner_id": "max", "ending": ending, **given})  # fmt: skip


def test_only_a_living_won_deal_stands_as_sold_by_whoever_had_it_then() -> None:
    found = sales.standing(won())
    assert found is not None
    assert (found.owner_id, found.net, found.gross) == ("anna", Decimal("123.00"), Decimal("123.00"))  # fmt: skip
    assert sales.standing(won(state=Deal.STATE_LOST)) is None
    assert sales.standing(None) is None
    gone = won()
    gone.delete_time.FromSeconds(1)
    assert sales.standing(gone) is None
    assert sales.credited(won(state=Deal.STATE_OPEN)) == ("max", "")


def test_a_sale_is_counted_without_tax_and_by_families() -> None:
    line = {"quantity": "3", "unit_cost": "10.005", "net": "100.00", "gross": "123.00"}
    deal = won(
        lines=[{**line, "family_id": "doors"}, line, {**line, "family_id": "doors"}],
        totals={"net": "300.00", "gross": "369.00", "cost": "90.06"}, amount="369.00",
        participants=[{"user_id": "zoe", "role": "measurer"}, {"contact_id": "c", "role": "pays"}],
    )  # fmt: skip
    basis = sales.basis(deal)
    assert (basis.net, basis.gross, basis.cost) == ("300.00", "369.00", "90.06")
    assert [(f.family_id, f.net, f.cost) for f in basis.families] == [("doors", "200.00", "60.04"), ("", "100.00", "30.02")]  # fmt: skip
    assert [(each.user_id, each.role) for each in basis.participants] == [("zoe", "measurer")]
