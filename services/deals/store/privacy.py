"""Where deals keeps something of a person, and the statements that read and take it away.

    records that name a party   bare ones stay (rules/privacy.py); their old versions go, and those of others that named him
    OF_PERSONS                  plain tables with rows of persons: these go, or are emptied
    NOT_PERSONAL                hold ids of users and records alone

A test fails for a table that is in none of these.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import LargeBinary, Text, Uuid, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit import following
from chassis.kit.imports import erased, named
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.deals.store import moves
from services.deals.store.buyers import buyers
from services.deals.store.moves import resources
from services.deals.store.parties import parties
from services.deals.store.quotes import answer_counts, proofs
from services.deals.store.requests import seeds
from services.deals.store.sales_facts import sales_facts
from services.deals.store.schema import metadata
from services.deals.store.stays import stays

OF_PERSONS = {
    *erased.TABLES, named.NAMED, named.KEYS, answer_counts.table.name, buyers.name, following.MOVES, following.MERGED, parties.name, proofs.name,
    sales_facts.name, seeds.name, stays.name,
}  # fmt: skip
NOT_PERSONAL = {
    "carrier_events", "carrier_seeds", "catalogue_names", "deal_change_items", "deal_sums", "deal_task_types", "deal_tasks", "deal_touches", "handover_moves", "handover_stages", "invoice_numbers", "measurements",
    "payment_provider_events", "payment_provider_seeds", "prices", "quote_numbers",
}  # fmt: skip
OF_NOBODY = {
    "custom_field", "import", "saved_view", "pipeline", "deal_reason", "sales_method", "deal_settings", "legal_entity", "price_list",
    "bank_statement", "product", "product_family", "tax_class", "commission", "commission_plan", "currency_rate", "sales_plan",
    "payment_provider", "carrier",
}  # fmt: skip
"""Records that never name a customer."""
OF_FILTERS = {"deal_change"}
"""Records whose filter may name one; it goes (chassis.kit.erased_filters)."""

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_REQUESTS = bindparam("request_ids", type_=ARRAY(Uuid))
_DEALS = bindparam("deal_ids", type_=ARRAY(Uuid))


@cache
def naming() -> dict[str, Resource[Any]]:
    """Object -> resource of everything that names contacts."""
    return {
        object: one for object, one in moves.naming().items() if following.names(one, "contact")
    }


def unplaced() -> list[str]:
    """Tables and records of which nobody has said what they hold of a person."""
    known = OF_PERSONS | NOT_PERSONAL
    records = {one.object for one in resources()}
    plain = {
        table.name
        for table in metadata.sorted_tables
        if "resource" not in table.info and not table.info.get("history")
    }
    return sorted((plain - known) | (records - OF_NOBODY - OF_FILTERS - naming().keys()))


# -- reading -----------------------------------------------------------------------------------------------------------------


@cache
def _concerning(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    ends = [t.party_ids.overlap(_IDS)] if "party_ids" in t else []
    if "contact_id" in t:
        ends.append(t.contact_id == _IDS.any_())
    if "request_ids" in t:
        ends.append(t.request_ids.overlap(_REQUESTS))
    if "deal_id" in t:
        ends.append(t.deal_id == _DEALS.any_())
    return Statement(
        select(t.id, t.doc, t.delete_time)
        .where(t.tenant_id == _TENANT, or_(*ends)).order_by(t.id).with_for_update()
    )  # fmt: skip


@cache
def _versions(resource: Resource[Any]) -> Statement:
    h = resource.history.c
    mine = (h.tenant_id == _TENANT, h.id == _IDS.any_())
    return Statement(select(h.doc).where(*mine).order_by(h.id, h.version))


async def concerning(
    tx: Tx, object: str, ids: Sequence[str], request_ids: Sequence[str] = (), deal_ids: Sequence[str] = ()
) -> list[Record]:  # fmt: skip
    """id, doc and delete_time of the records that have to do with these contacts, requests or deals, locked."""
    await tx.begin()
    resource = naming()[object]
    values = {"ids": list(ids)}
    if "request_ids" in resource.extra:
        values["request_ids"] = list(request_ids)
    if "deal_id" in resource.extra:
        values["deal_ids"] = list(deal_ids)
    return await tx.fetch(_concerning(resource), **values)


async def versions(tx: Tx, object: str, ids: Sequence[str]) -> list[Any]:
    """Every version of these records, the oldest first, as messages."""
    resource = naming()[object]
    rows = await tx.fetch(_versions(resource), ids=list(ids)) if ids else []
    return [resource.message.FromString(row["doc"]) for row in rows]


_STATEMENT_FILES = Statement(
    text(
        "SELECT DISTINCT s.file_id FROM bank_statement_lines l JOIN bank_statements s ON s.tenant_id = l.tenant_id"
        " AND s.id = l.statement_id WHERE l.tenant_id = :tenant_id AND l.contact_id = any(CAST(:ids AS uuid[]))"
    ).bindparams(bindparam("tenant_id"), _IDS)
)


async def statement_files(tx: Tx, ids: Sequence[str]) -> set[str]:
    """The files of bank statements with lines about these contacts: whole files go, nobody cuts lines out of them."""
    rows = await tx.fetch(_STATEMENT_FILES, ids=list(ids)) if "bank_statement_line" in naming() else []  # fmt: skip
    return {str(row["file_id"]) for row in rows if row["file_id"]}


@cache
def _held(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    file_id = func.unnest(bindparam("file_ids", type_=ARRAY(Text))).column_valued("file_id")
    named = select(t.id).where(t.tenant_id == _TENANT, t.json.contains(file_id)).exists()
    return Statement(select(file_id).where(named))


async def held_files(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Those of the files that some record still names; few are ever asked for."""
    found: set[str] = set()
    for resource in naming().values() if ids else ():
        found |= {row["file_id"] for row in await tx.fetch(_held(resource), file_ids=list(ids))}
    return found


