"""A million numbers: whose one is takes two look-ups in indexes."""

import time

import asyncpg
import pytest

from chassis.testing import servers
from crm.telephony.v1 import call_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from tests.service.telephony.world import World

pytestmark = pytest.mark.large

_SIZE, _ROUNDS = 1_000_000, 50
_BUDGET_S = 0.050
_FILL = """
WITH made AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2::int) AS n), kept AS (
    INSERT INTO number_parties (tenant_id, kind, id, version, name, follower_ids)
    SELECT $1, 'contact', id, 1, 'Person ' || n, '{}' FROM made
)
INSERT INTO numbers (tenant_id, number, kind, id) SELECT $1, '+48' || (600000000 + n), 'contact', id FROM made
"""
_PLAN = """
EXPLAIN SELECT p.name FROM numbers n JOIN number_parties p ON p.tenant_id = $1 AND p.kind = n.kind AND p.id = n.id
WHERE n.tenant_id = $1 AND n.number = $2 ORDER BY p.last_call_time DESC NULLS LAST, p.kind DESC, p.id LIMIT 20
"""


@pytest.fixture
async def full(world: World) -> World:
    raw = await asyncpg.connect(servers.postgres_url("crm_telephony"))
    try:
        await raw.execute(_FILL, world.tenant.id, _SIZE)
        await raw.execute("ANALYZE numbers, number_parties")
    finally:
        await raw.close()
    return world


async def test_one_of_a_million_numbers_is_found_at_once(full: World) -> None:
    stub, spent = full.tenant.admin.stub(CallsServiceStub), []
    for n in range(_ROUNDS):
        number = f"{600000000 + 1 + n * 17_777}"
        began = time.perf_counter()
        said = await stub.LookUpCaller(call_pb2.LookUpCallerRequest(number=number))
        spent.append(time.perf_counter() - began)
        assert [caller.name for caller in said.callers] == [f"Person {1 + n * 17_777}"]
    late = sorted(spent)[_ROUNDS * 95 // 100]
    print(f"look-up among {_SIZE} numbers: p95 {late * 1e3:.1f} ms")
    assert late < _BUDGET_S

    plan = [row[0] for row in await full.running.rows("telephony", _PLAN, full.tenant.id, "+48600000007")]  # fmt: skip
    assert [line for line in plan if "Seq Scan" in line] == []
    assert len([line for line in plan if "Index" in line and "Scan" in line]) == 2
