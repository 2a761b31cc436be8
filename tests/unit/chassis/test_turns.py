"""Who shares a turn with whom."""

import asyncio
from datetime import UTC, datetime

from google.protobuf.empty_pb2 import Empty

from chassis.events.turns import OF_A_TENANT, TOGETHER, Batch, Turns
from chassis.tx import EventMeta


def meta(tenant: str, number: int) -> EventMeta:
    return EventMeta(str(number), "x.Happened", tenant, datetime(2026, 5, 1, tzinfo=UTC), "")


async def turns_of(tenants: list[str]) -> list[list[str]]:
    """The turns in which events of these tenants are processed that come at the same time."""
    taken: list[list[str]] = []

    async def one(event: object, meta: EventMeta) -> str:
        taken.append([meta.id])
        return "done"

    async def many(batch: Batch) -> list[str]:
        taken.append([meta.id for _, meta in batch])
        return ["done"] * len(batch)

    async with asyncio.TaskGroup() as group:
        turns = Turns(group, one, many, side_by_side=1)
        waiting = [
            group.create_task(turns.run(Empty(), meta(tenant, number)))
            for number, tenant in enumerate(tenants)
        ]
    assert {task.result() for task in waiting} == {"done"}
    return taken


async def test_those_of_one_tenant_share_a_turn() -> None:
    assert await turns_of(["a", "b", "a", "b", "a"]) == [["0", "2", "4"], ["1", "3"]]


async def test_a_turn_is_bounded_and_the_other_tenant_is_not_starved() -> None:
    turns = await turns_of(["a"] * (TOGETHER + 1) + ["b"])

    assert [len(turn) for turn in turns] == [TOGETHER, 1, 1]
    assert turns[1] == [str(TOGETHER + 1)]


async def test_what_comes_during_two_turns_of_a_tenant_is_taken_together_by_the_next() -> None:
    taken: list[list[str]] = []
    begun: asyncio.Queue[str] = asyncio.Queue()
    go_on = asyncio.Event()

    async def one(event: object, meta: EventMeta) -> str:
        taken.append([meta.id])
        begun.put_nowait(meta.id)
        await go_on.wait()
        return "done"

    async def many(batch: Batch) -> list[str]:
        taken.append([meta.id for _, meta in batch])
        return ["done"] * len(batch)

    async with asyncio.TaskGroup() as group:
        turns = Turns(group, one, many, side_by_side=4)
        for number in range(OF_A_TENANT):
            group.create_task(turns.run(Empty(), meta("a", number)))
            assert await begun.get() == str(number)
        for number in (2, 3, 4):
            group.create_task(turns.run(Empty(), meta("a", number)))
        group.create_task(turns.run(Empty(), meta("b", 5)))
        assert await begun.get() == "5"  # another tenant need not wait
        go_on.set()

    assert taken == [["0"], ["1"], ["5"], ["2", "3", "4"]]


async def test_where_nothing_is_shared_events_of_one_tenant_run_side_by_side() -> None:
    entered: list[str] = []
    all_entered = asyncio.Event()

    async def one(event: object, meta: EventMeta) -> str:
        entered.append(meta.id)
        if len(entered) == 3:
            all_entered.set()
        await asyncio.wait_for(all_entered.wait(), 5)
        return "done"

    async with asyncio.TaskGroup() as group:
        turns = Turns(group, one, None, side_by_side=3)
        for number in range(3):
            group.create_task(turns.run(Empty(), meta("a", number)))

    assert sorted(entered) == ["0", "1", "2"]
