"""Many people with telephones, made by the database: nobody waits for a million events."""

import asyncpg

FIRST = 600_000_000
"""The national number before the first one."""
_FILL = """
WITH made AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2::int) AS n), kept AS (
    INSERT INTO number_parties (tenant_id, kind, id, version, name, follower_ids)
    SELECT $1, 'contact', id, 1, 'Person ' || n, '{}' FROM made
)
INSERT INTO numbers (tenant_id, number, kind, id) SELECT $1, '+48' || ($3 + n), 'contact', id FROM made
"""


async def fill(raw: asyncpg.Connection, tenant_id: str, count: int) -> None:
    """Gives the company `count` contacts with a number each, as telephony knows them: `Person n` has `number(n)`."""
    await raw.execute(_FILL, tenant_id, count, FIRST)
    await raw.execute("ANALYZE numbers, number_parties")


def number(n: int) -> str:
    """The number of the nth person, counted from 1, as it is written at home."""
    return str(FIRST + n)
