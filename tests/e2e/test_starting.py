"""A process that starts before its servers: it waits and says for what; what waiting cannot mend ends it with one sentence."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from chassis.db.migrate import database_of, roles_of
from chassis.settings import Settings
from chassis.starting import ServerRefused, reached
from chassis.testing.events import eventually
from chassis.testing.servers import free_port
from tests.e2e.bare_servers import BareServers, bare_servers
from tests.e2e.runtime.harness import CHECKOUT

pytestmark = pytest.mark.large  # starts whole installations

_WAITING = re.compile(r"(PostgreSQL|NATS) at 127\.0\.0\.1:(\d+) does not answer .*trying again in")


@dataclass
class Started:
    """The process, and what it has written."""

    process: subprocess.Popen[bytes]
    log: Path
    probe: str
    ended: int | None = field(default=None)

    def text(self) -> str:
        return self.log.read_text()

    async def says(self, condition: Callable[[str], bool], what: str) -> None:
        async def said() -> bool:
            return condition(self.text())

        await eventually(said, what, 60)

    async def ready(self) -> int:
        """The status of its readiness probe."""
        async with httpx.AsyncClient() as http:
            return (await http.get(f"{self.probe}/readyz")).status_code

    async def alive(self) -> bool:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"{self.probe}/healthz")).status_code == 200

    async def told_to_end(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 10)


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[BareServers]:
    """Servers that ask for passwords, and do not run unless a test starts them."""
    async with bare_servers() as made:
        passwords = "host all all 127.0.0.1/32 scram-sha-256\n"
        (made.postgres.data / "pg_hba.conf").write_text(passwords)
        yield made


@contextmanager
def started(servers: BareServers, **more: str) -> Iterator[Started]:
    port = free_port()
    log = servers.folder / f"{port}.log"
    environment = (
        servers.environment | {"CRM_METRICS_PORT": str(port), "CRM_GRPC_PORT": "-1"} | more
    )
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "chassis", "--target=identity"],
            env=environment, cwd=CHECKOUT, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield Started(process, log, f"http://127.0.0.1:{port}")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


async def test_servers_that_come_later_are_waited_for(servers: BareServers) -> None:
    with started(servers) as one:
        await one.says(lambda text: text.count("PostgreSQL at") >= 2, "waits for PostgreSQL")
        assert (await one.ready(), await one.alive()) == (503, True)
        with servers.postgres:
            await one.says(lambda text: "NATS at" in text, "waits for NATS")
            assert await one.ready() == 503
            with servers.nats:

                async def is_ready() -> bool:
                    return await one.ready() == 200

                await eventually(is_ready, "the process is ready", 60)
                assert await one.told_to_end() == 0

    said = _WAITING.findall(one.text())
    assert {(name, int(port)) for name, port in said} == {
        ("PostgreSQL", servers.postgres.port),
        ("NATS", servers.nats.port),
    }
    assert one.text().count("trying again in") == len(said), "one sentence for each attempt"
    assert "Traceback" not in one.text()


async def test_a_waiting_process_ends_as_soon_as_it_is_told(servers: BareServers) -> None:
    with started(servers) as one:
        await one.says(lambda text: "trying again in 2.0 s" in text, "pauses for two seconds")

        assert await one.told_to_end() == 0

    assert "Traceback" not in one.text()


def test_a_wrong_password_of_postgresql_ends_the_process(servers: BareServers) -> None:
    with servers.postgres, servers.nats, started(servers, CRM_SECRET="1" * 64) as one:
        assert one.process.wait(60) == 1, one.text()

    (sentence,) = (line for line in one.text().splitlines() if line)
    assert sentence.startswith(f"akrab: PostgreSQL at 127.0.0.1:{servers.postgres.port}")
    assert "password authentication failed" in sentence
    assert "CRM_SECRET" in sentence


async def refusal(settings: Settings, database: str = "") -> str:
    """What a process would end with that has these settings; the test above shows how it ends."""
    database = database or database_of("identity")
    url = settings.database_url(database, roles_of("identity")[1])
    with pytest.raises(ServerRefused) as refused:
        await reached(settings.nats_url, [url], asyncio.Event())
    return str(refused.value)


async def test_a_database_that_nobody_made_is_named(servers: BareServers) -> None:
    with servers.postgres, servers.nats:
        sentence = await refusal(servers.settings, "crm_nobody_made")

    assert 'database "crm_nobody_made" does not exist' in sentence
    assert "python -m chassis migrate" in sentence


async def test_a_wrong_password_of_nats_is_named_without_it(servers: BareServers) -> None:
    wrong = f"nats://crm:not-this-one@127.0.0.1:{servers.nats.port}"
    with servers.postgres, servers.nats:
        sentence = await refusal(replace(servers.settings, nats_url=wrong))

    assert sentence.startswith(f"NATS at 127.0.0.1:{servers.nats.port}")
    assert "CRM_NATS_URL" in sentence
    assert "not-this-one" not in sentence
