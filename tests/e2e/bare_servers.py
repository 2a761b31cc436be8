"""PostgreSQL and NATS that belong to no installation, with migrated databases, for tests that start `python -m chassis`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chassis.settings import Settings
from chassis.testing import template
from chassis.testing.servers import ISSUER_SEED, NatsServer, PostgresServer, free_port, scratch

# Programs under test are told everything, and may keep their bytecode: without it each start compiles five hundred modules.
_NOT_PASSED_ON = ("CRM_", "PG", "DEMO", "PYTHONDONTWRITEBYTECODE")


def quiet_environment() -> dict[str, str]:
    """This process's environment without settings of Akrab or PostgreSQL."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)
    }


@dataclass
class BareServers:
    """The two servers, not running unless somebody starts them, and what a process must be told."""

    postgres: PostgresServer
    nats: NatsServer
    settings: Settings
    environment: dict[str, str]
    folder: Path


@asynccontextmanager
async def bare_servers() -> AsyncIterator[BareServers]:
    """Servers on ports of their own, every service's database migrated."""
    with scratch() as folder:
        for name in ("postgres", "nats", "data"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        postgres = PostgresServer(folder / "postgres")
        await asyncio.to_thread(template.copy, postgres.data)
        nats = NatsServer(folder / "nats", issuer_seed=ISSUER_SEED)
        nats.port = free_port()  # chosen now, because its address is told before it starts
        postgres.port = free_port()
        settings = Settings(
            postgres_url=postgres.url(), nats_url=nats.url(), secret=template.SECRET,
            nats_callout_seed=ISSUER_SEED, data_dir=folder / "data",
        )  # fmt: skip
        told = {
            "CRM_POSTGRES_URL": settings.postgres_url,
            "CRM_NATS_URL": settings.nats_url,
            "CRM_SECRET": settings.secret,
            "CRM_NATS_CALLOUT_SEED": settings.nats_callout_seed,
            "CRM_DATA_DIR": str(settings.data_dir),
        }
        yield BareServers(postgres, nats, settings, quiet_environment() | told, folder)
