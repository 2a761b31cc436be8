"""B7: the board of 200,000 open deals over HTTP, with the names of the customers and colleagues whom it names."""

import asyncio
from types import SimpleNamespace

import asyncpg

from tests.bench import asking
from tests.bench.company import Company
from tests.bench.installation import Installation
from tests.bench.report import Result, at_most, told
from tests.service.deals import crowd

_BUDGET_MS = 60.0
_CONTACTS = 200


def measure(installation: Installation, company: Company, deals: int, rounds: int) -> list[Result]:
    """The board of the running installation's first pipeline, once it has so many open deals."""
    admin = company.sign_in(installation)
    pipeline = admin.get("/v1/pipelines")["pipelines"][0]
    contacts = [c["id"] for c in admin.get(f"/v1/contacts?pageSize={_CONTACTS}")["contacts"]]
    owners = [*company.team, *company.strangers[:80]]
    asyncio.run(_fill(installation, company.tenant_id, deals, pipeline, owners, contacts))
    found = []
    for order, path in (("", ""), (" by amount", "?orderBy=amount%20desc")):
        path = f"/v1/pipelines/{pipeline['id']}/board{path}"
        times = asking.times(
            installation, admin.token, [path], rounds, warm=4 * len(installation.app_pids),
            right=lambda board: sum(c.get("count", 0) for c in board["columns"]) >= deals,
        )  # fmt: skip
        p50, p95 = (asking.percentile(times, share) for share in (50, 95))
        what = f"board{order} of {deals:,} open deals"
        found.append(at_most("B7", f"{what}, p95", p95, "ms", _BUDGET_MS))
        found.append(told("B7", f"{what}, p50", p50, "ms"))
    return found


async def _fill(
    installation: Installation, tenant_id: str, deals: int, pipeline: dict[str, object], owners: list[str], contacts: list[str]
) -> None:  # fmt: skip
    stages = [SimpleNamespace(id=stage["id"]) for stage in pipeline["stages"]]  # type: ignore[attr-defined]
    shaped = SimpleNamespace(id=pipeline["id"], stages=stages)
    raw = await asyncpg.connect(installation.database_url("crm_deals"))
    try:
        await crowd.fill(raw, tenant_id, deals, shaped, owners, contacts)  # type: ignore[arg-type]
    finally:
        await raw.close()
