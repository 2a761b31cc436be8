"""What the tests of every service share: a tenant, how much it holds, and refusals that leave it unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Tenant


@dataclass
class BaseWorld:
    """A tenant of one test; a service's world adds its stubs and records."""

    running: Installation
    tenant: Tenant

    service: ClassVar[str]
    tables: ClassVar[Sequence[str]]
    """What a refusal must leave unchanged, besides events."""

    async def events(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        return await self.running.events(self.tenant, name, count=count)

    async def count(self, table: str) -> int:
        return (await self.counts(table))[table]

    async def counts(self, *tables: str) -> dict[str, int]:
        """How many rows each of these tables has of the tenant."""
        sql = " UNION ALL ".join(
            f"SELECT '{table}' AS name, count(*) AS n FROM {table} WHERE tenant_id = $1"
            for table in tables
        )
        rows = await self.running.rows(self.service, sql, self.tenant.id)
        return {row["name"]: row["n"] for row in rows}

    async def state(self) -> dict[str, int]:
        """How much there is of everything that a refusal must leave unchanged."""
        return await self.counts(*self.tables) | {
            "events": await self.running.told(self.service, self.tenant)
        }

    async def published(self) -> int:
        return await self.running.told(self.service, self.tenant)


class Refused:
    """`async with Refused(world, errors.NotFound, "REASON")`: asserts class, reason and that nothing changed."""

    def __init__(
        self, world: BaseWorld, kind: type[errors.CrmError], reason: str, *fields: str
    ) -> None:
        self.world, self.kind, self.reason, self.fields = world, kind, reason, fields
        self.error: errors.CrmError

    async def __aenter__(self) -> "Refused":
        self.before = await self.world.state()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None:
            pytest.fail(f"not refused with {self.reason}")
        if not isinstance(error, errors.CrmError):
            return False
        self.error = error
        assert (error.code, error.reason) == (self.kind.code, self.reason), error
        if self.fields:
            assert [violation.field for violation in error.violations] == list(self.fields)
        assert await self.world.state() == self.before
        return True
