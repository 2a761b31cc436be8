"""Where telephony keeps something of a person, and the statements that read and take it away.

    calls, recordings   bare ones stay (rules/privacy.py); their old versions go, and those of others that named him
    OF_PERSONS          plain tables with rows of persons: these go, or are emptied
    NOT_PERSONAL        hold ids of users and records alone

A test fails for a table that is in none of these.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import LargeBinary, Text, Uuid, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit import following
from chassis.kit.imports import erased
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.telephony.store.calls import call_keys, call_legs, calls
from services.telephony.store.connections import webhook_counts
from services.telephony.store.leases import commands, leases
from services.telephony.store.matters import matters
from services.telephony.store.moves import FOLLOWING
from services.telephony.store.numbers import numbers, parties
from services.telephony.store.recordings import fetches, listenings
from services.telephony.store.schema import metadata

OF_PERSONS = {
    call_keys.name, call_legs.name, commands.name, fetches.name, following.MERGED, following.MOVES, matters.name,
    numbers.name, parties.name, *erased.TABLES,
}  # fmt: skip
NOT_PERSONAL = {
    "connection_secrets", "connection_status", "handover_moves", "handover_stages", leases.name, listenings.name, "phone_presences",
    webhook_counts.table.name,
}  # fmt: skip
"""Plain tables without anything of a person; the address that calls is a provider's, and a hash that ends with its minute."""
OF_NOBODY = {
    "import",
    "line",
    "extension",
    "telephone_connection",
    "disposition",
    "telephony_settings",
}
"""Records that never name a customer."""

_NOBODY = "00000000-0000-0000-0000-000000000000"


def unplaced() -> list[str]:
    """Tables and records of which nobody has said what they hold of a person."""
    records = {t.info["resource"].object for t in metadata.sorted_tables if "resource" in t.info}
    plain = {
        table.name
        for table in metadata.sorted_tables
        if "resource" not in table.info and not table.info.get("history")
    }
    return sorted((plain - OF_PERSONS - NOT_PERSONAL) | (records - OF_NOBODY - FOLLOWING.keys()))


# -- reading -----------------------------------------------------------------------------------------------------------------

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_TYPES: dict[str, Any] = {
    "needles": ARRAY(LargeBinary), "ids": ARRAY(Uuid), "records": ARRAY(Uuid), "numbers": ARRAY(Text),
}  # fmt: skip


def _sql(sql: str) -> Statement:
    names = [name for name in ("tenant_id", *_TYPES) if f":{name}" in sql]
    return Statement(text(sql).bindparams(*(bindparam(n, type_=_TYPES.get(n)) for n in names)))


_MINE = "tenant_id = :tenant_id"
# A number that somebody else has, too, says nothing about whose a call was that names nobody.
_HIS_NUMBERS = _sql(
    "SELECT number FROM ("
    f"SELECT number FROM calls WHERE {_MINE} AND contact_id = any(CAST(:ids AS uuid[]))"
    f" UNION SELECT number FROM numbers WHERE {_MINE} AND kind = 'contact' AND id = any(CAST(:ids AS uuid[]))) n"
    " WHERE n.number <> '' AND NOT EXISTS (SELECT FROM numbers o WHERE o.tenant_id = :tenant_id AND o.number = n.number"
    " AND o.id <> all(CAST(:ids AS uuid[])))"
)
_NUMBERED = Statement(
    select(calls.table.c.id)
    .where(
        calls.table.c.tenant_id == _TENANT,
        calls.table.c.number == bindparam("numbers", type_=ARRAY(Text)).any_(),
        calls.table.c.contact_id.is_(None), calls.table.c.company_id.is_(None),
    )
)  # fmt: skip


@cache
def _concerning(object: str) -> Statement:
    t = FOLLOWING[object].table.c
    records = bindparam("records", type_=ARRAY(Uuid))
    if object == "recording":
        wanted = or_(t.contact_id == _IDS.any_(), t.call_id == records.any_())
    else:
        # Who has the number, too, and which request is answered stand in the document alone; erasures are rare.
        told = text(
            "EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN doc) > 0)"
        )
        told = told.bindparams(bindparam("needles", type_=ARRAY(LargeBinary)))
        wanted = or_(t.id == records.any_(), told)
    return Statement(
        select(t.id, t.doc, t.delete_time)
        .where(t.tenant_id == _TENANT, wanted).order_by(t.id).with_for_update()
    )  # fmt: skip


@cache
def _versions(resource: Resource[Any]) -> Statement:
    h = resource.history.c
    mine = (h.tenant_id == _TENANT, h.id == _IDS.any_())
    return Statement(select(h.doc).where(*mine).order_by(h.id, h.version))


