"""A million numbers: whose one is takes two look-ups in indexes."""

import time

import asyncpg
import pytest

from chassis.testing import servers
from crm.telephony.v1 import call_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from tests.service.telephony import crowd
from tests.service.telephony.world import World

pytestmark = pytest.mark.large

_SIZE, _ROUNDS = 1_000_000, 50
_BUDGET_S = 0.050
_PLAN = """
EXPLAIN SELECT p.name FROM numbers n JOIN number_parties p ON p.tenant_id = $1 AND p.kind = n.kind AND p.id = n.id
WHERE n.tenant_id = $1 AND n.number = $2 ORDER BY p.last_call_time DESC NULLS LAST, p.kind DESC, p.id LIMIT 20
"""


@pytest.fixture
async def full(world: World) -> World:
    raw = await asyncpg.connect(servers.postgres_url("crm_telephony"))
    try:
        await crowd.fill(raw, world.tenant.id, _SIZE)
    finally:
        await raw.close()
    return world


async def test_one_of_a_million_numbers_is_found_at_once(full: World) -> None:
    stub, spent = full.tenant.admin.stub(CallsServiceStub), []
    for n in range(_ROUNDS):
        request = call_pb2.LookUpCallerRequest(number=crowd.number(1 + n * 17_777))
        began = time.perf_counter()
        said = await stub.LookUpCaller(request)
        spent.append(time.perf_counter() - began)
        assert [caller.name for caller in said.callers] == [f"Person {1 + n * 17_777}"]
    late = sorted(spent)[_ROUNDS * 95 // 100]
    print(f"look-up among {_SIZE} numbers: p95 {late * 1e3:.1f} ms")
    assert late < _BUDGET_S

    plan = [row[0] for row in await full.running.rows("telephony", _PLAN, full.tenant.id, "+48600000007")]  # fmt: skip
    assert [line for line in plan if "Seq Scan" in line] == []
    assert len([line for line in plan if "Index" in line and "Scan" in line]) == 2
