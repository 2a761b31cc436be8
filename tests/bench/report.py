"""Results: a table, build/bench.json (the format is in PERFORMANCE.md section 3) and docs/performance.md."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.settings import CHECKOUT

JSON_FILE = CHECKOUT / "build" / "bench.json"


@dataclass(frozen=True, slots=True)
class Result:
    """One measured number. `ok` is None for what is reported and not judged."""

    id: str
    what: str
    value: float
    unit: str
    budget: str
    ok: bool | None


def at_least(id: str, what: str, value: float, unit: str, least: float) -> Result:
    """A result whose budget is a lower bound."""
    return Result(id, what, value, unit, f">= {least:g}", value >= least)


def at_most(id: str, what: str, value: float, unit: str, most: float) -> Result:
    """A result whose budget is an upper bound."""
    return Result(id, what, value, unit, f"<= {most:g}", value <= most)


def told(id: str, what: str, value: float, unit: str) -> Result:
    """A number that explains others and has no budget."""
    return Result(id, what, value, unit, "", None)


def shown(number: float) -> str:
    """Three digits that matter."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def table(results: Sequence[Result]) -> str:
    """For the screen."""
    rows = [
        (r.id, r.what, f"{shown(r.value)} {r.unit}".strip(), r.budget, _verdict(r)) for r in results
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown(results: Sequence[Result]) -> str:
    """For the document."""
    lines = ["| # | what | measured | budget | |", "|---|---|---|---|---|"]
    lines += [
        f"| {r.id} | {r.what} | {shown(r.value)} {r.unit} | {r.budget} | {_verdict(r)} |"
        for r in results
    ]
    return "\n".join(lines)


def _verdict(result: Result) -> str:
    return "" if result.ok is None else "ok" if result.ok else "MISSED"


def write_json(results: Sequence[Result], path: Path = JSON_FILE) -> None:
    """`ok` is true for what has no budget: nothing was missed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(r) | {"ok": r.ok is not False, "value": round(r.value, 4)} for r in results]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
