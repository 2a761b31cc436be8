"""What always holds of money: parts sum to wholes, the order of lines is nobody's gain, and refusals name what is wrong."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.deals import errors
from services.deals.money import currencies
from services.deals.money import lines as money
from services.deals.money.lines import Line, Totals
from services.deals.money.split import allocate
from services.deals.money.steps import Figure, Step, Steps

CURRENCIES = ("PLN", "JPY", "KWD", "IDR")
_TEXTS = ("net", "tax", "gross")


def _decimals(most: int, places: int) -> st.SearchStrategy[str]:
    return st.decimals(0, most, places=places).map(str)


_lines = st.lists(
    st.builds(
        Line,
        quantity=_decimals(1000, 3),
        unit_price=_decimals(100_000, 4),
        discount_percent=st.one_of(st.just(""), _decimals(100, 3)),
        tax_percent=st.sampled_from(("", "5", "8", "23", "12.345", "100")),
        unit_cost=_decimals(1000, 2),
    ),
    max_size=12,
)
_records = st.fixed_dictionaries({
    "currency": st.sampled_from(CURRENCIES),
    "tax_included": st.booleans(),
    "discount_percent": st.one_of(st.just(""), _decimals(100, 3)),
})  # fmt: skip


def _copies(lines: list[Line]) -> list[Line]:
    return [Line.FromString(line.SerializeToString()) for line in lines]


def _sum(lines: Any, field: str) -> Decimal:
    return sum((Decimal(getattr(line, field)) for line in lines), Decimal(0))


# -- lines ------------------------------------------------------------------------------------------------


@pytest.mark.large
@given(_lines, _records)
@settings(max_examples=150, deadline=None)
def test_lines_and_taxes_sum_to_the_totals_to_the_last_unit(
    lines: list[Line], record: dict[str, Any]
) -> None:
    lines = _copies(lines)
    totals = money.price(lines, **record)
    for field in _TEXTS:
        assert _sum(lines, field) == Decimal(getattr(totals, field))
    assert _sum(totals.taxes, "tax") == Decimal(totals.tax)
    assert _sum(totals.taxes, "net") == Decimal(totals.net)
    meant = totals.gross if record["tax_included"] else totals.net
    assert Decimal(totals.list) - Decimal(totals.discount) == Decimal(meant)
    assert all(Decimal(getattr(line, field)) >= 0 for line in lines for field in _TEXTS)
    assert all(Decimal(line.net) + Decimal(line.tax) == Decimal(line.gross) for line in lines)


@pytest.mark.large
@given(_lines, _records, st.randoms(use_true_random=False))
@example(
    [Line(quantity="1", unit_price="0.05", tax_percent=tax) for tax in ("23", "8", "23")],
    {"currency": "PLN", "tax_included": True, "discount_percent": "10"},
    None,
)
@settings(max_examples=150, deadline=None)
def test_the_order_of_lines_does_not_change_the_totals(
    lines: list[Line], record: dict[str, Any], draw: Any
) -> None:
    one, other = _copies(lines), _copies(lines)
    other.reverse() if draw is None else draw.shuffle(other)
    assert money.price(one, **record) == money.price(other, **record)


@given(_lines, _records)
@settings(max_examples=50, deadline=None)
def test_pricing_again_changes_nothing(lines: list[Line], record: dict[str, Any]) -> None:
    once = _copies(lines)
    totals = money.price(once, **record)
    again = _copies(once)
    assert money.price(again, **record) == totals
    assert again == once


def _wrong(lines: list[Line], **given: Any) -> list[str]:
    before = _copies(lines)
    with pytest.raises(errors.ValuesInvalid) as refused:
        money.price(lines, **{"currency": "PLN", "tax_included": False, **given})
    assert lines == before
    return [f"{each.field}: {each.description}" for each in refused.value.violations]


def test_everything_that_is_wrong_is_named_at_once_with_its_limit() -> None:
    lines = [
        Line(quantity="-1", unit_price="1"),
        Line(quantity="1", unit_price="-0.01", discount_percent="100.5"),
        Line(quantity="1.0000001", unit_price="1e12", discount_amount="0.001", unit_cost="-3"),
        Line(),
    ]
    found = _wrong(lines, discount_percent="-1", discount_amount="-0.01")
    assert found == [
        "lines[0].quantity: -1 is negative; the least is 0, and what is taken back stands on a credit note",
        "lines[1].unit_price: -0.01 is negative; the least is 0",
        "lines[1].discount_percent: 100.5 is no percentage between 0 and 100",
        "lines[2].quantity: 1.0000001 has 7 decimal places; at most 6",
        "lines[2].unit_price: 1e12 is too large; it must be below 1000000000000",
        "lines[2].unit_cost: -3 is negative; the least is 0",
        "lines[2].discount_amount: 0.001 has 3 decimal places; at most 2 in PLN",
        "lines[3].quantity: is missing; say how many, or name a done task that measured it",
        "lines[3].unit_price: is missing, and no published price list in PLN gives one; type a price",
        "discount_percent: -1 is no percentage between 0 and 100",
        "discount_amount: -0.01 is negative; the least is 0",
    ]


def test_a_discount_larger_than_its_line_is_refused_by_name() -> None:
    lines = [
        Line(quantity="1", unit_price="1"),
        Line(quantity="2", unit_price="5", discount_percent="50", discount_amount="5.01"),
    ]
    assert _wrong(lines) == ["lines[1].discount_amount: 5.01 is more than the line still comes to, 5.00; a discount never makes less than 0"]  # fmt: skip


def test_a_discount_larger_than_all_lines_is_refused_by_name() -> None:
    lines = [Line(quantity="2", unit_price="5")]
    assert _wrong(lines, discount_percent="10", discount_amount="9.01") == ["discount_amount: 9.01 is more than the lines still come to, 9.00; a discount never makes less than 0"]  # fmt: skip


def test_a_line_of_more_than_any_bank_file_holds_is_refused() -> None:
    lines = [Line(quantity="999999999999", unit_price="999999999999")]
    [said] = _wrong(lines)
    assert said.startswith("lines[0]: comes to 999999999998000000000001.00; a line must be below")


def test_what_is_no_money_and_a_storno_that_sells_are_refused() -> None:
    assert _wrong([], currency="XAU") == ["currency: 'XAU' is no currency of ISO 4217; choose one such as PLN"]  # fmt: skip
    [said] = _wrong([Line(quantity="1", unit_price="1")], storno=True)
    assert said == "lines[0].quantity: 1 is positive; what is taken back is counted below 0"


# -- splitting --------------------------------------------------------------------------------------------


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.decimals(0, 10**6, places=4), min_size=1, max_size=30),
    st.sampled_from(CURRENCIES),
)
@settings(max_examples=200, deadline=None)
def test_splits_sum_to_the_whole_and_are_near_their_share(
    units: int, weights: list[Decimal], currency: str
) -> None:
    unit = currencies.unit(currency)
    whole = units * unit
    parts = allocate(whole, weights, currency)
    assert sum(parts) == whole
    total = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        share = whole * weight / total if total else whole / len(weights)
        assert abs(part - share) < unit
        assert part == 0 or (part > 0) == (whole > 0)


def test_of_equal_parts_the_first_get_what_is_left() -> None:
    thirds = [Decimal(1)] * 3
    assert list(map(str, allocate(Decimal("0.05"), thirds, "PLN"))) == ["0.02", "0.02", "0.01"]
    assert list(map(str, allocate(Decimal("-0.05"), thirds, "PLN"))) == ["-0.02", "-0.02", "-0.01"]
    assert allocate(Decimal(2), [Decimal(0)] * 3, "JPY") == [1, 1, 0]


@pytest.mark.parametrize(
    ("whole", "weights"),
    [("1", []), ("1", ["-1", "2"]), ("0.001", ["1"])],
    ids=["no weights", "negative weight", "no amount of the currency"],
)
def test_what_cannot_be_split_is_an_error_of_the_program(whole: str, weights: list[str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        allocate(Decimal(whole), [Decimal(w) for w in weights], "PLN")


# -- currencies -------------------------------------------------------------------------------------------


def test_currencies_have_the_places_of_iso_4217_and_rupiah_none() -> None:
    places = {code: currencies.places(code) for code in ("PLN", "MYR", "JPY", "KWD", "CLF", "IDR")}
    assert places == {"PLN": 2, "MYR": 2, "JPY": 0, "KWD": 3, "CLF": 4, "IDR": 0}
    assert currencies.places("HRK") == 2  # gone since 2023, and still in old deals
    assert currencies.is_known("EUR")
    assert not currencies.is_known("ABC")


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0.005", "PLN", "0.01"), ("-0.005", "PLN", "-0.01"), ("-0.004", "PLN", "0.00"), ("2.5", "JPY", "3"),
        ("1e3", "PLN", "1000.00"), ("1.0005", "KWD", "1.001"), ("99999999999999.995", "PLN", "100000000000000.00"),
    ],
)  # fmt: skip
def test_amounts_are_rounded_half_away_from_zero_and_written_out(
    amount: str, currency: str, shown: str
) -> None:
    assert currencies.shown(Decimal(amount), currency) == shown


# -- the trace --------------------------------------------------------------------------------------------


def _again(step: Step, currency: str) -> tuple[Figure, ...]:
    """The step calculated anew from what it says went in."""
    steps, names = Steps(currency), [result.name for result in step.results]
    if step.operation == "split":
        return tuple(steps.split(names, step.inputs[0], step.inputs[1:]))
    if step.operation == "sum":
        return (steps.total(names[0], step.inputs),)
    return (getattr(steps, step.operation)(names[0], *step.inputs),)


@given(_lines, _records)
@settings(max_examples=40, deadline=None)
def test_every_figure_can_be_followed_back_to_what_was_typed(
    lines: list[Line], record: dict[str, Any]
) -> None:
    trace: list[Step] = []
    lines = _copies(lines)
    totals: Totals = money.price(lines, **record, trace=trace.append)
    known: dict[str, Decimal] = {}
    for step in trace:
        assert _again(step, record["currency"]) == step.results
        for figure in step.inputs:
            assert known.setdefault(figure.name, figure.value) == figure.value
        known |= {figure.name: figure.value for figure in step.results}
    for name in ("list", "net", "tax", "gross", "cost"):
        assert known[name] == Decimal(getattr(totals, name))
    for at, line in enumerate(lines):
        assert known[f"lines[{at}].tax"] == Decimal(line.tax)
