"""At size the day reads what is a person's or a department's, and no table: by the plans as the service's role gets them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from chassis import contracts
from chassis.call import Actor, Call, Cause
from chassis.db import Statement
from chassis.keys import uuid7
from chassis.kit import listing
from chassis.rights import Rights
from chassis.testing import servers
from chassis.tx import Draws, Tx
from crm.tasks.v1 import task_pb2, tasks_service_pb2
from services.tasks import store
from services.tasks.store import day
from services.tasks.store.schema import NEVER
from tests.service.tasks.crowd import fill
from tests.service.tasks.world import World

Task = task_pb2.Task

pytestmark = pytest.mark.large

SIZE, PEOPLE = 30_000, 30


@pytest_asyncio.fixture
async def crowded(world: World) -> tuple[World, list[str]]:
    """A company with its tasks, and another one like it beside."""
    people = [uuid7() for _ in range(PEOPLE)]
    raw = await asyncpg.connect(servers.postgres_url("crm_tasks"))
    try:
        for tenant_id in (world.tenant.id, uuid7()):
            await fill(raw, tenant_id, SIZE, people)
    finally:
        await raw.close()
    return world, people


async def plan(world: World, statement: Statement, **values: Any) -> str:
    process = world.running.process
    pools, url = process.pools, process.runtimes["tasks"].database_url
    connection = await pools.take(url, world.tenant.id)
    try:
        rows = await connection.raw.fetch(
            f"EXPLAIN {statement.sql}", *statement.arguments(values, world.tenant.id)
        )
    finally:
        pools.give(connection, certain=True)
    return "\n".join(row[0] for row in rows)


class Explaining(Tx):
    """A transaction that asks for the plan of a list instead of its rows."""

    plan = ""

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        if "key0" not in statement.sql:
            return await super().fetch(statement, **values)
        arguments = statement.arguments(values, self.tenant)
        rows = await self.run_sql(f"EXPLAIN {statement.sql}", arguments, "fetch")
        self.plan = "\n".join(row[0] for row in rows)
        return []


async def test_what_is_offered_to_me_is_found_by_its_own_index(
    crowded: tuple[World, list[str]],
) -> None:
    world, people = crowded
    runtime, user = world.running.process.runtimes["tasks"], people[1]  # he has tasks of his own
    for scope in ("all", "own"):
        grants = [{"object": "task", "action": "read", "scope": scope}]
        method = contracts.method_of(
            tasks_service_pb2.DESCRIPTOR.services_by_name["TasksService"].methods_by_name[
                "ListTasks"
            ]
        )
        tx = Explaining(
            runtime, tenant=world.tenant.id, actor=Actor("user", user, user), cause=Cause("rpc"),
            draws=Draws(runtime.clock.now()), call=Call(method, {}), read_only=True,
            rights=Rights(world.running.process.directory.of(world.tenant.id), user, grants),
        )  # fmt: skip
        asked = task_pb2.ListTasksRequest(filter=f"candidate_ids:{people[0]} AND state = OPEN")
        try:
            await runtime.schemas.load(tx)
            await listing.answer(tx, store.tasks, asked, runtime.page_tokens)
        finally:
            await tx.abort()
        assert "ix_tasks_candidates" in tx.plan, tx.plan


async def test_no_part_of_a_day_reads_a_whole_table(crowded: tuple[World, list[str]]) -> None:
    world, people = crowded
    now = datetime.now(UTC)
    mine, ahead = {"owner_id": people[0]}, now + timedelta(days=14)
    whose = {"members": people, "departments": [uuid7()]}
    plans = {
        "due": await plan(world, day._DUE, **mine, near=now + timedelta(days=1), ahead=ahead),
        "begun": await plan(world, day._BEGUN, **mine, never=NEVER, until=now),
        "next": await plan(world, day._NEXT_CONTACTS, **mine, day=now.date()),
        "birth": await plan(world, day._BIRTHDAYS, **mine, birth_days=[105]),
        "cold": await plan(
            world, day._GOING_COLD, **mine, before=now - timedelta(days=30), day=now.date()
        ),
        "agreed": await plan(world, day._AGREEMENTS, assignee_id=people[0], day=now.date()),
        "department": await plan(world, day._DEPARTMENT, **whose, now=now, until=now),
        "ladders": await plan(world, day._LADDERS, **whose),
    }

    scans = {
        name: text
        for name, text in plans.items()
        if re.search(r"Seq Scan on (tasks|day_parties|day_agreements)\b", text)
    }
    assert not scans, "\n\n".join(f"{name}:\n{text}" for name, text in scans.items())
    for name, index in (
        ("next", "ix_day_parties_next"), ("birth", "ix_day_parties_birth"), ("cold", "ix_day_parties_touch"),
        ("cold", "ix_tasks_contact"), ("agreed", "ix_day_agreements_assignee"), ("department", "ix_tasks_day"),
    ):  # fmt: skip
        assert index in plans[name], plans[name]
    assert "ix_tasks_" in plans["due"], plans["due"]
