"""Deleted rows leave nothing in the files of PostgreSQL once the database was cleaned."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chassis.db import cleaning
from chassis.testing import servers

pytestmark = pytest.mark.large

SECRET = "Brzeczyszczykiewicz"
MAINTAINER = """
CREATE ROLE tidy LOGIN;
GRANT pg_maintain, pg_checkpoint TO tidy;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal(), pg_catalog.pg_ls_waldir() TO tidy
"""
PEOPLE = f"""
CREATE TABLE people (id int PRIMARY KEY, name text, letters text[]);
CREATE INDEX by_name ON people (name);
CREATE INDEX by_beginning ON people (left(name, 60));
CREATE INDEX by_letter ON people USING gin (letters);
INSERT INTO people SELECT n, CASE WHEN n % 3 = 0 THEN '{SECRET}' ELSE 'Nowak' || n END, ARRAY['{SECRET}'] FROM generate_series(1, 3000) n;
ANALYZE people;
DELETE FROM people WHERE id > 100;
UPDATE people SET name = 'somebody ' || id, letters = '{{}}'
"""


@pytest.fixture
async def server() -> AsyncIterator[servers.PostgresServer]:
    """A server of this test's own: its files are searched."""
    with servers.scratch() as folder, servers.PostgresServer(folder) as made:
        yield made


def found_in(folder: Path) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


async def run(server: servers.PostgresServer, sql: str) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        for statement in filter(str.strip, sql.split(";")):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_nothing_of_deleted_rows_is_left_in_any_file(server: servers.PostgresServer) -> None:
    await run(server, MAINTAINER)
    await run(server, PEOPLE)
    await run(server, "CHECKPOINT")
    assert len(found_in(server.data)) > 3, (
        "table, index and log hold it: there is something to clean"
    )

    cleaned = await cleaning.clean(server.url(user="tidy"))

    assert (cleaned.tables, cleaned.remains) == (2, [])  # the planner's statistics are one of them
    assert found_in(server.data) == []
    assert await cleaning.is_small(server.url(user="tidy"))


async def test_what_an_older_transaction_still_sees_is_waited_for(
    server: servers.PostgresServer,
) -> None:
    await run(server, MAINTAINER)
    await run(server, PEOPLE.partition("DELETE")[0])
    reader = await asyncpg.connect(server.url())
    transaction = reader.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    await reader.fetchval(
        "SELECT count(*) FROM pg_class"
    )  # its moment begins, and it holds no lock of the table
    await run(server, "DELETE FROM people")

    cleaning_up = asyncio.create_task(cleaning.clean(server.url(user="tidy")))
    done, _ = await asyncio.wait([cleaning_up], timeout=1.5)
    assert not done
    await transaction.rollback()
    await reader.close()

    assert (await cleaning_up).remains == []
    assert found_in(server.data) == []


async def test_two_at_a_time_do_not_hold_each_other_up(server: servers.PostgresServer) -> None:
    """Who waits for his turn must not keep the moment at which he began to wait: rows deleted since would stay."""
    await run(server, MAINTAINER)
    await run(server, PEOPLE.partition("DELETE")[0])
    url = server.url(user="tidy")
    reader = await asyncpg.connect(server.url())
    await reader.execute("BEGIN; LOCK TABLE people IN ACCESS SHARE MODE")  # the first waits here
    began = asyncio.get_running_loop().time()
    both = [asyncio.create_task(cleaning.clean(url)) for _ in range(2)]
    done, _ = await asyncio.wait(both, timeout=1.5)
    assert not done
    await run(server, "DELETE FROM people")
    await reader.close()

    cleaned = await asyncio.wait_for(asyncio.gather(*both), timeout=30)

    assert [each.remains for each in cleaned] == [[], []]
    assert found_in(server.data) == []
    assert asyncio.get_running_loop().time() - began < cleaning._PATIENCE_S / 4


async def test_without_the_rights_it_says_what_remains(server: servers.PostgresServer) -> None:
    await run(server, "CREATE ROLE tidy LOGIN")
    await run(server, PEOPLE)

    cleaned = await cleaning.clean(server.url(user="tidy"))

    assert cleaned.tables == 0
    assert [remain.split(" ")[:2] for remain in cleaned.remains[:2]] == [
        ["table", "public.people"],
        ["table", "pg_catalog.pg_statistic"],
    ]
    assert "write-ahead log" in cleaned.remains[-1]
