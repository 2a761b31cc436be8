"""Every figure of lines can be reckoned again from its steps, by somebody who does not know the money engine (M16)."""

import json
from fractions import Fraction
from typing import Any

import pytest

from crm.deals.v1 import line_pb2
from services.deals.money import lines as money
from services.deals.rules.explaining import Trail
from tests.unit.deals import golden
from tests.unit.deals.reckoning import replay

_CASES = json.loads(golden.CASES.read_text())


@pytest.mark.parametrize("first", range(0, len(_CASES), 40))
def test_golden_cases_are_reckoned_again_from_their_steps(first: int) -> None:
    for case in _CASES[first : first + 40]:
        _replay(case)


def _replay(case: dict[str, Any]) -> None:
    lines = [line_pb2.Line(**dict(zip(golden.LINE, line, strict=False))) for line in case["lines"]]
    trail, storno = Trail(), case.get("storno", False)
    totals = money.price(
        lines, currency=case["currency"], tax_included=case["tax_included"], storno=storno,
        discount_percent=case.get("discount_percent", ""), discount_amount=case.get("discount_amount", ""),
        trace=trail.by("lines", case["currency"]),
    )  # fmt: skip
    known = replay(trail.steps)
    sign = -1 if storno else 1
    for name in ("net", "tax", "gross", "list"):
        assert sign * known[name] == Fraction(getattr(totals, name)), (case["name"], name)
    written = [f"lines[{at}].{name}" for at in range(len(lines)) for name in ("net", "gross")]
    for name in written:
        if name in known:  # of the two, that which is no input of its tax
            at, field = int(name[6 : name.index("]")]), name.rpartition(".")[2]
            assert sign * known[name] == Fraction(getattr(lines[at], field)), (case["name"], name)


def test_a_wrong_step_is_found() -> None:
    trail = Trail()
    lines = [line_pb2.Line(quantity="3", unit_price="0.33", tax_percent="23")]
    money.price(lines, currency="PLN", tax_included=True, trace=trail.by("lines", "PLN"))
    trail.steps[0].results[0].value = "1.00"
    with pytest.raises(AssertionError, match="lines"):
        replay(trail.steps)
