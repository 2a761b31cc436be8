"""A company with many tasks, put beside the application into its tables: what tests of plans and the bench read from."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.tasks.v1 import task_pb2
from services.tasks import store

Task = task_pb2.Task

_OPEN_SHARE = 10
"""One of so many tasks is open."""


async def fill(raw: asyncpg.Connection, tenant_id: str, size: int, people: Sequence[str]) -> None:
    """So many tasks, most of them done long ago; of the open ones some are late, some of today, and most to come. Each person
    has as many customers as he has open tasks."""
    begin = datetime.now(UTC)
    pattern = row(
        tenant_id, Task(id=uuid7(), state=Task.STATE_DONE, owner_id=people[0]), begin
    )  # fmt: skip
    await raw.copy_records_to_table(
        "tasks", records=[tuple(pattern.values())], columns=list(pattern)
    )
    at = "now() - n * interval '1 minute'"
    done = {name: f"t.{name}" for name in pattern} | {
        "id": "gen_random_uuid()", "owner_id": "($3::uuid[])[1 + n % $4]", "contact_id": "gen_random_uuid()", "due_time": at,
        "due_key": at, "end_time": at, "doc": "''::bytea",
    }  # fmt: skip
    await raw.execute(
        f"INSERT INTO tasks ({', '.join(done)}) SELECT {', '.join(done.values())} FROM tasks AS t, generate_series(1, $5) AS n"
        " WHERE t.tenant_id = $1 AND t.id = $2",
        tenant_id, pattern["id"], people, len(people), size - size // _OPEN_SHARE,
    )  # fmt: skip
    now = datetime.now(UTC)
    rows = [
        _open(n, len(people), tenant_id, people[n % len(people)], now)
        for n in range(size // _OPEN_SHARE)
    ]
    await raw.copy_records_to_table("tasks", records=[tuple(row.values()) for row in rows], columns=list(rows[0]))  # fmt: skip
    await raw.execute(
        "INSERT INTO day_parties SELECT tenant_id, 'contact', contact_id, 1, owner_id, '{}', 101 + (row_number() OVER ()) % 30, 1990,"
        " CASE WHEN random() < 0.1 THEN current_date + (random() * 60)::int - 5 END, now() - random() * interval '90 days'"
        " FROM tasks WHERE tenant_id = $1 AND state = 1 AND contact_id IS NOT NULL AND due_time IS NOT NULL"
        " ON CONFLICT DO NOTHING",  # of tasks that were there before
        tenant_id,
    )  # fmt: skip
    await raw.execute(
        "INSERT INTO day_agreements SELECT tenant_id, gen_random_uuid(), 1, contact_id, NULL, owner_id, due_time::date, owner_id,"
        " NULL, '{}' FROM tasks WHERE tenant_id = $1 AND state = 1 AND contact_id IS NOT NULL AND due_time IS NOT NULL"
        " AND random() < 0.2",
        tenant_id,
    )  # fmt: skip
    await raw.execute("VACUUM ANALYZE tasks, day_parties, day_agreements")


def _open(n: int, owners: int, tenant_id: str, owner_id: str, now: datetime) -> dict[str, Any]:
    """Of a hundred of one person 5 are late, 2 are due within hours, the others in days to come."""
    place = n // owners % 100
    late, soon = place < 5, place < 7
    ahead = (
        -timedelta(hours=place + 1)
        if late
        else timedelta(minutes=place * 10)
        if soon
        else timedelta(days=place)
    )
    due, contact = now + ahead, uuid7()
    task = Task(
        id=uuid7(), etag="1", subject="Call back", state=Task.STATE_OPEN, owner_id=owner_id, contact_id=contact,
        create_time=to_timestamp(now), due_time=to_timestamp(due), due_zone="UTC", project_id=str(UUID(int=n % 40 + 1)),
    )  # fmt: skip
    return row(tenant_id, task, now)


def row(tenant_id: str, task: task_pb2.Task, at: datetime) -> dict[str, Any]:
    """The columns as a save writes them."""
    values = store.tasks.column_values(task) | {"custom": "{}"}
    plain = {
        "tenant_id": tenant_id,
        "id": task.id,
        "version": 1,
        "create_time": at,
        "update_time": at,
    }
    return {**plain, "doc": task.SerializeToString(), "json": "{}", **values}
