"""Overwrites what deleted rows leave behind in the files of PostgreSQL: in tables, indexes, statistics and write-ahead log.

A deleted row's bytes stay in its page until something else is written there, values of it in the planner's statistics, and
the whole of it in the log. So after an erasure every table is written anew with its indexes (VACUUM FULL), analysed, and the
segments of the log that are kept for reuse are filled with zeros. The role that does so may maintain tables and switch the log
(chassis.db.migrate grants it) and reads no row by that.
"""

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from chassis.db.pool import connect

AT_ONCE_BYTES = 512 << 20
"""A database up to this size is cleaned at once, in a few seconds; nobody reads or writes a table while it is rewritten."""

_LOCK_TIMEOUT = "2s"  # so long at most do others queue behind our wait for a table
_PAUSE_S = 0.5
_PATIENCE_S = 120.0  # an older transaction, such as a backup, may need what we want to remove
_STILL_SEEN = re.compile(r"([1-9]\d*) dead row versions cannot be removed yet")
_STATISTICS = "pg_catalog.pg_statistic"

_TABLES = "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
# ANALYZE leaves the statistics of an empty table, and of its indexes' expressions, as they were: values of rows that are gone.
_FORGET = """
SELECT pg_clear_attribute_stats('public', c.relname, a.attname, false) FROM pg_tables t
JOIN pg_class p ON p.oid = format('%I.%I', t.schemaname, t.tablename)::regclass
JOIN pg_class c ON c.oid = p.oid OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = p.oid AND indexprs IS NOT NULL)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.schemaname = 'public' AND pg_relation_size(p.oid) = 0
"""
_SIZE = "SELECT pg_database_size(current_database())"
# Asked for again and again: a session that waits within pg_advisory_lock keeps its moment all the while, and what was deleted
# since could not be removed by the one that it waits for. Two cleanings at a time would hold each other up for minutes.
_OUR_TURN = "SELECT pg_try_advisory_lock(hashtext('akrab-cleaning'))"
_WAL_NOW = "SELECT pg_walfile_name(pg_current_wal_insert_lsn())"
_WAL_WAITING = (
    "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"
    " AND name > pg_walfile_name(pg_current_wal_insert_lsn())"
)
_WAL_OLD = "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND name <= $1"
# Without something new to say a switch does nothing.
_WAL_FILL = ("SELECT pg_logical_emit_message(false, 'akrab', '')", "SELECT pg_switch_wal()")


@dataclass(slots=True)
class Cleaned:
    """How many tables were written anew, and what could not be done, in words for whoever runs the servers."""

    tables: int = 0
    remains: list[str] = field(default_factory=list)


async def is_small(url: str) -> bool:
    """True if the database may be cleaned while people work."""
    connection = await connect(url, "akrab cleaning")
    try:
        return bool(await connection.fetchval(_SIZE) <= AT_ONCE_BYTES)
    finally:
        await connection.close()


Clean = Callable[[], Awaitable[Cleaned]]


async def clean(url: str) -> Cleaned:
    """Writes every table of the database anew, then overwrites the log's old segments; waits for who uses them.

    Raises what the driver raises if the server is lost; then it is to be done again.
    """
    async with turn(url) as clean_it:
        return await clean_it()


@asynccontextmanager
async def turn(url: str) -> AsyncIterator[Clean]:
    """Waits until no other cleaning of the database is under way, and keeps others waiting until the end of the block."""
    connection = await connect(url, "akrab cleaning")
    try:
        await connection.execute("SET statement_timeout = 0")
        await _our_turn(connection)
        yield functools.partial(_clean, connection)
    finally:
        await connection.close()


async def _clean(connection: asyncpg.Connection) -> Cleaned:
    cleaned, notices = Cleaned(), list[str]()
    connection.add_log_listener(lambda _, message: notices.append(_words(message)))
    await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
    for row in await connection.fetch(_TABLES):
        await _rewrite(connection, row["name"], "FULL, ANALYZE, VERBOSE", notices, cleaned)
    await _forget_statistics(connection, cleaned)
    await _rewrite(connection, _STATISTICS, "FULL, VERBOSE", notices, cleaned)
    await _overwrite_log(connection, cleaned)
    return cleaned


async def _our_turn(connection: asyncpg.Connection) -> None:
    """Return when no other cleaning is under way."""
    while True:
        if await connection.fetchval(_OUR_TURN):
            return
        await asyncio.sleep(_PAUSE_S)  # a pace: nobody tells when another's cleaning ends


def _words(message: Any) -> str:
    return f"{message.message} {message.detail or ''}"


async def _rewrite(
    connection: asyncpg.Connection, table: str, how: str, notices: list[str], cleaned: Cleaned
) -> None:
    """One table, again and again until nobody needs its dead rows any more."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _PATIENCE_S
    while True:
        notices.clear()
        said = ["its lock was not free"]
        with suppress(asyncpg.LockNotAvailableError):
            await connection.execute(f"VACUUM ({how}) {table}")
            await asyncio.sleep(0)  # asyncpg hands notices over in the loop's next turn
            said = [notice for notice in notices if _left(notice)]
        if not said:
            cleaned.tables += 1
            return
        if loop.time() > give_up_at or said[0].startswith("permission denied"):
            cleaned.remains.append(f"table {table} was not rewritten: {said[0].strip()}")
            return
        await asyncio.sleep(_PAUSE_S)  # a pace: nobody tells when an older transaction ends


def _left(notice: str) -> bool:
    return notice.startswith("permission denied") or _STILL_SEEN.search(notice) is not None


async def _forget_statistics(connection: asyncpg.Connection, cleaned: Cleaned) -> None:
    try:
        await connection.execute(_FORGET)
    except (asyncpg.UndefinedFunctionError, asyncpg.InsufficientPrivilegeError):
        # The function came with PostgreSQL 18.
        cleaned.remains.append("the planner's statistics of tables that are empty now")


async def _overwrite_log(connection: asyncpg.Connection, cleaned: Cleaned) -> None:
    """A switch fills the rest of a segment with zeros; as many switches as there are segments waiting reach them all."""
    try:
        begin = await connection.fetchval(_WAL_NOW)
        await connection.execute(_WAL_FILL[1])
        await connection.execute("CHECKPOINT")
        for _ in range(await connection.fetchval(_WAL_WAITING) + 1):
            for statement in _WAL_FILL:
                await connection.execute(statement)
        await connection.execute("CHECKPOINT")
        kept = await connection.fetchval(_WAL_OLD, begin)
    except asyncpg.InsufficientPrivilegeError:
        cleaned.remains.append(
            "the server's write-ahead log: the administrator did not let us switch it; it is overwritten in its own time"
        )
        return
    if kept:
        cleaned.remains.append(
            f"{kept} older segments of the server's write-ahead log are kept back, by a replication slot or wal_keep_size"
        )
