"""A whole base moved in: planned, run, imported again and taken back, in memory that does not grow with the lines."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chassis.testing.installation import Tenant
from chassis.waits import first_of
from tests.bench.imports import csv_file, people
from tests.service.contacts.files import Clerk, counts, state_of
from tests.service.contacts.world import World

pytestmark = pytest.mark.large

LINES = 30_000
KNOWN = 500
"""Lines whose people are there before, by phone and e-mail only."""
FIRMS = 20
_GROWTH_MB = 60
"""More than a batch with all its parts needs; the lines of the file alone, kept in memory, would be 100."""


@pytest.fixture
def clerk(running: Any, tenant: Tenant) -> Clerk:
    return Clerk(World(running, tenant), tenant.admin, patience_s=3_600)


def resident_mb() -> int:
    """What this process, in which the application runs, holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


@contextlib.asynccontextmanager
async def flat(clerk: Clerk, done: str) -> AsyncIterator[None]:
    """Asserts that the rest of what happens takes little more memory than its beginning, until a tenth of the lines is `done`."""
    over, seen = asyncio.Event(), list[tuple[int, int]]()

    async def watch() -> None:
        while not await first_of(over, timeout_s=0.2):
            rows = await clerk.world.running.rows(
                "contacts", "SELECT max(done) AS n FROM operations WHERE tenant_id = $1 AND kind = $2 AND state = 'running'",
                clerk.world.tenant.id, done,
            )  # fmt: skip
            seen.append((rows[0]["n"] or 0, resident_mb()))

    watching = asyncio.create_task(watch())
    yield
    over.set()
    await watching
    begun = max(memory for lines, memory in seen if lines <= LINES // 10)
    assert max(memory for _, memory in seen) <= begun + _GROWTH_MB, seen[:: max(1, len(seen) // 20)]


async def written(clerk: Clerk) -> tuple[int, int]:
    """How many versions of contacts and of companies there are."""
    found = []
    for table in ("contacts_history", "companies_history"):
        sql = f"SELECT count(*) AS n FROM {table} WHERE tenant_id = $1"
        found.append((await clerk.world.running.rows("contacts", sql, clerk.world.tenant.id))[0])
    return found[0]["n"], found[1]["n"]


async def test_a_whole_base_comes_in_once_and_goes_again(clerk: Clerk) -> None:
    content = csv_file(people(0, LINES))
    known = csv_file([row[2], row[3]] for row in people(0, KNOWN))
    assert counts((await clerk.imported(known)).outcome) == {"created": KNOWN}
    before = await state_of(clerk.world)

    begun = await clerk.begin(content)
    async with flat(clerk, "import:plan"):
        planned = await clerk.plan(begun)
    async with flat(clerk, "import:run"):
        done = await clerk.run(planned)
    assert counts(done.plan) == {
        "created": LINES - KNOWN, "updated": KNOWN, "linked_created": FIRMS,
    }  # fmt: skip
    assert (done.outcome, done.changed_since_plan) == (done.plan, 0)
    versions = await written(clerk)
    assert versions == (LINES + KNOWN, FIRMS)

    again = await clerk.imported(content)
    assert counts(again.outcome) == {"unchanged": LINES}
    assert await written(clerk) == versions

    async with flat(clerk, "import:undo"):
        undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": LINES - KNOWN + FIRMS, "restored": KNOWN}
    assert await state_of(clerk.world) == before
