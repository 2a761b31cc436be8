"""A company with many deals, put beside the application into its tables: what tests of size and the bench read from."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from chassis import codec
from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.deals.v1 import deal_pb2, pipeline_pb2
from services.deals import store

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline

HEADS = 2_000
"""Deals with bytes of their own, unless more are asked for: what stands on boards; the others are only counted and sorted."""


async def fill(
    raw: asyncpg.Connection, tenant_id: str, size: int, pipeline: Pipeline, people: Sequence[str], contacts: Sequence[str] = (), heads: int = HEADS
) -> None:  # fmt: skip
    """So many open deals in all stages, of these people; the nearest of each stage with these contacts."""
    now = datetime.now(UTC)
    rows = [row(tenant_id, _deal(n, pipeline, people, contacts, now), now) for n in range(min(size, heads))]  # fmt: skip
    await raw.copy_records_to_table("deals", records=[tuple(r.values()) for r in rows], columns=list(rows[0]))  # fmt: skip
    more = {name: f"t.{name}" for name in rows[0]} | {
        "id": "gen_random_uuid()", "owner_id": "($3::uuid[])[1 + n % cardinality($3)]",
        "stage_id": "($4::uuid[])[1 + n % cardinality($4)]", "expected_key": "DATE '2031-01-01' + n % 1000",
        "amount": "1000 + n", "base_amount": "1000 + n", "currency": "CASE WHEN n % 4 = 0 THEN 'EUR' ELSE 'PLN' END",
        "title_key": "'deal ' || n",
    }  # fmt: skip
    await raw.execute(
        f"INSERT INTO deals ({', '.join(more)}) SELECT {', '.join(more.values())} FROM deals t, generate_series(1, $5::int) AS n"
        " WHERE t.tenant_id = $1 AND t.id = $2",
        tenant_id, rows[0]["id"], list(people), [stage.id for stage in pipeline.stages], size - len(rows),
    )  # fmt: skip
    await raw.execute("VACUUM ANALYZE deals")
    await raw.execute("VACUUM ANALYZE deal_sums")


def _deal(n: int, pipeline: Pipeline, people: Sequence[str], contacts: Sequence[str], now: datetime) -> Deal:  # fmt: skip
    made = Deal(
        id=uuid7(), etag="1", title=f"Deal {n}", state=Deal.STATE_OPEN, pipeline_id=pipeline.id,
        stage_id=pipeline.stages[n % len(pipeline.stages)].id, owner_id=people[n % len(people)], currency="PLN",
        amount=str(1000 + n), base_amount=str(1000 + n), create_time=to_timestamp(now), update_time=to_timestamp(now),
        stage_time=to_timestamp(now), activity_time=to_timestamp(now), expected_close_date={"year": 2030, "month": 1 + n % 12, "day": 1},
    )  # fmt: skip
    if contacts:
        made.contact_id = contacts[n % len(contacts)]
    return made


def row(tenant_id: str, deal: Deal, at: datetime) -> dict[str, Any]:
    """The columns as a save writes them."""
    values = store.deals.column_values(deal) | {"custom": "{}"}
    plain = {
        "tenant_id": tenant_id,
        "id": deal.id,
        "version": 1,
        "create_time": at,
        "update_time": at,
    }
    doc, json = deal.SerializeToString(), codec.to_json(deal).decode()
    return {**plain, "doc": doc, "json": json, **values}
