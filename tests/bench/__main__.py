"""`python -m tests.bench [--only=B1,B2] [--short] [--write]`: measures, prints the table, writes build/bench.json.

--short   tiny numbers and no million contacts: shows that everything can be measured, judges nothing (for CI)
--write   also writes docs/performance.md
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import (
    board,
    calls,
    card,
    days,
    document,
    events,
    imports,
    life,
    machine,
    pages,
    rates,
    search,
)
from tests.bench.data import Kept
from tests.bench.report import Result, table, write_json

OFFERED = tuple(f"B{number}" for number in range(1, 16))


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    contacts: int = 100_000
    few: int = 10_000
    many: int = 1_000_000
    rounds: int = 5
    seconds: float = 5.0
    page_rounds: int = 100
    searches: int = 400
    event_seconds: float = 20.0
    backlog: int = 100_000
    idle_s: float = 15.0
    readers: int = 5_000
    tasks: int = 1_000_000
    day_rounds: int = 10
    deals: int = 200_000
    board_rounds: int = 100
    import_rows: int = 200_000
    numbers: int = 1_000_000
    look_ups: int = 400
    call_seconds: float = 120.0
    demo: bool = True


SHORT = Scale(
    contacts=4_000, few=4_000, many=4_000, rounds=1, seconds=1.0, page_rounds=3, searches=20, event_seconds=2.0, backlog=2_000, idle_s=1.0,
    readers=300, tasks=20_000, day_rounds=1, deals=4_000, board_rounds=5, import_rows=3_000, numbers=20_000,
    look_ups=20, call_seconds=6.0, demo=False,
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Runs the bench; 0 unless it could not be run. A missed budget is a finding, not a failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default=",".join(OFFERED), help="some of " + ",".join(OFFERED))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    wanted = set(options.only.upper().split(","))
    if unknown := wanted - set(OFFERED):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (limit, limit)
    )  # for B13, also of the installations it starts
    found: list[Result] = []
    began, load_before = time.monotonic(), machine.load()
    with tempfile.TemporaryDirectory(prefix="akrab-bench-") as folder:
        Path(folder).chmod(0o711)  # the database's own user passes through
        for result in measured(wanted, SHORT if options.short else Scale(), Path(folder)):
            found.append(replace(result, ok=None) if options.short else result)
    print("\n" + table(found))
    print(
        f"\n{machine.described()}; {time.monotonic() - began:.0f} s; load before {load_before:.1f}"
    )
    write_json(found)
    if options.write:
        document.write(found, load_before)
    return 0


def measured(wanted: set[str], scale: Scale, folder: Path) -> Iterator[Result]:
    """Everything that is wanted, one installation after the other; only B5 needs two at once."""
    if wanted & {"B11", "B12"}:
        _say("start, start again, idle memory")
        yield from life.starts(folder / "starts" / "data", wanted, scale.idle_s, demo=scale.demo)
    if wanted & {"B1", "B2", "B3", "B6", "B7", "B8", "B9", "B10", "B13", "B14", "B15"}:
        yield from _on_a_copy(wanted, scale, folder / "main" / "data")
    if wanted & {"B4", "B5"}:
        _say(f"searches and pages of {scale.many:,} contacts")
        # The short bench has one size only, which is then compared to itself.
        sizes = {scale.many, scale.few} if "B5" in wanted else {scale.many}
        kept = [Kept(count) for count in sorted(sizes, reverse=True)]
        for one in kept:
            one.make()
        with ExitStack() as stack:
            sides = [
                (stack.enter_context(one.installation().running()), one.company(), one.count)
                for one in kept
            ]
            if "B4" in wanted:
                yield from search.measure(*sides[0], scale.searches)
            if "B5" in wanted:
                yield from pages.measure(sides, scale.page_rounds)


def _on_a_copy(wanted: set[str], scale: Scale, data: Path) -> Iterator[Result]:
    """What changes the data, or may: on a copy of a kept directory."""
    _say(f"an installation with {scale.contacts:,} contacts")
    kept = Kept(scale.contacts)
    kept.make()
    data.parent.mkdir(mode=0o711)
    company = kept.company()
    with kept.copy(data).running() as installation:
        if wanted & {"B1", "B2", "B3"}:
            _say("reads, lists, creations")
            yield from rates.measure(installation, company, wanted, scale.rounds, scale.seconds)
        if "B6" in wanted:
            _say("cards of customers")
            installation.until_idle()
            yield from card.measure(installation, company, scale.rounds, scale.seconds)
        if "B8" in wanted:
            _say("events on their way")
            yield from events.delays(installation, company, scale.event_seconds)
        if "B9" in wanted:
            _say("a backlog of events")
            yield from events.backlog(installation, company, scale.backlog)
        if "B10" in wanted:
            _say(f"an import of {scale.import_rows:,} lines")
            yield from imports.measure(installation, company, scale.import_rows)
        if "B14" in wanted:
            _say(f"days among {scale.tasks:,} tasks")
            installation.until_idle()
            yield from days.measure(installation, company, scale.tasks, scale.day_rounds)
        if "B7" in wanted:
            _say(f"the board of {scale.deals:,} deals")
            yield from board.measure(installation, company, scale.deals, scale.board_rounds)
        if "B15" in wanted:
            _say(f"calls, {scale.numbers:,} numbers")
            yield from calls.measure(
                installation, company, scale.numbers, scale.look_ups, scale.call_seconds
            )
    if "B13" in wanted:
        _say("live readers")
        yield from life.readers(data, company, scale.readers)


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
