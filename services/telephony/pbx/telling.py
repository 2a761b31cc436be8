"""How an adapter goes on reading while what it has read is kept: facts in their order, many at once when they come quickly."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from services.telephony.pbx.adapter import Hear
from services.telephony.pbx.facts import Fact

MOST_WAITING = 10_000
"""Facts; whoever reads then waits, and an exchange whose reader waits for long ends the session."""
MOST_TOGETHER = 200
"""Facts in one transaction."""


class Telling:
    """Facts on their way to whoever keeps them."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._waiting: asyncio.Queue[Fact] = asyncio.Queue(MOST_WAITING)

    async def put(self, facts: Sequence[Fact]) -> None:
        """They are kept soon, after those before them."""
        for fact in facts:
            await self._waiting.put(fact)

    async def finish(self) -> None:
        """Returns when everything that was put is kept."""
        await self._waiting.join()

    async def run(self) -> None:
        """Lets them be kept, for ever."""
        while True:
            facts = [await self._waiting.get()]
            while len(facts) < MOST_TOGETHER and not self._waiting.empty():
                facts.append(self._waiting.get_nowait())
            await self._hear(facts)
            for _ in facts:
                self._waiting.task_done()


async def side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Does them until the first is over or fails; that failure is raised as it is, the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


def readable(read: Callable[[], list[Fact]]) -> list[Fact] | None:
    """What `read` finds in something that came from an exchange; None if it is written as no exchange should."""
    try:
        return read()
    except (KeyError, ValueError, TypeError, IndexError, AttributeError):
        return None
