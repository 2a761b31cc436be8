"""PostgreSQL and NATS for a command: those that run, or started for it and ended after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local import screen
from deploy.local.errors import Refusal
from deploy.local.files import read_json
from deploy.local.installation import Installation, in_use, opened
from deploy.local.servers import Endpoints, Servers
from deploy.local.settings import Settings
from deploy.local.supervisor import Supervised, end_leftovers


@asynccontextmanager
async def servers_of(installation: Installation) -> AsyncIterator[Endpoints]:
    """Start the embedded servers of `installation`; they end with the block."""
    servers = Servers(installation)
    running: list[Supervised] = []
    try:
        async for child in servers.children():
            running.append(Supervised(child, lambda: None))
            async with screen.step(f"Starting {child.name}"):
                running[-1].start()
                await running[-1].ready()
        yield await servers.endpoints()
    finally:
        for one in reversed(running):
            await one.stop(asyncio.Event())


@asynccontextmanager
async def endpoints_of(settings: Settings) -> AsyncIterator[Endpoints]:
    """The servers of the installation, whether it runs or not."""
    running = running_endpoints(settings)
    if running is not None:
        yield running
        return
    with opened(settings) as installation:
        await end_leftovers(settings)
        async with servers_of(installation) as endpoints:
            yield endpoints


def running_endpoints(settings: Settings) -> Endpoints | None:
    """The servers of a running installation, as run.json names them; None when it does not run."""
    if not in_use(settings.data):
        return None
    content = read_json(settings.run_file) if settings.run_file.exists() else {}
    if not content.get("postgres") or not content.get("nats"):
        raise Refusal(f"Akrab is just starting with {settings.data}: try again in a moment.")
    return Endpoints(postgres=content["postgres"], nats=content["nats"])
