"""560 records against a second calculation, and the classic ones against figures worked out by hand."""

import json
from decimal import Decimal
from typing import Any

import pytest

from services.deals.money import lines as money
from services.deals.money.lines import Line, Totals
from tests.unit.deals import golden

_CASES = json.loads(golden.CASES.read_text())


def _priced(case: dict[str, Any]) -> tuple[Totals, list[Line]]:
    lines = [Line(**dict(zip(golden.LINE, line, strict=False))) for line in case["lines"]]
    totals = money.price(
        lines,
        currency=case["currency"],
        tax_included=case["tax_included"],
        discount_percent=case.get("discount_percent", ""),
        discount_amount=case.get("discount_amount", ""),
        storno=case.get("storno", False),
    )
    return totals, lines


@pytest.mark.parametrize("first", range(0, len(_CASES), 40))
def test_golden_cases_come_to_the_second_calculation(first: int) -> None:
    for case in _CASES[first : first + 40]:
        totals, lines = _priced(case)
        expected = case["expected"]
        found = {key: getattr(totals, key) for key in expected["totals"]}
        assert found == expected["totals"], case["name"]
        taxes = [[each.tax_class_id, each.percent, each.net, each.tax] for each in totals.taxes]
        assert taxes == expected["taxes"], case["name"]
        assert [[e.net, e.tax, e.gross] for e in lines] == expected["lines"], case["name"]


def test_there_are_enough_golden_cases_and_they_are_what_the_second_calculation_says() -> None:
    assert len(_CASES) >= 500
    for case in _CASES[::10]:
        assert golden.calculate(case) == case["expected"]


def _hand(currency: str, included: bool, *lines: tuple[str, ...], **of: Any) -> dict[str, Any]:
    return {"currency": currency, "tax_included": included, "lines": lines, **of}


def test_three_lines_of_0_33_with_23_percent_inside() -> None:
    # 0.99 x 23 / 123 = 0.185..., so 0.19; each line's 0.0617 is 0.06, and the unit that is left goes to the first.
    totals, lines = _priced(_hand("PLN", True, *[("1", "0.33", "", "", "23")] * 3))
    assert (totals.net, totals.tax, totals.gross) == ("0.80", "0.19", "0.99")
    assert [line.tax for line in lines] == ["0.07", "0.06", "0.06"]
    assert [line.gross for line in lines] == ["0.33"] * 3


def test_one_line_of_three_times_0_33_comes_to_the_same() -> None:
    totals, _ = _priced(_hand("PLN", True, ("3", "0.33", "", "", "23")))
    assert (totals.net, totals.tax, totals.gross) == ("0.80", "0.19", "0.99")


def test_8_and_23_percent_are_taxed_each_on_its_sum() -> None:
    # 8 %: 10.01 + 5.02 = 15.03, tax 1.2024; 23 %: 99.99 + 0.02 = 100.01, tax 23.0023.
    totals, _ = _priced(_hand("PLN", False, ("1", "10.01", "", "", "8"), ("1", "99.99", "", "", "23"), ("1", "5.02", "", "", "8"), ("2", "0.01", "", "", "23")))  # fmt: skip
    assert [(e.percent, e.net, e.tax) for e in totals.taxes] == [("23", "100.01", "23.00"), ("8", "15.03", "1.20")]  # fmt: skip
    assert (totals.net, totals.tax, totals.gross) == ("115.04", "24.20", "139.24")


def test_a_discount_of_10_over_seven_lines_is_spread_to_the_last_unit() -> None:
    # 10.00 over seven equal lines: 1.43 six times and 1.42 once.
    totals, lines = _priced(_hand("PLN", False, *[("1", "100", "", "", "")] * 7, discount_amount="10.00"))  # fmt: skip
    assert (totals.list, totals.discount, totals.net) == ("700.00", "10.00", "690.00")
    assert sorted(line.net for line in lines) == ["98.57"] * 6 + ["98.58"]


def test_12_345_percent_off_then_23_percent_tax() -> None:
    # 100 - 12.345 -> 12.35 off (half up: 12.345 is 12.35), 87.65; tax 20.1595 -> 20.16.
    totals, _ = _priced(_hand("PLN", False, ("1", "100", "12.345", "", "23")))
    assert (totals.discount, totals.net, totals.tax, totals.gross) == ("12.35", "87.65", "20.16", "107.81")  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "price", "tax", "gross"),
    [
        ("IDR", "33333", "3667", "37000"),  # 3666.63
        ("JPY", "105", "12", "117"),  # 11.55
        ("KWD", "1.005", "0.111", "1.116"),  # 0.11055
        ("PLN", "1.05", "0.12", "1.17"),  # 0.1155
    ],
)
def test_each_currency_has_its_own_places(currency: str, price: str, tax: str, gross: str) -> None:
    totals, _ = _priced(_hand(currency, False, ("1", price, "", "", "11")))
    assert (totals.tax, totals.gross) == (tax, gross)


def test_no_lines_no_quantity_and_all_of_it_off_come_to_nothing() -> None:
    for case in (
        _hand("PLN", True),
        _hand("PLN", True, ("0", "99.99", "", "", "23")),
        _hand("PLN", False, ("3", "99.99", "100", "", "23")),
        _hand("PLN", False, ("3", "99.99", "", "", "23"), ("1", "1", "", "", "8"), discount_percent="100"),
    ):  # fmt: skip
        totals, lines = _priced(case)
        assert (totals.net, totals.tax, totals.gross) == ("0.00",) * 3
        assert all((e.net, e.tax, e.gross) == ("0.00",) * 3 for e in lines)


def test_a_storno_takes_back_exactly_what_was_sold() -> None:
    sold, lines = _priced(_hand("PLN", True, ("2", "9.99", "5", "", "23", "", "4.1"), ("1", "0.33", "", "", "8"), discount_amount="1.00"))  # fmt: skip
    back, taken = _priced(_hand("PLN", True, ("-2", "9.99", "5", "", "23", "", "4.1"), ("-1", "0.33", "", "", "8"), discount_amount="1.00", storno=True))  # fmt: skip
    for field in ("list", "discount", "net", "tax", "gross", "cost"):
        assert Decimal(getattr(sold, field)) + Decimal(getattr(back, field)) == 0
    for before, after in zip(lines, taken, strict=True):
        assert Decimal(before.tax) + Decimal(after.tax) == 0
        assert Decimal(before.gross) + Decimal(after.gross) == 0
