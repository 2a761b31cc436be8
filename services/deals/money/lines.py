"""What lines come to (ADR 0013): discounts, tax per rate, and lines that sum to the totals to the last unit. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from chassis.errors import Violation
from crm.deals.v1 import line_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.money.steps import Figure, Steps, Trace

Line = line_pb2.Line
Totals = line_pb2.Totals

Show = Callable[[Figure], str]


@dataclass(slots=True)
class _Part:
    """A line on its way: what it comes to as its price is meant, with or without tax."""

    line: Line
    name: str
    """lines[0]"""
    listed: Figure
    """Before any discount."""
    meant: Figure
    """After its own discounts; in the end also after its share of the record's."""
    cost: Figure
    rate: tuple[Decimal, str]
    """Tax is due by rate and class, as EN 16931 breaks it down."""


def price(
    lines: Sequence[Line],
    *,
    currency: str,
    tax_included: bool,
    discount_percent: str = "",
    discount_amount: str = "",
    storno: bool = False,
    trace: Trace | None = None,
) -> Totals:
    """Fills net, tax and gross of each line in place, and gives what they come to.

    Lines have quantity, unit_price and tax_percent; ValuesInvalid names everything that is wrong with them and changes
    nothing. `storno`: quantities are not positive and every figure is that of the same record with positive ones, negated;
    the trace sees the positive ones.
    """
    wrong = limits.wrong_lines(lines, currency, storno=storno)
    wrong += limits.wrong_discount(discount_percent, discount_amount, currency)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    steps = Steps(currency, trace)
    parts = [_part(steps, f"lines[{at}]", line, wrong) for at, line in enumerate(lines)]
    if wrong:
        raise errors.ValuesInvalid(wrong)
    _spread_discount(steps, parts, _decimal(discount_percent), _decimal(discount_amount))
    sign = -1 if storno else 1
    return _totals(steps, parts, tax_included=tax_included, sign=sign)


def _part(steps: Steps, name: str, line: Line, wrong: list[Violation]) -> _Part:
    """The line by itself; what cannot be is added to `wrong`."""
    quantity = Figure(f"{name}.quantity", abs(Decimal(line.quantity)))
    listed = steps.product(f"{name}.list", quantity, _given(f"{name}.unit_price", line.unit_price))
    if listed.value >= limits.MOST_AMOUNT:
        wrong.append(Violation(name, f"comes to {listed.value:f}; a line must be below {limits.MOST_AMOUNT:f}"))  # fmt: skip
    meant = listed
    if line.discount_percent:
        percent = _given(f"{name}.discount_percent", line.discount_percent)
        off = steps.percent(f"{name}.percent_off", listed, percent)
        meant = steps.minus(f"{name}.after_percent", listed, off)
    if line.discount_amount:
        amount = _given(f"{name}.discount_amount", line.discount_amount)
        if amount.value > meant.value:
            wrong.append(_too_much(amount, meant, "the line still comes", steps.currency))
        meant = steps.minus(f"{name}.after_amount", meant, amount)
    cost = steps.product(f"{name}.cost", quantity, _given(f"{name}.unit_cost", line.unit_cost))
    rate = (_decimal(line.tax_percent), line.tax_class_id)
    return _Part(line, name, listed, meant, cost, rate)


def _spread_discount(
    steps: Steps, parts: Sequence[_Part], percent: Decimal, amount: Decimal
) -> None:
    """Takes the record's discount off the lines: the percentage, then the amount, in proportion to what each comes to."""
    if not percent and not amount:
        return
    whole = steps.total("sum", [part.meant for part in parts])
    by_percent = steps.percent("percent_off", whole, Figure("discount_percent", percent))
    left = steps.minus("after_percent", whole, by_percent)
    off = Figure("discount_amount", amount)
    if amount > left.value:
        raise errors.ValuesInvalid([_too_much(off, left, "the lines still come", steps.currency)])
    discount = steps.total("discount", [by_percent, off])
    # Which of two equal remainders gets the unit must not hang on the order of lines: tax rates would get other sums.
    ordered = sorted(parts, key=lambda part: (-part.rate[0], part.rate[1], -part.meant.value))
    names = [f"{part.name}.share" for part in ordered]
    shares = steps.split(names, discount, [part.meant for part in ordered])
    for part, share in zip(ordered, shares, strict=True):
        part.meant = steps.minus(f"{part.name}.after_discount", part.meant, share)


