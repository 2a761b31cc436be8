"""Which starts need no migration: those that find everything as the last migration left it."""

import uuid
from pathlib import Path

import asyncpg
import pytest

from chassis.testing import servers
from deploy.local import migrated

pytestmark = pytest.mark.asyncio

SECRET = "a secret of this installation"


class Noted:
    """A checkout with one service, its database at version 0001, and a note about it."""

    def __init__(self, folder: Path) -> None:
        self.service = f"s{uuid.uuid4().hex[:10]}"
        self.database = f"crm_{self.service}"
        self.checkout, self.data = folder / "checkout", folder / "data"
        self.migration = self.checkout / "services" / self.service / "migrations" / "0001.py"
        self.url = servers.postgres_url()

    async def open(self) -> "Noted":
        self.migration.parent.mkdir(parents=True)
        self.migration.write_text("first")
        self.data.mkdir()
        servers.run_sql(f'CREATE DATABASE "{self.database}"')
        servers.run_sql("CREATE TABLE alembic_version (version_num text)", self.database)
        servers.run_sql("INSERT INTO alembic_version VALUES ('0001')", self.database)
        await migrated.note(self.data, self.url, SECRET, self.checkout)
        return self

    async def is_current(self, secret: str = SECRET) -> bool:
        return await migrated.is_current(self.data, self.url, secret, self.checkout)


@pytest.fixture
async def noted(tmp_path: Path) -> Noted:
    return await Noted(tmp_path).open()


async def test_nothing_has_changed(noted: Noted) -> None:
    assert await noted.is_current()
    assert await noted.is_current()


async def test_a_new_migration_and_an_edited_one_are_seen(noted: Noted) -> None:
    second = noted.migration.with_name("0002.sql")
    second.write_text("second")
    assert not await noted.is_current()

    second.unlink()
    assert await noted.is_current()

    noted.migration.write_text("other")
    assert not await noted.is_current()


async def test_what_python_compiled_is_no_change(noted: Noted) -> None:
    compiled = noted.migration.parent / "__pycache__" / "0001.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"\x00")

    assert await noted.is_current()


async def test_a_database_at_another_version_is_seen(noted: Noted) -> None:
    servers.run_sql("UPDATE alembic_version SET version_num = '0009'", noted.database)

    assert not await noted.is_current()


async def test_a_missing_database_and_a_silent_server_are_seen(noted: Noted) -> None:
    servers.run_sql(f'DROP DATABASE "{noted.database}"')
    assert not await noted.is_current()

    noted.url = f"postgresql://postgres@127.0.0.1:{servers.free_port()}/postgres"
    assert not await noted.is_current()


async def test_another_secret_is_seen_and_is_not_in_the_note(noted: Noted) -> None:
    assert not await noted.is_current("another secret")
    assert SECRET not in (noted.data / migrated.NOTE).read_text()


@pytest.mark.large
async def test_another_server_with_the_same_databases_is_seen(noted: Noted) -> None:
    with servers.scratch() as directory:
        other = servers.PostgresServer(directory)
        with other:
            connection = await asyncpg.connect(other.url())
            await connection.execute(f'CREATE DATABASE "{noted.database}"')
            await connection.close()
            connection = await asyncpg.connect(other.url(noted.database))
            await connection.execute("CREATE TABLE alembic_version AS SELECT '0001' AS version_num")
            await connection.close()
            noted.url = other.url()

            assert not await noted.is_current()


async def test_without_a_note_or_with_a_broken_one_a_migration_is_needed(noted: Noted) -> None:
    (noted.data / migrated.NOTE).write_text("{")
    assert not await noted.is_current()

    migrated.forget(noted.data)
    assert not await noted.is_current()
    migrated.forget(noted.data)  # there is none: nothing to do


async def test_a_note_that_cannot_be_made_leaves_none(noted: Noted) -> None:
    silent = f"postgresql://postgres@127.0.0.1:{servers.free_port()}/postgres"

    await migrated.note(noted.data, silent, SECRET, noted.checkout)

    assert not (noted.data / migrated.NOTE).exists()
