"""Locks by key: one holder at a time, several keys at once without deadlock, each company for itself."""

import asyncio
from typing import Any

from chassis.call import Cause
from chassis.testing.events import eventually
from chassis.testing.installation import Tenant
from chassis.tx import Tx
from tests.service.kit.support import Desk

WAITING = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def in_transaction(tenant: Tenant, body: Any) -> None:
    runtime = tenant.installation.process.runtimes["contacts"]
    await runtime.run_system(tenant.id, Cause("test", ""), body)


async def test_twenty_who_lock_the_same_keys_in_any_order_come_one_after_the_other(
    desk: Desk,
) -> None:
    inside, most, tries = 0, 0, list[int]()

    def body(keys: list[str]) -> Any:
        async def holding(tx: Tx) -> None:
            nonlocal inside, most
            await tx.lock(*keys)
            inside += 1
            most = max(most, inside)
            await tx.lock("another turn of the loop, and of the database")
            inside -= 1
            tries.append(tx.tries)

        return holding

    keys = [f"key/{number}" for number in range(50)]
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            turned = keys[::-1] if number % 2 else keys
            group.create_task(in_transaction(desk.tenant, body(turned)))

    assert most == 1
    assert tries == [1] * 20, "nobody was thrown out of a deadlock"


async def test_one_key_of_several_is_enough_to_wait_and_another_company_does_not(
    desk: Desk,
) -> None:
    other = await desk.crm.tenant()
    held, go_on, order = asyncio.Event(), asyncio.Event(), list[str]()

    async def first(tx: Tx) -> None:
        await tx.lock("b", "a", "b")
        held.set()
        await go_on.wait()
        order.append("first")

    async def second(tx: Tx) -> None:
        await tx.lock("b")
        order.append("second")

    async def elsewhere(tx: Tx) -> None:
        await tx.lock("a", "b")
        order.append("elsewhere")

    async def waits() -> bool:
        return bool(await desk.crm.rows("contacts", WAITING))

    async with asyncio.TaskGroup() as group:
        group.create_task(in_transaction(desk.tenant, first))
        await held.wait()
        group.create_task(in_transaction(desk.tenant, second))
        await in_transaction(other, elsewhere)
        await eventually(waits, "the second to wait for the first")
        go_on.set()

    assert order == ["elsewhere", "first", "second"]


async def test_no_keys_lock_nothing(desk: Desk) -> None:
    async def body(tx: Tx) -> None:
        await tx.lock()
        assert not await desk.crm.rows(
            "contacts",
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = $1",
            await pid(tx),
        )

    await in_transaction(desk.tenant, body)


async def pid(tx: Tx) -> int:
    found: int = await tx.run_sql("SELECT pg_backend_pid()", [], "fetchval")
    return found