async def unnamed(tx: Tx, ids: Sequence[str]) -> list[str]:
    """The calls that name nobody, of numbers that these contacts alone have."""
    rows = await tx.fetch(_HIS_NUMBERS, ids=list(ids))
    found = await tx.fetch(_NUMBERED, numbers=[row["number"] for row in rows]) if rows else []
    return [str(row["id"]) for row in found]


async def concerning(
    tx: Tx, object: str, ids: Sequence[str], call_ids: Sequence[str], request_ids: Sequence[str] = ()
) -> list[Record]:  # fmt: skip
    """id, doc and delete_time of the calls or recordings that have to do with these contacts, calls or requests, locked."""
    await tx.begin()
    if object == "recording":
        return await tx.fetch(_concerning(object), ids=list(ids), records=list(call_ids))
    needles = [id.encode() for id in (*ids, *request_ids)]
    return await tx.fetch(_concerning(object), needles=needles, records=list(call_ids))


async def versions(tx: Tx, object: str, ids: Sequence[str]) -> list[Any]:
    """Every version of these records, the oldest first, as messages."""
    resource = FOLLOWING[object]
    rows = await tx.fetch(_versions(resource), ids=list(ids)) if ids else []
    return [resource.message.FromString(row["doc"]) for row in rows]


# -- taking away -------------------------------------------------------------------------------------------------------------

_LAST = 2**63 - 1  # no version that comes late is later
_OF_CALLS = "call_id = any(CAST(:records AS uuid[]))"
_FORGET = {
    call_legs.name: _sql(f"DELETE FROM call_legs WHERE {_MINE} AND {_OF_CALLS}"),
    commands.name: _sql(
        f"DELETE FROM exchange_commands WHERE {_MINE} AND body->>'call' IN"
        f" (SELECT key FROM call_keys WHERE {_MINE} AND {_OF_CALLS})"
    ),
    # What the exchange still tells of such a call is nobody's: taking.py finds no call by its key.
    call_keys.name: _sql(f"UPDATE call_keys SET call_id = '{_NOBODY}' WHERE {_MINE} AND {_OF_CALLS}"),
    fetches.name: _sql(
        f"DELETE FROM recording_fetches WHERE {_MINE} AND recording_id = any(CAST(:records AS uuid[]))"
    ),
}  # fmt: skip
_FORGET_PERSONS = {
    numbers.name: _sql(
        f"DELETE FROM numbers WHERE {_MINE} AND kind = 'contact' AND id = any(CAST(:ids AS uuid[]))"
    ),
    parties.name: _sql(
        "INSERT INTO number_parties (tenant_id, kind, id, version, name, follower_ids)"
        f" SELECT CAST(:tenant_id AS uuid), 'contact', id, {_LAST}, '', '{{}}' FROM unnest(CAST(:ids AS uuid[])) AS id"
        " ON CONFLICT (tenant_id, kind, id) DO UPDATE SET version = excluded.version, name = '', owner_id = NULL,"
        " department_id = NULL, follower_ids = '{}', last_call_time = NULL"
    ),
    matters.name: _sql(
        f"UPDATE open_matters SET contact_id = NULL WHERE {_MINE} AND contact_id = any(CAST(:ids AS uuid[]))"
    ),
    following.MERGED: _sql(
        f"DELETE FROM merged_parties WHERE {_MINE}"
        " AND (id = any(CAST(:ids AS uuid[])) OR survivor_id = any(CAST(:ids AS uuid[])))"
    ),
}
_FORGET_MOVES = _sql(
    f"DELETE FROM merge_moves m WHERE {_MINE} AND (record_id = any(CAST(:records AS uuid[]))"
    " OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN m.before) > 0))"
)


@cache
def _forget_versions(resource: Resource[Any]) -> Statement:
    return _sql(
        f"DELETE FROM {resource.history.name} h WHERE {_MINE} AND valid_to IS NOT NULL"
        " AND (id = any(CAST(:records AS uuid[])) OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n"
        " WHERE position(n IN h.doc) > 0))"
    )


async def forget(tx: Tx, ids: Sequence[str], records: dict[str, list[str]]) -> dict[str, int]:
    """Takes old versions of these records and of others that named the contacts, and what else is kept of them.

    Contacts leave an empty row, so that nothing that comes late fills it again.
    """
    needles = [id.encode() for id in ids]
    everything = [id for each in records.values() for id in each]
    counts = {
        str(resource.history.name): await tx.execute(
            _forget_versions(resource), records=records[object], needles=needles
        )
        for object, resource in FOLLOWING.items()
    }
    for table, statement in _FORGET.items():
        counts[table] = await tx.execute(statement, records=everything)
    for table, statement in _FORGET_PERSONS.items():
        counts[table] = await tx.execute(statement, ids=list(ids))
    counts[following.MOVES] = await tx.execute(_FORGET_MOVES, records=everything, needles=needles)
    return counts
