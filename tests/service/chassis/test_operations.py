"""Operations: one worker at a time, resumed after a death, cancelled between steps, told as google.longrunning.Operation."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from google.longrunning import operations_pb2
from google.protobuf import struct_pb2
from google.rpc import code_pb2
from sqlalchemy import bindparam, text

from chassis import errors
from chassis.call import Cause
from chassis.db.statement import Statement
from chassis.events.nats import Nats
from chassis.operation_runs import Body, OperationRun, OperationRuns
from chassis.operations import OperationOver, Operations
from chassis.running import run_system
from chassis.testing import servers
from chassis.testing.events import (
    background_database,
    eventually,
    leading,
    nats_connection,
    runtime_of,
)
from chassis.tx import Tx
from crm.common.v1 import common_pb2

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).parents[3]
TENANT = str(uuid.uuid4())
EFFECT = Statement(
    text("INSERT INTO effects (tenant_id, what) VALUES (:tenant_id, :what)").bindparams(
        bindparam("tenant_id"), bindparam("what")
    )
)
REQUEST = common_pb2.Cause(kind="import", id="7")


class Bench:
    """One service in one process."""

    def __init__(
        self,
        url: str,
        body: Body,
        *,
        lease_s: float = 1.0,
        nats: Nats | None = None,
        **others: Body,
    ) -> None:
        self.url = url
        runtime = runtime_of(url)
        self.run_system = functools.partial(run_system, runtime)
        bodies = {"import": body, **others}
        self.operations = Operations("test", frozenset(bodies))
        self.runs = OperationRuns(
            "test", bodies, self.run_system, self.fetch, nats=nats, lease_s=lease_s
        )
        runtime.operation_runs = self.runs

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def start(self, kind: str = "import") -> str:
        started = await self.run_system(
            TENANT, Cause("setup"), lambda tx: self.operations.start(tx, kind, REQUEST)
        )
        self.runs.wake()
        return str(started.name.rpartition("/")[2])

    async def get(self, id: str) -> operations_pb2.Operation:
        found: operations_pb2.Operation = await self.run_system(
            TENANT, Cause("setup"), lambda tx: self.operations.get(tx, id)
        )
        return found

    async def cancel(self, id: str) -> operations_pb2.Operation:
        told: operations_pb2.Operation = await self.run_system(
            TENANT, Cause("setup"), lambda tx: self.operations.cancel(tx, id)
        )
        return told

    async def ended(self, id: str, timeout_s: float = 10.0) -> operations_pb2.Operation:
        """The operation when it is over."""
        await eventually(lambda: self.over(id), "over", timeout_s)
        return await self.get(id)

    async def over(self, id: str) -> bool:
        return (await self.get(id)).done

    async def effects(self) -> list[str]:
        return [r["what"] for r in await self.fetch("SELECT what FROM effects ORDER BY seq")]


def facts(operation: operations_pb2.Operation) -> dict[str, Any]:
    metadata = struct_pb2.Struct()
    assert operation.metadata.Unpack(metadata)
    return dict(metadata)


@asynccontextmanager
async def working(*benches: Bench) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for bench in benches:
            group.create_task(bench.runs.run(stop))
        try:
            yield
        finally:
            stop.set()


async def ten_steps(run: OperationRun) -> common_pb2.Cause:
    """Writes 0 to 9, one a step, from the saved position on."""
    for number in range(run.position.get("next", 0), 10):

        async def step(tx: Tx, number: int = number) -> None:
            await tx.execute(EFFECT, what=str(number))

        await run.write(step, position={"next": number + 1})
        await run.progress(number + 1, 10)
    return common_pb2.Cause(kind="result", id=run.request.id)  # type: ignore[attr-defined]


async def test_it_runs_and_tells_progress_and_result() -> None:
    bench = Bench(background_database(), ten_steps)
    async with working(bench):
        id = await bench.start()
        await eventually(lambda: bench.over(id), "done")
        operation = await bench.get(id)

    result = common_pb2.Cause()
    assert operation.name == f"operations/test/{id}"
    assert operation.response.Unpack(result)
    assert result == common_pb2.Cause(kind="result", id="7")
    assert (facts(operation)["state"], facts(operation)["done"], facts(operation)["total"]) == (
        "done",
        10,
        10,
    )
    assert await bench.effects() == [str(n) for n in range(10)]


async def test_many_workers_run_each_operation_once() -> None:
    url = background_database()
    benches = [Bench(url, ten_steps) for _ in range(3)]
    async with working(*benches):
        ids = [await benches[0].start() for _ in range(12)]
        for bench in benches:
            bench.runs.expect()
            bench.runs.wake()
        for id in ids:
            await benches[0].ended(id, 30)
    assert sorted(await benches[0].effects(), key=int) == [
        str(n) for n in range(10) for _ in range(12)
    ]


async def test_a_heap_of_one_kind_that_waits_leaves_a_worker_to_the_others() -> None:
    at_work, go_on = list[str](), asyncio.Event()

    async def waiting(run: OperationRun) -> None:
        at_work.append(run.id)
        await go_on.wait()

    bench = Bench(background_database(), waiting, lease_s=20, quick=ten_steps)
    async with working(bench):
        heap = [await bench.start() for _ in range(6)]
        await eventually(lambda: len(at_work) == 2, "two of the kind are at work")
        await bench.ended(await bench.start("quick"))
        assert len(at_work) == 2
        go_on.set()
        for id in heap:
            await bench.ended(id)
    assert sorted(at_work) == sorted(heap)


async def test_what_a_busy_process_leaves_is_done_by_another_one() -> None:
    url, at_work = background_database(), list[str]()

    async def stuck(run: OperationRun) -> None:
        at_work.append(run.id)
        await asyncio.Event().wait()

    async with nats_connection() as nats:
        busy = Bench(url, stuck, lease_s=60, nats=nats)
        idle = Bench(url, ten_steps, lease_s=60, nats=nats)
        async with working(busy):
            _ = [await busy.start() for _ in range(2)]
            await eventually(lambda: len(at_work) == 2, "both are at work")
            async with working(idle):
                third = await busy.start()
                async with leading(url, busy.runs.sweep):
                    await eventually(lambda: idle.over(third), "done by the other")
    assert await idle.effects() == [str(n) for n in range(10)]


async def refusing(run: OperationRun) -> None:
    assert run.request == REQUEST
    raise errors.FailedPrecondition("the file has no rows; upload another")


async def defective(run: OperationRun) -> None:
    raise KeyError("secret")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (refusing, code_pb2.FAILED_PRECONDITION, "the file has no rows; upload another"),
        (defective, code_pb2.INTERNAL, "the operation failed; tell support its id"),
    ],
)
async def test_a_refusal_and_a_defect_become_the_operations_error(
    body: Body, code: int, message: str
) -> None:
    bench = Bench(background_database(), body)
    async with working(bench):
        operation = await bench.ended(await bench.start())
    assert (operation.error.code, operation.error.message) == (code, message)
    assert facts(operation)["state"] == "failed"


async def test_cancelling_stops_it_between_two_steps() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def body(run: OperationRun) -> None:
        await run.write(lambda tx: tx.execute(EFFECT, what="before"))
        entered.set()
        await go_on.wait()
        await run.write(lambda tx: tx.execute(EFFECT, what="after"))

    bench = Bench(background_database(), body, lease_s=20)
    async with working(bench):
        id = await bench.start()
        await asyncio.wait_for(entered.wait(), 10)
        told = await bench.cancel(id)
        go_on.set()
        await eventually(lambda: bench.over(id), "over")
        operation = await bench.get(id)
        with pytest.raises(OperationOver):
            await bench.cancel(id)

    assert facts(told)["state"] == "cancelling"
    assert not told.done
    assert facts(operation)["state"] == "cancelled"
    assert operation.error.code == code_pb2.CANCELLED
    assert await bench.effects() == ["before"]


async def test_cancelling_stops_also_a_body_that_writes_nothing() -> None:
    entered = asyncio.Event()

    async def body(run: OperationRun) -> None:
        entered.set()
        await asyncio.Event().wait()

    bench = Bench(background_database(), body, lease_s=1.0)
    async with working(bench):
        id = await bench.start()
        await asyncio.wait_for(entered.wait(), 10)
        await bench.cancel(id)
        await eventually(lambda: bench.over(id), "over", timeout_s=5)
        assert facts(await bench.get(id))["state"] == "cancelled"


async def test_one_that_nobody_has_begun_is_cancelled_at_once() -> None:
    bench = Bench(background_database(), ten_steps)
    id = await bench.start()
    assert (await bench.cancel(id)).done
    async with working(bench):
        second = await bench.start()
        await eventually(lambda: bench.over(second), "done")
    assert facts(await bench.get(id))["state"] == "cancelled"
    assert len(await bench.effects()) == 10


async def test_stopping_a_process_hands_its_operations_to_others() -> None:
    url, entered = background_database(), asyncio.Event()

    async def stuck(run: OperationRun) -> None:
        await run.write(lambda tx: tx.execute(EFFECT, what="0"), position={"next": 1})
        entered.set()
        await asyncio.Event().wait()

    first, second = Bench(url, stuck, lease_s=60), Bench(url, ten_steps, lease_s=60)
    async with working(first):
        id = await first.start()
        await asyncio.wait_for(entered.wait(), 10)
    async with working(second):
        await eventually(lambda: second.over(id), "done by the other")
    assert await second.effects() == [str(n) for n in range(10)]


async def test_a_worker_that_was_taken_over_can_write_nothing_more() -> None:
    """The first worker shows no life (its heartbeat is set back), the second takes over while the first still runs."""
    url, entered, go_on = background_database(), asyncio.Event(), asyncio.Event()

    async def slow(run: OperationRun) -> None:
        await run.write(lambda tx: tx.execute(EFFECT, what="0"), position={"next": 1})
        entered.set()
        await go_on.wait()
        await run.write(lambda tx: tx.execute(EFFECT, what="late"))

    first, second = Bench(url, slow, lease_s=60), Bench(url, ten_steps, lease_s=60)
    async with working(first):
        id = await first.start()
        await asyncio.wait_for(entered.wait(), 10)
        await first.fetch("UPDATE operations SET heartbeat = now() - interval '1 hour'")
        async with working(second):
            await eventually(lambda: second.over(id), "done by the second")
            go_on.set()
    assert await second.effects() == [str(n) for n in range(10)]


async def test_a_process_that_stood_still_does_not_take_over_from_itself() -> None:
    runs, go_on = list[str](), asyncio.Event()

    async def slow(run: OperationRun) -> None:
        runs.append(run.id)
        await go_on.wait()

    bench = Bench(background_database(), slow, lease_s=60, quick=ten_steps)
    async with working(bench):
        id = await bench.start()
        await eventually(lambda: runs == [id], "at work")
        await bench.fetch("UPDATE operations SET heartbeat = now() - interval '1 hour'")
        await bench.ended(await bench.start("quick"))  # a worker has looked for more since
        go_on.set()
        assert (await bench.ended(id)).HasField("response")
    assert runs == [id]


_WORKER = """
import asyncio, sys
sys.path[:0] = ["gen", "tests/service/chassis"]
from test_operations import Bench, EFFECT
async def body(run):
    async def step(tx):
        await tx.execute(EFFECT, what="0")
    await run.write(step, position={"next": 1})
    print("stuck", flush=True)
    await asyncio.Event().wait()
