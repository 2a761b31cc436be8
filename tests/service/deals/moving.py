"""What the tests of handovers, merges, erasures and imports share: what deals hears from others, its answers, and where somebody is."""

from collections.abc import AsyncIterator
from typing import Any

from chassis.call import Cause
from chassis.events.reading import read as read_stream
from tests.service.deals.world import World


async def system(world: World, work: Any) -> Any:
    """Runs a body of deals in a transaction of its own, as events and timers are."""
    runtime = world.running.process.runtimes["deals"]
    return await runtime.run_system(world.tenant.id, Cause("event"), work)


async def answered(world: World, name: str, count: int = 1) -> list[dict[str, Any]]:
    """The first events of this name of deals, which may take a while: an operation tells them."""
    return await world.running.events(world.tenant, name, count=count, timeout_s=30)


async def put_file(world: World, content: bytes, *, name: str, type: str) -> str:
    """A file of the administrator; its id."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blobs = world.running.process.runtimes["deals"].blobs
    admin = world.tenant.admin.id
    blob = await blobs.put(
        world.tenant.id, chunks(), type=type, name=name, owner_id=admin, max_bytes=1 << 20
    )
    return str(blob.id)


async def file_ids(world: World) -> set[str]:
    """The tenant's files."""
    blobs = world.running.process.runtimes["deals"].blobs
    return {blob.id async for blob in blobs.list(world.tenant.id)}


async def places_of(world: World, *texts: str) -> dict[str, int]:
    """Table or stream -> rows or messages of the tenant in which one of the texts stands, in whatever spelling."""
    found: dict[str, int] = {}
    tables = await world.running.rows(
        "deals",
        "SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'tenant_id'"
        " AND table_schema = 'public' AND table_name IN (SELECT tablename FROM pg_tables)",
    )
    for text in texts:
        for table in tables:
            sql = (
                f"SELECT count(*) AS n FROM {table['name']} t WHERE tenant_id = $1"
                " AND (t::text LIKE '%' || $2 || '%' OR t::text LIKE '%' || $3 || '%')"
            )
            spelled = (text, text.encode().hex())
            rows = await world.running.rows("deals", sql, world.tenant.id, *spelled)
            if count := rows[0]["n"]:
                found[table["name"]] = found.get(table["name"], 0) + count
        nats = world.running.process.nats
        async for message in read_stream(nats, "DEALS", subjects=[f"crm.{world.tenant.id}.>"]):
            if text.encode() in message.data:
                found["stream"] = found.get("stream", 0) + 1
    return found
