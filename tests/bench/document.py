"""docs/performance.md: what was run, on what, and what came of it."""

from collections.abc import Sequence

from deploy.local.settings import CHECKOUT
from tests.bench import machine
from tests.bench.report import Result, markdown

FILE = CHECKOUT / "docs" / "performance.md"
_BEGIN, _END = "<!-- measured: written by `python -m tests.bench --write` -->", "<!-- /measured -->"


def write(results: Sequence[Result], load_before: float) -> None:
    """Replaces the measured part of the document; what people wrote around it stays."""
    head, _, rest = FILE.read_text().partition(_BEGIN)
    tail = rest.partition(_END)[2]
    measured = f"Machine: {machine.described()}; load before the run {load_before:.1f}.\n\n{markdown(results)}"
    FILE.write_text(f"{head}{_BEGIN}\n{measured}\n{_END}{tail}")
