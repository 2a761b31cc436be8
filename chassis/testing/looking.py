"""Looking into databases from outside, as a superuser: what is really there, whatever the service says."""

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import asyncpg


class Looks:
    """Connections to the databases of one PostgreSQL that stay open for the next look.

    Tests look thousands of times, before and after what they do: a connection for each look cost more than the looks.
    """

    def __init__(self, postgres_url: str) -> None:
        self._url = urlsplit(postgres_url)
        self._free: dict[str, list[asyncpg.Connection]] = defaultdict(list)

    async def rows(self, database: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """What the statement finds. Several may look at the same time."""
        raw = await self._connection(database)
        found: list[asyncpg.Record] | None = None
        try:
            found = await raw.fetch(sql, *arguments)
        finally:
            if found is None:
                raw.terminate()  # refused or cancelled: nobody knows its state
            else:
                self._free[database].append(raw)
        return found

    async def _connection(self, database: str) -> asyncpg.Connection:
        free = self._free[database]
        while free:
            if not (raw := free.pop()).is_closed():
                return raw
        return await asyncpg.connect(self._url._replace(path=f"/{database}").geturl())

    async def close(self) -> None:
        """Close what is open."""
        for free in self._free.values():
            while free:
                await free.pop().close(timeout=2)