asyncio.run(Bench(sys.argv[1], body).runs.run(asyncio.Event()))
"""


def stuck_worker(url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=servers.die_with_parent,
    )


async def test_a_killed_workers_operation_is_resumed_where_it_was() -> None:
    url = background_database()
    bench = Bench(url, ten_steps, lease_s=1.0)
    id = await bench.start()
    worker = stuck_worker(url)
    try:
        assert worker.stdout
        assert (await asyncio.to_thread(worker.stdout.readline)).strip() == "stuck"
        async with working(bench), leading(url, bench.runs.sweep):
            os.kill(worker.pid, signal.SIGKILL)
            await eventually(lambda: bench.over(id), "resumed", timeout_s=10)
    finally:
        worker.kill()
        worker.wait()
    assert await bench.effects() == [str(n) for n in range(10)]


async def test_another_tenant_does_not_see_it() -> None:
    bench = Bench(background_database(), ten_steps)
    id = await bench.start()
    with pytest.raises(errors.NotFound):
        await bench.run_system(
            str(uuid.uuid4()), Cause("setup"), lambda tx: bench.operations.get(tx, id)
        )
    listed = await bench.run_system(TENANT, Cause("setup"), lambda tx: bench.operations.list(tx))
    assert [operation.name for operation in listed] == [f"operations/test/{id}"]
