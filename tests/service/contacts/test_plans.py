"""The look-ups of the intake and the timeline use their indexes at size, as the service's role sees the tables."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from chassis.db import Statement
from chassis.keys import uuid7
from chassis.testing import servers
from services.contacts.store import parties, reception, timeline
from tests.service.contacts.world import World
from tests.service.kit.test_list_plans import Crowd, indexes

pytestmark = pytest.mark.large

SIZE = 20_000


@pytest_asyncio.fixture
async def crowded(world: World) -> World:
    """A tenant with 20,000 contacts, requests and timeline rows, and another one like it beside."""
    raw = await asyncpg.connect(servers.postgres_url("crm_contacts"))
    try:
        for tenant_id in (world.tenant.id, uuid7()):
            await _fill(raw, tenant_id)
        await raw.execute("ANALYZE")
    finally:
        await raw.close()
    return world


async def _fill(raw: asyncpg.Connection, tenant_id: str) -> None:
    """Rows with plausible values for what the look-ups touch, and the type's zero elsewhere."""
    await _insert(raw, tenant_id, "contacts", {
        "phone_digits": "ARRAY['48' || (600000000 + n)]", "email_addresses": "ARRAY['p' || n || '@example.pl']",
        "name_key": "'person ' || n",
        # As the trigger writes it: forty people of each of 500 companies.
        "search": "'person ' || n || E'\\n' || 'firma ' || md5((n % 500)::text)",
    })  # fmt: skip
    await _insert(raw, tenant_id, "requests", {
        "contact_id": "gen_random_uuid()", "owner_id": "md5((n % 500)::text)::uuid", "state": "2",
    })  # fmt: skip
    await _insert(raw, tenant_id, "timeline", {
        "party_id": "md5((n % 500)::text)::uuid", "event_id": "gen_random_uuid()", "first": "true",
        "time": "now() - n * interval '1 minute'", "user_id": "md5((n % 50)::text)::uuid",
    })  # fmt: skip


async def _insert(
    raw: asyncpg.Connection, tenant_id: str, table: str, values: dict[str, str]
) -> None:
    columns = await raw.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull",
        table,
    )
    zero = {"text": "''", "uuid": "gen_random_uuid()", "bytea": "''", "jsonb": "'{}'", "boolean": "false",
            "timestamp with time zone": "now()", "date": "current_date"}  # fmt: skip
    chosen = {
        c["attname"]: "'{}'" if c["type"].endswith("[]") else zero.get(c["type"], "0") for c in columns
    } | values | {"tenant_id": f"'{tenant_id}'::uuid"}  # fmt: skip
    await raw.execute(
        f"INSERT INTO {table} ({', '.join(chosen)}) SELECT {', '.join(chosen.values())} FROM generate_series(1, {SIZE}) AS n"
    )


async def plan(world: World, statement: Statement, **values: Any) -> str:
    """The plan of a statement as the service's role gets it."""
    process = world.running.process
    pools, url = process.pools, process.runtimes["contacts"].database_url
    connection = await pools.take(url, world.tenant.id)
    try:
        rows = await connection.raw.fetch(
            f"EXPLAIN {statement.sql}", *statement.arguments(values, world.tenant.id)
        )
    finally:
        pools.give(connection, certain=True)
    return "\n".join(row[0] for row in rows)


async def test_no_look_up_reads_a_whole_table(crowded: World) -> None:
    party, user = uuid7(), uuid7()
    before = {"before_time": datetime.max.replace(tzinfo=UTC), "before_id": party, "window": 200}
    since = {"since": datetime(1970, 1, 1, tzinfo=UTC)}
    plans = {
        "phone": await plan(crowded, reception._BY_PHONE, digits="48600000007"),
        "email": await plan(crowded, reception._BY_EMAIL, address="p7@example.pl"),
        "open": await plan(crowded, reception._OPEN_COUNTS, user_ids=[user]),
        "existing": await plan(crowded, parties._EXISTING["contact"], ids=[party]),
        "party": await plan(
            crowded, timeline._WINDOWS[True, False, False], party_id=party, **before
        ),
        "party by kind": await plan(
            crowded, timeline._WINDOWS[True, False, True], party_id=party, kinds=["call"], **before
        ),
        "period": await plan(crowded, timeline._WINDOWS[False, False, False], **since, **before),
        "user": await plan(
            crowded, timeline._WINDOWS[False, True, False], user_id=user, **since, **before
        ),
    }
    scans = {
        name: text
        for name, text in plans.items()
        if re.search(r"Seq Scan on (contacts|requests|timeline)\b", text)
    }
    if scans:
        pytest.fail("\n\n".join(f"{name}:\n{text}" for name, text in scans.items()))
    for name, index in (("phone", "ix_contacts_keys"), ("email", "ix_contacts_keys"), ("open", "ix_requests_waiting"),
                        ("party", "ix_timeline_party"), ("period", "ix_timeline_time"), ("user", "ix_timeline_user")):  # fmt: skip
        assert index in plans[name], plans[name]


async def test_people_are_found_by_their_company_through_the_index_of_text_search(
    crowded: World,
) -> None:
    crowd = Crowd(crowded.running, crowded.tenant, [crowded.tenant.admin.id])
    name = hashlib.md5(b"7").hexdigest()  # how the rows above are named, not a secret

    for scope in ("all", "team", "own"):
        for q in (name, f"firma {name}", f"{name} person"):
            found = await crowd.plan(scope, q=q)
            read = indexes(found)
            # Whoever owns next to nothing is served sooner by what he owns.
            owned = scope != "all" and any(one.startswith("ix_contacts_owner_") for one in read)
            assert owned or "ix_contacts_search" in read, found
            assert "Seq Scan" not in found, found
