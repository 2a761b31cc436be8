"""A fingerprint of a database's rows, whatever their order: by it a restore proves itself."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import asyncpg

_TABLES = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY 1
"""
# A row's text must be the same on both machines, whatever their configuration says.
_SAME_TEXT = """
    SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
    SET bytea_output = 'hex'; SET extra_float_digits = 1;
    SET row_security = off; SET search_path = '';
"""


@dataclass(frozen=True, slots=True)
class TableState:
    """How many rows a table has, and the sum of the 64-bit hashes of their texts."""

    rows: int
    hash: str


async def table_states(connection: asyncpg.Connection) -> dict[str, TableState]:
    """The state of every table of the connection's database, as its transaction sees it."""
    await connection.execute(_SAME_TEXT)
    return {name: await _table_state(connection, name) for name in await table_names(connection)}


async def table_names(connection: asyncpg.Connection) -> list[str]:
    """The tables of the connection's database, quoted and with their schema."""
    return [row[0] for row in await connection.fetch(_TABLES)]


async def _table_state(connection: asyncpg.Connection, name: str) -> TableState:
    # A name no column has: `row::text` must mean the whole row. ONLY: a partition counts once.
    row = await connection.fetchrow(
        "SELECT count(*), coalesce(sum(hashtextextended(akrab_whole_row::text, 0)), 0)::text "
        f"FROM ONLY {name} AS akrab_whole_row"
    )
    assert row is not None
    return TableState(rows=row[0], hash=row[1])


def overall(databases: Mapping[str, Mapping[str, TableState]]) -> str:
    """One hash over all tables of all databases: SHA-256, hexadecimal."""
    digest = hashlib.sha256()
    for database, tables in sorted(databases.items()):
        for name, state in sorted(tables.items()):
            digest.update(f"{database} {name} {state.rows} {state.hash}\n".encode())
    return digest.hexdigest()


def differences(
    wanted: Mapping[str, Mapping[str, TableState]], found: Mapping[str, Mapping[str, TableState]]
) -> list[str]:
    """The tables ("database schema.table: 3 rows, 2 expected") that are not as wanted."""
    lines = []
    for database in sorted(wanted.keys() | found.keys()):
        before, after = wanted.get(database, {}), found.get(database, {})
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                lines.append(
                    f"{database} {name}: {_count(after, name)}, {_count(before, name)} expected"
                )
    return lines


def _count(tables: Mapping[str, TableState], name: str) -> str:
    return f"{tables[name].rows} rows" if name in tables else "no such table"


def outbox_names(tables: Iterable[str]) -> list[str]:
    """The tables in which a service keeps events until they are published."""
    return [name for name in tables if name.rpartition(".")[2] == "outbox"]
