"""The pool: few connections serve many tenants and never mix them; a connection that is in doubt is closed."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from chassis import errors
from chassis.call import Cause
from chassis.db.pool import Pools, is_lost
from chassis.keys import uuid7
from chassis.testing import servers
from chassis.testing.installation import Installation, installation
from chassis.tx import Tx
from tests.service.kit.support import Desk

_TENANT_SET = "SELECT current_setting('app.tenant', true)"


@pytest.fixture(scope="module")
async def narrow() -> AsyncIterator[Installation]:
    """A process with four connections."""
    async with installation(["contacts"], connections=4) as running:
        yield running


@pytest.mark.large
async def test_eight_tenants_on_four_connections_see_only_their_own(narrow: Installation) -> None:
    tenants = [await narrow.tenant() for _ in range(8)]
    desks = [Desk(tenant, tenant.admin) for tenant in tenants]
    for number, desk in enumerate(desks):
        await desk.create(f"Of {number}")

    async def work(number: int, turn: int) -> None:
        desk = desks[number]
        if turn % 5 == 0:
            await desk.create(f"Of {number}")
        assert set(await desk.names(page_size=200)) == {f"Of {number}"}

    await asyncio.gather(*(work(number, turn) for turn in range(50) for number in range(8)))

    rows = await narrow.rows(
        "contacts", "SELECT tenant_id, count(*) AS n FROM contacts WHERE tenant_id = ANY($1) GROUP BY 1",
        [tenant.id for tenant in tenants],
    )  # fmt: skip
    assert sorted(row["n"] for row in rows) == [11] * 8
    assert narrow.process.pools.open <= 4


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    made = Pools(2)
    yield made
    await made.close()
    assert made.open == 0


async def test_connection_carries_the_tenant_it_was_taken_for(pools: Pools) -> None:
    url, (one, other) = servers.postgres_url(), (uuid7(), uuid7())

    for tenant in (one, other, None, one):
        connection = await pools.take(url, tenant)
        assert await connection.raw.fetchval(_TENANT_SET) == (tenant or "")
        pools.give(connection)
    assert pools.open == 1


async def test_connection_of_the_same_tenant_is_preferred(pools: Pools) -> None:
    url, (one, other) = servers.postgres_url(), (uuid7(), uuid7())
    first, second = await pools.take(url, one), await pools.take(url, other)
    pools.give(first)
    pools.give(second)

    assert await pools.take(url, one) is first
    assert await pools.take(url, other) is second
    pools.give(first)
    pools.give(second)


async def test_connection_whose_tenant_could_not_be_set_is_closed(pools: Pools) -> None:
    url = servers.postgres_url()
    connection = await pools.take(url, uuid7())
    pools.give(connection)
    pid = connection.raw.get_server_pid()
    second = await pools.take(url, uuid7())
    assert second is connection
    kill = await pools.take(url, None)
    await kill.raw.execute("SELECT pg_terminate_backend($1)", pid)
    pools.give(kill)
    pools.give(second)

    taken = await pools.take(url, uuid7())

    assert taken is not connection
    pools.give(taken)


async def test_connection_in_doubt_or_in_a_transaction_is_not_given_to_anybody(
    pools: Pools,
) -> None:
    url, tenant = servers.postgres_url(), uuid7()
    doubtful = await pools.take(url, tenant)
    pools.give(doubtful, certain=False)
    unfinished = await pools.take(url, tenant)
    await unfinished.raw.execute("BEGIN")
    pools.give(unfinished)

    fresh = await pools.take(url, tenant)

    assert fresh is not doubtful
    assert fresh is not unfinished
    assert doubtful.raw.is_closed()
    assert unfinished.raw.is_closed()
    pools.give(fresh)


async def test_waiter_gets_the_next_free_connection_and_gives_up_at_its_deadline(
    pools: Pools,
) -> None:
    url = servers.postgres_url()
    busy = [await pools.take(url, None) for _ in range(2)]
    waiting = [asyncio.create_task(pools.take(url, None)) for _ in range(2)]
    with pytest.raises(errors.Unavailable) as refusal:
        await pools.take(url, None, deadline=time.monotonic() + 0.05)
    assert refusal.value.retry_after_s

    for connection in busy:
        pools.give(connection)
    for taken in await asyncio.gather(*waiting):
        pools.give(taken)
    assert pools.open == 2


async def test_waiter_that_is_cancelled_when_told_passes_the_connection_on(pools: Pools) -> None:
    url = servers.postgres_url()
    busy = [await pools.take(url, None) for _ in range(2)]
    first, second = (asyncio.create_task(pools.take(url, None)) for _ in range(2))
    await asyncio.sleep(0)  # both wait now

    pools.give(busy[0])
    first.cancel()

    taken = await asyncio.wait_for(second, 2)
    pools.give(taken)
    pools.give(busy[1])
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_pool_makes_room_for_another_database(pools: Pools) -> None:
    one, other = servers.postgres_url(), servers.postgres_url("template1")
    kept = [await pools.take(one, None) for _ in range(2)]
    for connection in kept:
        pools.give(connection)

    taken = await pools.take(other, None)

    assert pools.open == 2
    pools.give(taken)


async def test_two_databases_that_are_asked_in_turn_keep_their_connections(pools: Pools) -> None:
    """Each statement would else close the other's connection and open one."""
    urls = [servers.postgres_url(), servers.postgres_url("template1")]
    seen = set()

    async def ask(url: str) -> None:
        connection = await pools.take(url, None)
        seen.add(connection.raw.get_server_pid())
        await connection.raw.execute("SELECT 1")
        pools.give(connection)

    await asyncio.gather(*(ask(url) for _ in range(40) for url in urls))

    assert len(seen) <= 4
    assert pools.open == 2


