"""A process that starts before its servers: it waits and says for what; what waiting cannot mend ends it with one sentence."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest

from chassis.testing.events import eventually
from chassis.testing.servers import ISSUER_SEED, NatsServer, PostgresServer, free_port, scratch
from tests.e2e.runtime.harness import CHECKOUT

_WAITING = re.compile(r"(PostgreSQL|NATS) at 127\.0\.0\.1:(\d+) does not answer .*trying again in")


@dataclass
class Place:
    """Servers of one test module, migrated, asking for passwords, and not running unless a test starts them."""

    postgres: PostgresServer
    nats: NatsServer
    environment: dict[str, str]
    folder: Path


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
def place() -> Iterator[Place]:
    with scratch() as folder:
        for name in ("postgres", "nats", "data"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        postgres = PostgresServer(folder / "postgres")
        nats = NatsServer(folder / "nats", issuer_seed=ISSUER_SEED)
        nats.port = free_port()  # chosen now, because its address is told before it starts
        quiet = {k: v for k, v in os.environ.items() if not k.startswith(("CRM_", "PG", "DEMO"))}
        with postgres:
            environment = quiet | {
                "CRM_POSTGRES_URL": postgres.url(),
                "CRM_NATS_URL": nats.url(),
                "CRM_SECRET": "0" * 64,
                "CRM_NATS_CALLOUT_SEED": ISSUER_SEED,
                "CRM_DATA_DIR": str(folder / "data"),
            }
            command = [sys.executable, "-m", "chassis", "migrate"]
            subprocess.run(command, env=environment, cwd=CHECKOUT, check=True, timeout=120)
        (postgres.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        yield Place(postgres, nats, environment, folder)


@contextmanager
def started(place: Place, **more: str) -> Iterator[Started]:
    port = free_port()
    log = place.folder / f"{port}.log"
    environment = place.environment | {"CRM_METRICS_PORT": str(port), "CRM_GRPC_PORT": "-1"} | more
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


async def test_servers_that_come_later_are_waited_for(place: Place) -> None:
    with started(place) as one:
        await one.says(lambda text: text.count("PostgreSQL at") >= 2, "waits for PostgreSQL")
        assert (await one.ready(), await one.alive()) == (503, True)
        with place.postgres:
            await one.says(lambda text: "NATS at" in text, "waits for NATS")
            assert await one.ready() == 503
            with place.nats:

                async def is_ready() -> bool:
                    return await one.ready() == 200

                await eventually(is_ready, "the process is ready", 60)
                assert await one.told_to_end() == 0

    said = _WAITING.findall(one.text())
    assert {(name, int(port)) for name, port in said} == {
        ("PostgreSQL", place.postgres.port),
        ("NATS", place.nats.port),
    }
    assert one.text().count("trying again in") == len(said), "one sentence for each attempt"
    assert "Traceback" not in one.text()


async def test_a_waiting_process_ends_as_soon_as_it_is_told(place: Place) -> None:
    with started(place) as one:
        await one.says(lambda text: "trying again in 2.0 s" in text, "pauses for two seconds")

        assert await one.told_to_end() == 0

    assert "Traceback" not in one.text()


def ends_with(one: Started) -> str:
    """The sentence with which the process ends by itself; its exit code is 1."""
    assert one.process.wait(60) == 1, one.text()
    lines = [line for line in one.text().splitlines() if line]
    assert len(lines) == 1, one.text()
    return lines[0]


def test_a_wrong_password_of_postgresql_ends_the_process(place: Place) -> None:
    with place.postgres, place.nats, started(place, CRM_SECRET="1" * 64) as one:
        sentence = ends_with(one)

    assert sentence.startswith(f"akrab: PostgreSQL at 127.0.0.1:{place.postgres.port}")
    assert "password authentication failed" in sentence
    assert "CRM_SECRET" in sentence


def test_a_database_that_nobody_made_is_named(place: Place) -> None:
    with place.postgres, place.nats:
        (place.postgres.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")
        place.postgres.stop()
        place.postgres.start()
        place_sql(place, "ALTER DATABASE crm_identity RENAME TO put_aside")
        try:
            with started(place) as one:
                sentence = ends_with(one)
        finally:
            place_sql(place, "ALTER DATABASE put_aside RENAME TO crm_identity")
            hba = place.postgres.data / "pg_hba.conf"
            hba.write_text("host all all 127.0.0.1/32 scram-sha-256\n")

    assert 'database "crm_identity" does not exist' in sentence
    assert "python -m chassis migrate" in sentence


def place_sql(place: Place, statement: str) -> None:
    """Runs a statement as the server's administrator."""

    async def run() -> None:
        connection = await asyncpg.connect(place.postgres.url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def test_a_wrong_password_of_nats_ends_the_process(place: Place) -> None:
    wrong = f"nats://crm:not-this-one@127.0.0.1:{place.nats.port}"
    with place.postgres, place.nats, started(place, CRM_NATS_URL=wrong) as one:
        sentence = ends_with(one)

    assert sentence.startswith(f"akrab: NATS at 127.0.0.1:{place.nats.port}")
    assert "CRM_NATS_URL" in sentence
    assert "not-this-one" not in sentence
