"""A second, slow calculation of what lines come to, in fractions, written from ADR 0013 and not from the code that it tests.

`python -m tests.unit.deals.golden` writes golden_cases.json anew: only for new cases, never to make a test pass.
"""

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("golden_cases.json")
PLACES = {"PLN": 2, "EUR": 2, "MYR": 2, "IDR": 0, "JPY": 0, "KWD": 3}
LINE = (
    "quantity", "unit_price", "discount_percent", "discount_amount", "tax_percent", "tax_class_id", "unit_cost",
)  # fmt: skip
CLASSES = {"23": "a", "8": "b", "5": "c", "0": "d", "11": "e", "10": "f", "12.345": "g", "7.7": "h"}
_CHOICES: dict[str, tuple[str, ...]] = {
    "quantity": ("0", "1", "1", "1", "2", "3", "7", "12", "144", "0.5", "2.345", "0.333333", "19.999"),
    "discount_percent": ("", "", "", "5", "10", "12.345", "33.333333", "50", "100"),
    "tax_percent": ("", *CLASSES),
}  # fmt: skip


def calculate(case: dict[str, Any]) -> dict[str, Any]:
    """The totals and the lines' net, tax and gross, as texts."""
    scale = 10 ** PLACES[case["currency"]]
    lines = [dict(zip(LINE, line, strict=True)) for line in case["lines"]]
    sign = -1 if case.get("storno") else 1
    listed, units = [], []
    for line in lines:
        full = _half_up(sign * _f(line["quantity"]) * _f(line["unit_price"]) * scale)
        left = full - _half_up(full * _f(line["discount_percent"]) / 100)
        left -= int(_f(line["discount_amount"]) * scale)
        assert left >= 0, "a golden case is a valid one"
        listed.append(full)
        units.append(left)
    whole = sum(units)
    off = _half_up(whole * _f(case["discount_percent"]) / 100)
    off += int(_f(case["discount_amount"]) * scale)
    assert off <= whole, "a golden case is a valid one"
    order = sorted(range(len(lines)), key=lambda i: (-_f(lines[i]["tax_percent"]), lines[i]["tax_class_id"], -units[i]))  # fmt: skip
    if off:
        for i, share in zip(order, _spread(off, [units[i] for i in order]), strict=True):
            units[i] -= share
    rates = sorted({(-_f(line["tax_percent"]), line["tax_class_id"]) for line in lines})
    figures: list[Any] = [None] * len(lines)
    taxes = []
    for minus_rate, name in rates:
        rate = -minus_rate
        mine = [i for i, line in enumerate(lines) if (_f(line["tax_percent"]), line["tax_class_id"]) == (rate, name)]  # fmt: skip
        total = sum(units[i] for i in mine)
        included = case["tax_included"]
        tax = _half_up(total * rate / (100 + rate) if included else total * rate / 100)
        taxes.append((name, rate, total - tax if included else total, tax))
        for i, part in zip(mine, _spread(tax, [units[i] for i in mine]), strict=True):
            net = units[i] - part if included else units[i]
            figures[i] = (net, part, net + part)
    cost = sum(_half_up(sign * _f(e["quantity"]) * _f(e["unit_cost"]) * scale) for e in lines)
    net, tax = sum(e[2] for e in taxes), sum(e[3] for e in taxes)
    show = lambda value: _show(sign * value, case["currency"])  # noqa: E731
    totals = {"list": sum(listed), "discount": sum(listed) - sum(units), "net": net, "tax": tax, "gross": net + tax, "cost": cost}  # fmt: skip
    return {
        "totals": {key: show(value) for key, value in totals.items()},
        "taxes": [[name, _percent(rate), show(n), show(t)] for name, rate, n, t in taxes],
        "lines": [[show(value) for value in figure] for figure in figures],
    }


def _f(text: str) -> Fraction:
    return Fraction(text or 0)


def _half_up(value: Fraction) -> int:
    """The nearest whole number of what is not negative, halves upwards."""
    return int(2 * value + 1) // 2


def _spread(whole: int, weights: list[int]) -> list[int]:
    """One unit after the other to whoever lacks most."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    exact = [Fraction(whole * weight, total) for weight in weights]
    given = [int(share) for share in exact]
    while sum(given) < whole:
        lacking = [share - got for share, got in zip(exact, given, strict=True)]
        given[lacking.index(max(lacking))] += 1
    return given


def _show(units: int, currency: str) -> str:
    places = PLACES[currency]
    sign, digits = "-" if units < 0 else "", str(abs(units)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


def _percent(rate: Fraction) -> str:
    return str(int(rate)) if rate.denominator == 1 else f"{float(rate):.6f}".rstrip("0")


def made(number: int) -> dict[str, Any]:
    """The case of a number: always the same one."""
    draw = random.Random(number)
    currency = draw.choice(list(PLACES))
    places = PLACES[currency]
    lines = [_made_line(draw, places) for _ in range(draw.choice((1, 1, 2, 3, 3, 5, 7, 12)))]
    case = {
        "name": f"made {number}", "currency": currency, "tax_included": draw.random() < 0.5,
        "discount_percent": draw.choice(("", "", "10", "12.345", "33.333333", "100")), "discount_amount": "", "lines": lines,
    }  # fmt: skip
    if draw.random() < 0.15:
        case["storno"] = True
        for line in lines:
            line[0] = "-" + line[0]
    if draw.random() < 0.4 and case["discount_percent"] != "100":
        before = calculate(case)["totals"]
        most = abs(int((_f(before["list"]) - _f(before["discount"])) * 10**places))
        case["discount_amount"] = _show(draw.choice((most, draw.randint(0, most))), currency)
    return case


def _made_line(draw: random.Random, places: int) -> list[str]:
    price = draw.choice((f"{draw.randint(0, 99999)}", f"{draw.random() * 100:.{places}f}", f"{draw.random() * 1000:.4f}", "0.33"))  # fmt: skip
    quantity, percent = draw.choice(_CHOICES["quantity"]), draw.choice(_CHOICES["discount_percent"])
    rate = draw.choice(_CHOICES["tax_percent"])
    off = ""
    scale = 10**places
    full = _half_up(_f(quantity) * _f(price) * scale)
    left = full - _half_up(full * _f(percent) / 100)
    if draw.random() < 0.2:
        off = _show(draw.randint(0, left), next(c for c, p in PLACES.items() if p == places))
    cost = draw.choice(("", "1.5", "0.3333", price))
    return [quantity, price, percent, off, rate, CLASSES.get(rate, ""), cost]


def write(count: int = 560) -> None:
    cases = [made(number) for number in range(count)]
    texts = [json.dumps(case | {"expected": calculate(case)}) for case in cases]
    CASES.write_text("[\n" + ",\n".join(texts) + "\n]\n")


if __name__ == "__main__":
    write()
