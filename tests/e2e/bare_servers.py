"""PostgreSQL and NATS that belong to no installation, with migrated databases, for tests that start `python -m chassis`."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chassis import service as services
from chassis.db import migrate
from chassis.settings import Settings
from chassis.testing.servers import ISSUER_SEED, NatsServer, PostgresServer, free_port, scratch

SECRET = "0" * 64
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
async def bare_servers(names: Sequence[str]) -> AsyncIterator[BareServers]:
    """Servers on ports of their own, the databases of these services migrated."""
    with scratch() as folder:
        for name in ("postgres", "nats", "data"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        postgres = PostgresServer(folder / "postgres")
        nats = NatsServer(folder / "nats", issuer_seed=ISSUER_SEED)
        nats.port = free_port()  # chosen now, because its address is told before it starts
        with postgres:
            settings = Settings(
                postgres_url=postgres.url(), nats_url=nats.url(), secret=SECRET,
                nats_callout_seed=ISSUER_SEED, data_dir=folder / "data",
            )  # fmt: skip
            await asyncio.to_thread(_migrate, settings, names)
            postgres.stop()  # what was migrated is on the disk
        told = {
            "CRM_POSTGRES_URL": settings.postgres_url,
            "CRM_NATS_URL": settings.nats_url,
            "CRM_SECRET": settings.secret,
            "CRM_NATS_CALLOUT_SEED": settings.nats_callout_seed,
            "CRM_DATA_DIR": str(settings.data_dir),
        }
        yield BareServers(postgres, nats, settings, quiet_environment() | told, folder)


def _migrate(settings: Settings, names: Sequence[str]) -> None:
    """What `python -m chassis migrate` does, in this process, where everything is imported already."""
    for name in names:
        asyncio.run(migrate.provision(settings, name))
        migrate.upgrade(settings, services.load(name))
