"""What the tests of handovers, merges and erasures share: what tasks hears from others, and its own answers."""

from typing import Any

from chassis.call import Cause
from tests.service.tasks.world import World


async def system(world: World, work: Any) -> Any:
    """Runs a body of tasks in a transaction of its own, as events and timers are."""
    runtime = world.running.process.runtimes["tasks"]
    return await runtime.run_system(world.tenant.id, Cause("event"), work)


async def answered(world: World, name: str, count: int = 1) -> list[dict[str, Any]]:
    """The first events of this name of tasks, which may take a while: an operation tells them."""
    return await world.running.events(world.tenant, name, count=count, timeout_s=30)
