"""Waits until what was set going has come to rest: events published and consumed, due timers fired.

For tests and the test clock: `POST /v1/testClock:advance` answers when everything has settled.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from nats.js.errors import NotFoundError

from chassis.errors import DeadlineExceeded
from chassis.events.nats import stream_of
from chassis.handlers import consumer_of
from chassis.waits import first_of

if TYPE_CHECKING:
    from chassis.process import Process
    from chassis.runtime import Runtime

_LOOK_EVERY_S = 0.02
_DUE = "SELECT EXISTS (SELECT FROM outbox) OR EXISTS (SELECT FROM timers WHERE try_at <= $1)"


async def settled(process: "Process", timeout_s: float = 20.0) -> None:
    """Returns when, twice in a row, nothing waits in any outbox, consumer or due timer; DeadlineExceeded otherwise."""
    ends, calm, never = time.monotonic() + timeout_s, 0, asyncio.Event()
    while calm < 2:
        if time.monotonic() > ends:
            raise DeadlineExceeded(f"events and timers had not settled after {timeout_s:g} s")
        busy = False
        for runtime in process.runtimes.values():
            busy = busy or await _is_busy(process, runtime)
        calm = 0 if busy else calm + 1
        await first_of(never, timeout_s=_LOOK_EVERY_S)


async def _is_busy(process: "Process", runtime: "Runtime") -> bool:
    if runtime.service.metadata is None:
        return False
    rows = await runtime.fetch_in_background(_DUE, process.clock.now())
    if rows[0][0]:
        return True
    for body in runtime.service.consumers:
        consumer = consumer_of(body)
        for publisher in consumer.services:
            try:
                info = await process.nats.js.consumer_info(stream_of(publisher), consumer.durable)
            except NotFoundError:
                continue
            if info.num_pending or info.num_ack_pending:
                return True
    return False
