"""Whose turn it is to be processed: events of one tenant that wait at the same time share a transaction.

A commit and most round trips are then paid once for all of them. Nothing else changes: a shared turn that fails leaves no trace,
and each of its events has a turn of its own, so that only the one at fault counts the failure. No two events of a record share
a turn, because a record's next event waits until the one before has ended (consumer.py).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from chassis import errors
from chassis.db.pool import is_lost
from chassis.tx import EventMeta

TOGETHER = 32
"""At most so many events share a transaction: it is short, and what must be repeated after a failure is little."""

Batch = Sequence[tuple[Message, EventMeta]]


@dataclass(slots=True)
class _Waiting:
    event: Message
    meta: EventMeta
    outcome: "asyncio.Future[str]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Turns:
    """The events of one consumer that wait to be processed; `side_by_side` turns run at a time, as tasks of `group`.

    one: processes an event, "done" or "duplicate". many: the same for several of one tenant, all or none; None: never together.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        one: Callable[[Message, EventMeta], Awaitable[str]],
        many: Callable[[Batch], Awaitable[list[str]]] | None,
        side_by_side: int,
    ) -> None:
        self._group, self._one, self._many, self._free = group, one, many, side_by_side
        self._waiting: dict[str, deque[_Waiting]] = {}
        """By tenant; the tenant whose turn is next comes first."""

    async def run(self, event: Message, meta: EventMeta) -> str:
        """The outcome of the event's turn; raises what its body raised."""
        waiting = _Waiting(event, meta)
        self._waiting.setdefault(meta.tenant, deque()).append(waiting)
        if self._free:
            self._free -= 1
            self._group.create_task(self._work())
        return await waiting.outcome

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._turn(self._next())
        finally:
            self._free += 1

    def _next(self) -> list[_Waiting]:
        tenant, queue = next(iter(self._waiting.items()))
        del self._waiting[tenant]
        count = min(len(queue), TOGETHER) if self._many else 1
        taken = [queue.popleft() for _ in range(count)]
        if queue:
            self._waiting[tenant] = queue  # behind the other tenants
        return taken

    async def _turn(self, taken: list[_Waiting]) -> None:
        try:
            if len(taken) == 1 or not await self._together(taken):
                for waiting in taken:
                    await self._alone(waiting)
        finally:
            for waiting in taken:  # only if this task was cancelled
                waiting.outcome.cancel()

    async def _together(self, taken: list[_Waiting]) -> bool:
        assert self._many is not None
        try:
            outcomes = await self._many([(waiting.event, waiting.meta) for waiting in taken])
        except Exception as error:  # each one's own turn tells whose fault it was
            if not not_its_fault(error):
                return False
            for waiting in taken:
                _refuse(waiting, error)
            return True
        for waiting, outcome in zip(taken, outcomes, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)
        return True

    async def _alone(self, waiting: _Waiting) -> None:
        try:
            outcome = await self._one(waiting.event, waiting.meta)
        except Exception as error:  # raised where the event is waited for
            _refuse(waiting, error)
        else:
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)


def not_its_fault(error: Exception) -> bool:
    """True for a failure that says nothing about the event: the database is away."""
    return isinstance(error, errors.Unavailable) or is_lost(error)


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