# -- taking away -------------------------------------------------------------------------------------------------------------

_TYPES: dict[str, Any] = {"needles": ARRAY(LargeBinary), "ids": ARRAY(Uuid), "records": ARRAY(Uuid)}


def _sql(sql: str) -> Statement:
    names = [name for name in ("tenant_id", *_TYPES) if f":{name}" in sql]
    return Statement(text(sql).bindparams(*(bindparam(n, type_=_TYPES.get(n)) for n in names)))


_MINE = "tenant_id = :tenant_id"
_LAST = 2**63 - 1  # no version that comes late is later
_FORGET_PARTIES = _sql(
    "INSERT INTO parties (tenant_id, id, kind, version, filled)"
    f" SELECT CAST(:tenant_id AS uuid), id, 'contact', {_LAST}, '{{}}' FROM unnest(CAST(:ids AS uuid[])) AS id"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET version = excluded.version, filled = excluded.filled"
)
_FORGET_BUYERS = _sql(
    "INSERT INTO buyers (tenant_id, id, version, doc)"
    f" SELECT CAST(:tenant_id AS uuid), id, {_LAST}, '' FROM unnest(CAST(:ids AS uuid[])) AS id"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET version = excluded.version, doc = excluded.doc"
)
_FORGET_SEEDS = _sql(
    "INSERT INTO request_seeds (tenant_id, request_id, version, contact_id, doc)"
    f" SELECT CAST(:tenant_id AS uuid), id, {_LAST}, NULL, '' FROM unnest(CAST(:records AS uuid[])) AS id"
    " ON CONFLICT (tenant_id, request_id)"
    " DO UPDATE SET version = excluded.version, contact_id = NULL, doc = excluded.doc"
)
_SEEDS_OF = _sql(
    f"SELECT request_id FROM request_seeds WHERE {_MINE} AND contact_id = any(CAST(:ids AS uuid[]))"
)
_FORGET_MERGES = _sql(
    f"DELETE FROM merged_parties WHERE {_MINE}"
    " AND (id = any(CAST(:ids AS uuid[])) OR survivor_id = any(CAST(:ids AS uuid[])))"
)
_FORGET_MOVES = _sql(
    f"DELETE FROM merge_moves m WHERE {_MINE} AND (record_id = any(CAST(:records AS uuid[]))"
    " OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN m.before) > 0))"
)
_BLANK_FACTS = _sql(
    f"UPDATE sales_facts SET contact_id = NULL WHERE {_MINE} AND contact_id = any(CAST(:ids AS uuid[]))"
)
_BLANK_STAYS = _sql(
    f"UPDATE deal_stays SET skip_reason = '' WHERE {_MINE} AND skip_reason <> ''"
    " AND deal_id = any(CAST(:records AS uuid[]))"
)


_OF_QUOTES = {
    table: _sql(f"DELETE FROM {table} WHERE {_MINE} AND quote_id = any(CAST(:records AS uuid[]))")
    for table in (proofs.name, answer_counts.table.name)
}


@cache
def _forget(resource: Resource[Any]) -> Statement:
    return _sql(
        f"DELETE FROM {resource.history.name} h WHERE {_MINE} AND valid_to IS NOT NULL"
        " AND (id = any(CAST(:records AS uuid[])) OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n"
        " WHERE position(n IN h.doc) > 0))"
    )


async def requests_of(tx: Tx, ids: Sequence[str]) -> list[str]:
    """The requests of these contacts of which something is kept."""
    return [str(row["request_id"]) for row in await tx.fetch(_SEEDS_OF, ids=list(ids))]


async def forget(
    tx: Tx, ids: Sequence[str], request_ids: Sequence[str], records: dict[str, list[str]]
) -> dict[str, int]:
    """Takes old versions of these records and of others that named the contacts, and what else is kept of them.

    Contacts, buyers and requests leave an empty row, so that nothing that comes late fills it again.
    """
    needles = [id.encode() for id in ids]
    everything = [id for each in records.values() for id in each]
    counts = {
        str(resource.history.name): await tx.execute(
            _forget(resource), records=records[object], needles=needles
        )
        for object, resource in naming().items()
    }
    counts[parties.name] = await tx.execute(_FORGET_PARTIES, ids=list(ids))
    counts[buyers.name] = await tx.execute(_FORGET_BUYERS, ids=list(ids))
    for table, statement in _OF_QUOTES.items():
        counts[table] = await tx.execute(statement, records=records["quote"])
    counts[seeds.name] = await tx.execute(_FORGET_SEEDS, records=list(request_ids))
    counts[following.MERGED] = await tx.execute(_FORGET_MERGES, ids=list(ids))
    counts[following.MOVES] = await tx.execute(_FORGET_MOVES, records=everything, needles=needles)
    counts[sales_facts.name] = await tx.execute(_BLANK_FACTS, ids=list(ids))
    counts[stays.name] = await tx.execute(_BLANK_STAYS, records=records["deal"])
    return counts