def _totals(steps: Steps, parts: Sequence[_Part], *, tax_included: bool, sign: int) -> Totals:
    """Tax of each rate on the sum of its lines, then spread over them; each line and the totals are written down."""
    show = partial(_show, steps.currency, sign)
    totals = Totals()
    nets: list[Figure] = []
    taxes: list[Figure] = []
    by_rate: dict[tuple[Decimal, str], list[_Part]] = {}
    for part in parts:
        by_rate.setdefault(part.rate, []).append(part)
    for percent, tax_class in sorted(by_rate, key=lambda rate: (-rate[0], rate[1])):
        concerned = by_rate[percent, tax_class]
        net, tax = _tax(steps, concerned, percent, len(nets), tax_included, show)
        nets.append(net)
        taxes.append(tax)
        totals.taxes.add(
            tax_class_id=tax_class, percent=plain(percent), net=show(net), tax=show(tax)
        )
    listed = steps.total("list", [part.listed for part in parts])
    meant = steps.total("meant", [part.meant for part in parts])
    net, tax = steps.total("net", nets), steps.total("tax", taxes)
    totals.list, totals.discount = show(listed), show(steps.minus("discounts", listed, meant))
    totals.net, totals.tax = show(net), show(tax)
    totals.gross = show(steps.total("gross", [net, tax]))
    totals.cost = show(steps.total("cost", [part.cost for part in parts]))
    return totals


def _tax(
    steps: Steps, parts: Sequence[_Part], percent: Decimal, number: int, included: bool, show: Show
) -> tuple[Figure, Figure]:  # fmt: skip
    """Net and tax of one rate; fills its lines."""
    name, rate = f"taxes[{number}]", Figure(f"taxes[{number}].percent", percent)
    whole = steps.total(f"{name}.sum", [part.meant for part in parts])
    find = steps.contained_tax if included else steps.percent
    tax = find(f"{name}.tax", whole, rate)
    net = steps.minus(f"{name}.net", whole, tax) if included else whole
    names = [f"{part.name}.tax" for part in parts]
    shares = steps.split(names, tax, [part.meant for part in parts])
    for part, share in zip(parts, shares, strict=True):
        other = (
            steps.minus(f"{part.name}.net", part.meant, share)
            if included
            else steps.total(f"{part.name}.gross", [part.meant, share])
        )
        of_net, of_gross = (other, part.meant) if included else (part.meant, other)
        part.line.net, part.line.tax, part.line.gross = show(of_net), show(share), show(of_gross)
    return net, tax


def _show(currency: str, sign: int, figure: Figure) -> str:
    """The figure as records hold it, negated for a storno."""
    return currencies.shown(sign * figure.value, currency)


def plain(value: Decimal) -> str:
    """A number without needless zeros or an exponent: 8, 12.345."""
    return f"{value.normalize(currencies.EXACT):f}"


def sum_of(texts: Iterable[str]) -> Decimal:
    """The sum of amounts as records hold them; empty counts as zero."""
    return sum(map(_decimal, texts), Decimal(0))


def _decimal(text: str) -> Decimal:
    return Decimal(text or 0)


def _given(name: str, text: str) -> Figure:
    return Figure(name, _decimal(text))


def _too_much(off: Figure, left: Figure, whose: str, currency: str) -> Violation:
    shown = currencies.shown(left.value, currency)
    return Violation(off.name, f"{off.value:f} is more than {whose} to, {shown}; a discount never makes less than 0")  # fmt: skip
