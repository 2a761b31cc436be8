"""What the tests of handovers, merges and erasures share: what tasks hears from others, and its own answers."""

import asyncio
from typing import Any

import orjson

from chassis.call import Cause
from tests.service.tasks.world import World


async def system(world: World, work: Any) -> Any:
    """Runs a body of tasks in a transaction of its own, as events and timers are."""
    runtime = world.running.process.runtimes["tasks"]
    return await runtime.run_system(world.tenant.id, Cause("event"), work)


async def answered(world: World, name: str, count: int = 1) -> list[dict[str, Any]]:
    """The first events of this name that tasks itself published: other services answer by the same names."""
    subject = f"crm.{world.tenant.id}.tasks.{name}"
    js = world.running.process.nats.js
    subscription = await js.subscribe(subject, stream="TASKS", ordered_consumer=True)
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                found.append(orjson.loads((await subscription.next_msg(timeout=30)).data))
    finally:
        await subscription.unsubscribe()
    return found
