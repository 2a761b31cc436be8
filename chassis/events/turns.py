"""Whose turn it is to be processed: events of one tenant that wait at the same time share a transaction.

A commit and most round trips are then paid once for all of them. A tenant has two turns at a time, one of which may wait for its
commit, so that what comes meanwhile is taken together by the next: the more comes, the less each event costs. Nothing else changes: a shared turn that fails leaves no trace,
and each of its events has a turn of its own, so that only the one at fault counts the failure. No two events of a record share
a turn, because a record's next event waits until the one before has ended (consumer.py).
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from chassis import errors
from chassis.db.pool import is_lost
from chassis.events.precedence import Precedence
from chassis.tx import EventMeta

TOGETHER = 32
"""At most so many events share a transaction: it is short, and what must be repeated after a failure is little."""

OF_A_TENANT = 2
"""Turns at a time."""

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

    one: processes an event, "done" or "duplicate". many: the same for several of one tenant, all or none; None: never together,
    and then all the turns may be one tenant's.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        one: Callable[[Message, EventMeta], Awaitable[str]],
        many: Callable[[Batch], Awaitable[list[str]]] | None,
        side_by_side: int,
        precedence: Precedence | None = None,
    ) -> None:
        self._group, self._one, self._many, self._free = group, one, many, side_by_side
        self._precedence = precedence or Precedence()
        self._waiting: dict[str, deque[_Waiting]] = {}
        """By tenant; the tenant whose turn is next comes first."""
        self._most = side_by_side if many is None else OF_A_TENANT
        self._having: Counter[str] = Counter()
        """How many turns each tenant has now."""

    async def run(self, event: Message, meta: EventMeta) -> str:
        """The outcome of the event's turn; raises what its body raised."""
        waiting = _Waiting(event, meta)
        self._waiting.setdefault(meta.tenant, deque()).append(waiting)
        if self._free and self._having[meta.tenant] < self._most:
            self._free -= 1
            self._group.create_task(self._work())
        return await waiting.outcome

    async def _work(self) -> None:
        try:
            while self._next() is not None:
                await self._precedence.give_way()
                if (tenant := self._next()) is not None:
                    await self._turn_of(tenant)
        finally:
            self._free += 1

    def _next(self) -> str | None:
        """The tenant whose turn it is; None if nobody waits who may have one."""
        return next((t for t in self._waiting if self._having[t] < self._most), None)

    async def _turn_of(self, tenant: str) -> None:
        queue = self._waiting.pop(tenant)
        taken = [queue.popleft() for _ in range(min(len(queue), TOGETHER) if self._many else 1)]
        if queue:
            self._waiting[tenant] = queue  # behind the other tenants
        self._having[tenant] += 1
        try:
            await self._turn(taken)
        finally:
            self._having[tenant] -= 1
            if not self._having[tenant]:
                del self._having[tenant]

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
