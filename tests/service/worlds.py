"""What the tests of every service share: a tenant, how much it holds, and refusals that leave it unchanged."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Tenant
from chassis.waits import first_of


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
        return await self.counts(*self.tables) | {"events": await self.published()}

    async def published(self) -> int:
        """How many events were published, once nothing waits to be: a row is for a moment in both places."""
        async with asyncio.timeout(20):
            while await self.count("outbox"):
                await first_of(asyncio.Event(), timeout_s=0.02)
        stream = await self.running.process.nats.js.stream_info(
            self.service.upper(), subjects_filter=f"crm.{self.tenant.id}.>"
        )
        return sum((stream.state.subjects or {}).values())


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
