"""A backup goes into servers that somebody else runs: all of it, or nothing of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.testing.servers import NatsServer, PostgresServer
from deploy.local.nats import connect_once
from tests.e2e.runtime.conftest import MakeRuntime
from tests.e2e.runtime.harness import Runtime
from tests.e2e.runtime.test_backup import (
    _copy_with_manifest,
    connect,
    furnish,
    manifest,
    stream_contents,
)

pytestmark = pytest.mark.large  # starts whole installations

_CRM = r"SELECT datname FROM pg_database WHERE datname LIKE 'crm\_%' ORDER BY 1"


@dataclass
class External:
    """PostgreSQL and NATS that no supervisor of ours started."""

    postgres: PostgresServer
    nats: NatsServer

    @property
    def settings(self) -> dict[str, str]:
        return {"CRM_POSTGRES_URL": self.postgres.url(), "CRM_NATS_URL": self.nats.url()}

    async def contents(self) -> tuple[list[str], list[str], list[str]]:
        """(databases of ours, streams, roles beside those of every PostgreSQL)."""
        server = await connect(self.postgres.url())
        databases = [row[0] for row in await server.fetch(_CRM)]
        roles = await server.fetch(
            r"SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\_%' ORDER BY 1"
        )
        await server.close()
        client = await connect_once(self.nats.url())
        streams = [one.config.name or "" for one in await client.jetstream().streams_info()]
        await client.close()
        return databases, streams, [row[0] for row in roles]


@pytest.fixture
def external(open_folder: Path) -> Iterator[External]:
    (open_folder / "pg").mkdir()
    (open_folder / "nats").mkdir()
    with PostgresServer(open_folder / "pg") as postgres, NatsServer(open_folder / "nats") as nats:
        yield External(postgres, nats)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backup of a furnished installation with servers of its own."""
    folder = tmp_path_factory.mktemp("backup")
    runtime = Runtime(folder / "data").start()
    asyncio.run(furnish(runtime))
    assert runtime.verb("backup", f"--to={folder / 'all.tar'}").returncode == 0
    assert runtime.end() == 0
    return folder / "all.tar"


def test_external_servers_get_all_that_was_saved(
    saved: Path, external: External, make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    other = make_runtime(**external.settings)

    done = other.verb("restore", f"--from={saved}")

    assert done.returncode == 0, done
    assert f"state hash equal ({manifest(saved)['state_hash']})" in done.stdout
    assert (other.data / "blobs" / "ab" / "photo").read_bytes() == b"a photo"
    databases, streams, roles = asyncio.run(external.contents())
    assert databases == ["crm_contacts", "crm_tasks"]
    assert streams == ["CONTACTS"]
    assert "crm_contacts_service" in roles
    other.start()
    everything, unread = asyncio.run(stream_contents(external.nats.url()))
    assert (everything, unread) == (["0", "1", "2", "3", "4"], ["2", "3", "4"])
    # Once more around: a backup of the external servers has the same state.
    again = other.verb("backup", f"--to={tmp_path / 'again.tar'}")
    assert again.returncode == 0, again
    assert manifest(tmp_path / "again.tar")["state_hash"] == manifest(saved)["state_hash"]
    assert other.end() == 0


def test_a_restore_that_differs_leaves_external_servers_as_they_were(
    saved: Path, external: External, make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    changed = manifest(saved)
    changed["databases"]["crm_contacts"]["public.contacts"]["hash"] = "1"
    _copy_with_manifest(saved, forged := tmp_path / "forged.tar", changed)
    other = make_runtime(**external.settings)
    before = asyncio.run(external.contents())

    done = other.verb("restore", f"--from={forged}")

    assert done.returncode == 1
    assert "NOT equal" in done.stderr
    assert asyncio.run(external.contents()) == before == ([], [], ["postgres"])
    assert not other.data.exists()
    # What was left is as good as new.
    assert other.verb("restore", f"--from={saved}").returncode == 0


def test_servers_that_hold_something_of_ours_are_refused_untouched(
    saved: Path, external: External, make_runtime: MakeRuntime
) -> None:
    async def add_stream() -> None:
        client = await connect_once(external.nats.url())
        await client.jetstream().add_stream(name="CONTACTS", subjects=["crm.*.contacts.>"])
        await client.close()

    async def add_database() -> None:
        server = await connect(external.postgres.url())
        await server.execute("CREATE DATABASE crm_deals")
        await server.close()

    other = make_runtime(**external.settings)
    for add, words in (
        (add_stream, "The NATS server already has CONTACTS: restore into an empty one."),
        (add_database, "The PostgreSQL server already has crm_deals: restore into an empty one."),
    ):
        asyncio.run(add())
        before = asyncio.run(external.contents())

        done = other.verb("restore", f"--from={saved}")

        assert done.returncode == 1
        assert words in done.stderr
        assert asyncio.run(external.contents()) == before
        assert not other.data.exists()
