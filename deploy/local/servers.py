"""PostgreSQL and NATS as the application sees them: embedded, or those the environment names."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from deploy.local import nats, screen
from deploy.local.children import Child
from deploy.local.errors import Refusal
from deploy.local.installation import Installation
from deploy.local.nats import Nats
from deploy.local.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the application finds its servers."""

    postgres: str
    nats: str


class Servers:
    """The servers of an installation; those that are not external are children to run."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._settings = installation.settings
        self._postgres = None if self._settings.postgres_url else Postgres(installation)
        self._nats = None if self._settings.nats_url else Nats(installation)

    async def children(self) -> AsyncIterator[Child]:
        """The embedded servers in the order they start, each made first where that is needed."""
        taken = {self._settings.port, self._settings.grpc_port}
        if self._postgres is not None:
            if not self._postgres.made:
                async with screen.step("Making the database files"):
                    await self._postgres.make()
            await self._postgres.end_leftover()
            yield self._postgres.child(taken)
            taken.add(self._installation.remembered.postgres_port)
        if self._nats is not None:
            yield self._nats.child(taken)

    async def endpoints(self) -> Endpoints:
        """Where they serve; raises Refusal when an external one does not answer."""
        if self._postgres is None:
            await _reach_postgres(self._settings.postgres_url)
        if self._nats is None and not await nats.answers(self._settings.nats_url):
            place = _place(self._settings.nats_url, 4222)
            raise Refusal(
                f"No NATS server with JetStream answers at {place} (CRM_NATS_URL): start it, "
                "or leave CRM_NATS_URL empty for the embedded one."
            )
        return Endpoints(
            postgres=self._postgres.url if self._postgres else self._settings.postgres_url,
            nats=self._nats.url if self._nats else self._settings.nats_url,
        )


async def _reach_postgres(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=10)
        await connection.close()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError) as error:
        raise Refusal(
            f"PostgreSQL at {_place(url, 5432)} (CRM_POSTGRES_URL) does not let us in: {error or type(error).__name__}."
        ) from None


def _place(url: str, port: int) -> str:
    """Host and port of a URL: its password stays off the screen."""
    parts = urlsplit(url)
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or port}"
