"""B14: the day plan of a person and the day of a department, among a million tasks of the company.

Asked for one after the other over HTTP, for each of the team in turn: what somebody waits for who opens his day.
"""

import asyncio
from collections.abc import Sequence

import asyncpg

from tests.bench import asking
from tests.bench.company import Company
from tests.bench.installation import Installation
from tests.bench.report import Result, at_most, told
from tests.service.tasks import crowd

_BUDGET_MS = 50.0
_BESIDES = 980  # owners outside the team, among whom the tasks are shared


def measure(installation: Installation, company: Company, tasks: int, rounds: int) -> list[Result]:
    """The days of the running installation, once it has so many tasks."""
    owners = [*company.team, *company.strangers][: len(company.team) + _BESIDES]
    asyncio.run(_fill(installation, company.tenant_id, tasks, owners))
    admin = company.sign_in(installation)
    (team,) = [d["id"] for d in admin.get("/v1/departments")["departments"] if d["name"] == "Team"]
    days = [f"/v1/days/{user}" for user in company.team]
    found = []
    for what, paths in (("day plan", days), ("department day", [f"/v1/departmentDays/{team}"])):
        times = asking.times(
            installation, admin.token, paths, rounds * len(company.team), warm=2 * len(paths)
        )
        p50, p95 = (asking.percentile(times, share) for share in (50, 95))
        found.append(at_most("B14", f"{what} among {tasks:,} tasks, p95", p95, "ms", _BUDGET_MS))
        found.append(told("B14", f"{what} among {tasks:,} tasks, p50", p50, "ms"))
    return found


async def _fill(
    installation: Installation, tenant_id: str, tasks: int, owners: Sequence[str]
) -> None:
    connection = await asyncpg.connect(installation.database_url("crm_tasks"))
    try:
        await crowd.fill(connection, tenant_id, tasks, owners)
    finally:
        await connection.close()