async def test_database_that_has_waited_for_long_gets_room_of_a_busy_one(pools: Pools) -> None:
    busy, quiet = servers.postgres_url(), servers.postgres_url("template1")
    held = await pools.take(quiet, None)  # as by a statement that takes long
    over = asyncio.Event()

    async def work() -> None:
        while not over.is_set():
            connection = await pools.take(busy, None)
            await connection.raw.execute("SELECT 1")
            pools.give(connection)

    working = [asyncio.create_task(work()) for _ in range(3)]
    taken = await pools.take(quiet, None, deadline=time.monotonic() + 10)
    over.set()

    assert (taken.url, taken is held) == (quiet, False)
    pools.give(taken)
    pools.give(held)
    await asyncio.gather(*working)


async def test_database_that_is_down_is_unavailable(pools: Pools) -> None:
    with pytest.raises(errors.Unavailable):
        await pools.take("postgresql://postgres@127.0.0.1:1/postgres", None)
    assert pools.open == 0


async def test_connection_given_back_after_closing_is_closed() -> None:
    pools = Pools(2)
    connection = await pools.take(servers.postgres_url(), None)

    await pools.close()
    pools.give(connection)

    assert connection.raw.is_closed()
    assert pools.open == 0


async def test_refused_argument_is_a_defect_and_no_lost_connection(pools: Pools) -> None:
    connection = await pools.take(servers.postgres_url(), None)

    with pytest.raises(asyncpg.DataError) as defect:
        await connection.raw.fetchval("SELECT $1::uuid", "no uuid")

    assert not is_lost(defect.value)
    pools.give(connection)


async def test_cancelled_statement_leaves_a_connection_that_serves_the_next_tenant(
    narrow: Installation,
) -> None:
    runtime = narrow.process.runtimes["contacts"]
    tenants = [await narrow.tenant() for _ in range(2)]

    async def sleep(tx: Tx) -> None:
        await tx.run_sql("SELECT pg_sleep(30)", [], "execute")

    async def who(tx: Tx) -> str:
        return str(await tx.run_sql(_TENANT_SET, [], "fetchval"))

    for _ in range(5):
        sleeping = [
            asyncio.create_task(runtime.run_system(tenants[0].id, Cause("setup"), sleep))
            for _ in range(4)
        ]
        await asyncio.wait(sleeping, timeout=0.05)
        for each in sleeping:
            each.cancel()
        await asyncio.gather(*sleeping, return_exceptions=True)
        found = await asyncio.gather(
            *(runtime.run_system(tenants[n % 2].id, Cause("setup"), who) for n in range(8))
        )
        assert found == [tenants[n % 2].id for n in range(8)]
    assert narrow.process.pools.open <= 4
