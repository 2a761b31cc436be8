"""Publishing goes before consuming, in one process: everybody outside waits for an event until it is published.

A relay and the consumers share an event loop. While consumers work off a backlog, each step of a relay would wait behind a step
of every one of them; so no further turn of a consumer begins while a relay has rows in hand. That is bounded: under a backlog of
unpublished events consumers go on slowly, they do not stand still.
"""

import asyncio

from chassis.waits import first_of

LONGEST_S = 0.05
"""How long a turn gives way."""


class Precedence:
    """Shared by the relays and consumers of a process."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._ahead: set[object] = set()
        self._clear = asyncio.Event()
        self._clear.set()

    def claim(self, who: object, *, has_rows: bool) -> None:
        """Say whether `who` has rows to publish."""
        if has_rows:
            self._ahead.add(who)
            self._clear.clear()
        else:
            self._ahead.discard(who)
            if not self._ahead:
                self._clear.set()

    async def give_way(self) -> None:
        """Return when nobody has rows to publish, or after `longest_s`."""
        if not self._clear.is_set():
            await first_of(self._clear, timeout_s=self._longest_s)
