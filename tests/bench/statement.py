"""The measure of B3: the statement of a creation, as the kit composes it, run by asyncpg alone. `python -m tests.bench.statement`.

Reads {"url", "tenant_id", "user_id", "rows", "connections", "seconds"}; prints "ready" when every argument is made, waits for a
line, and prints {"rows", "seconds"}.
"""

import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

import uvloop

from chassis.call import Actor, Cause
from chassis.db.pool import connect
from chassis.kit import facts, save
from chassis.rights import Rights
from chassis.tx import Draws, Tx
from crm.contacts.v1 import contact_pb2
from services.contacts import store
from tests.bench import contacts


def composed(tenant_id: str, user_id: str, number: int) -> tuple[str, list[Any]]:
    """Text and arguments of the one statement that creates a contact."""
    actor, now = Actor("user", user_id, user_id), datetime.now(UTC)
    tx = Tx(
        None, tenant=tenant_id, actor=actor, cause=Cause("rpc", f"bench-{number}"), draws=Draws(now),  # type: ignore[arg-type]
        rights=Rights.of_system(),
    )  # fmt: skip
    given, family = contacts.name(random.Random())
    made = contact_pb2.Contact(
        given_name=given, family_name=family, display_name=f"{given} {family}", owner_id=user_id
    )
    made.phones.add(number=f"+4850{number:07d}")
    made.emails.add(address=f"s{number}@customers.example")
    store.contacts.save(tx, made)
    (recorded,) = tx.recorded.saves
    return save._statement(tx, recorded, facts.outbox_rows(tx), None, b"")


async def main(job: dict[str, Any]) -> None:
    """As the module says."""
    connections = [await connect(job["url"], "akrab bench") for _ in range(job["connections"])]
    for connection in connections:
        await connection.execute("SELECT set_config('app.tenant', $1, false)", job["tenant_id"])
    base = random.randrange(10**6) * 10
    waiting = [
        composed(job["tenant_id"], job["user_id"], (base + n) % 10**7) for n in range(job["rows"])
    ]
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    began = time.perf_counter()
    done = 0

    async def work(connection: Any) -> None:
        nonlocal done
        while waiting and time.perf_counter() - began < job["seconds"]:
            sql, arguments = waiting.pop()
            await connection.fetchrow(sql, *arguments)
            done += 1

    await asyncio.gather(*(work(connection) for connection in connections))
    print(json.dumps({"rows": done, "seconds": time.perf_counter() - began}), flush=True)
    await loop.run_in_executor(
        None, sys.stdin.readline
    )  # whoever reads our CPU does it before we end
    for connection in connections:
        await connection.close()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.stdin.readline())))
