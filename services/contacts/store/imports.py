"""Imports of contacts and companies: who has which keys, claims of many external ids, and who refers to imported records."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.fold import phone_digits
from chassis.kit.bulk import array_text
from chassis.kit.imports.store import declare
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.contacts.store import merges
from services.contacts.store.catalogues import labels, needs, sources
from services.contacts.store.parties import PARTIES, companies, contacts
from services.contacts.store.schema import metadata

imports = declare(metadata)

_TENANT = bindparam("tenant_id", type_=Uuid)
_KEYS = bindparam("keys", type_=ARRAY(Text))
_COLUMNS = {
    "ext": "external_keys", "phone": "phone_digits", "email": "email_addresses", "tax": "tax_numbers",
}  # fmt: skip
_BY_NAME = ("name", "untaxed", "same")


# Two ways that lead to a GIN index also where statistics lag behind, as they do while an import fills the table: a view that
# knows the tenant by an expression, so that no index that begins with the tenant offers itself, and no reading of all rows.
for _table in (contacts.table, companies.table):
    _table.info["views"] = (
        f"CREATE VIEW {_table.name}_by_key AS SELECT delete_time, doc, {', '.join(_COLUMNS.values())}"
        f" FROM {_table.name} WHERE tenant_id::text = nullif(current_setting('app.tenant', true), '')",
        f"GRANT SELECT ON {_table.name}_by_key TO {{role}}",
    )
_BY_INDEX = Statement(select(func.set_config("enable_seqscan", "off", True)))


def _by_key(table: str, column: str) -> Statement:
    sql = f"SELECT doc FROM {table}_by_key WHERE delete_time IS NULL AND {column} && CAST(:keys AS text[])"
    return Statement(text(sql).bindparams(_KEYS))


def _by_name(resource: Resource[Any]) -> Statement:
    v = resource.view.c
    named = v.name_key == func.any(_KEYS)
    return Statement(select(v.doc).where(v.tenant_id == _TENANT, v.delete_time.is_(None), named))


_HOLDERS = {
    (table, kind): _by_key(table, column)
    for table in ("contacts", "companies")
    for kind, column in _COLUMNS.items()
} | {(resource.name, "name"): _by_name(resource) for resource in PARTIES.values()}


async def holders_of_keys(tx: Tx, resource: Resource[Any], keys: Iterable[str]) -> list[bytes]:
    """The docs of all living records that may have one of the keys (`kind:value`); the caller compares exactly."""
    wanted: dict[str, set[str]] = {}
    for key in keys:
        kind, _, value = key.partition(":")
        if kind == "phone":
            value = phone_digits(value)
        elif kind == "tax":
            value = value.rpartition("/")[2]
        elif kind in _BY_NAME:
            kind, value = "name", value.partition("\n")[0]
        wanted.setdefault(kind, set()).add(value)
    await tx.begin()
    await tx.fetchval(_BY_INDEX)
    found: dict[bytes, None] = {}
    for kind, kept in wanted.items():
        rows = await tx.fetch(_HOLDERS[resource.name, kind], keys=sorted(kept))
        found |= dict.fromkeys(row["doc"] for row in rows)
    return list(found)


# Dead records have ids of other systems too: only those that went into another are asked for.
_FORMER = {
    resource.name: Statement(
        text(
            f"SELECT p.id, v.doc FROM merged_parties p JOIN {resource.name}_of_tenant v ON v.tenant_id = p.tenant_id"
            " AND v.id = p.id WHERE p.tenant_id = :tenant_id AND p.object = :object"
            " AND v.external_keys && CAST(:keys AS text[])"
        ).bindparams(_TENANT, bindparam("object"), _KEYS)
    )
    for resource in PARTIES.values()
}


async def former_holders(tx: Tx, resource: Resource[Any], keys: Iterable[str]) -> dict[str, bytes]:
    """`ext:system/id` of records that went into others -> the doc of who survived, if he lives."""
    wanted = {key.partition(":")[2]: key for key in keys}
    rows = await tx.fetch(_FORMER[resource.name], object=resource.object, keys=sorted(wanted))
    if not rows:
        return {}
    into = await merges.survivors(tx, resource.object, [str(row["id"]) for row in rows])
    living = await resource.rows(tx, sorted(set(into.values())))
    docs = {str(row["id"]): row["doc"] for row in living}
    found: dict[str, bytes] = {}
    for row in rows:
        survivor = into.get(str(row["id"]), "")
        for e in resource.message.FromString(row["doc"]).external_ids:
            if (key := wanted.get(f"{e.system}/{e.id}")) and survivor in docs:
                found[key] = docs[survivor]
    return found


# -- names of catalogues ---------------------------------------------------------------------------

_CATALOGUES = {
    "labels": (labels, labels.select()), "needs": (needs, needs.select()), "sources": (sources, sources.select()),
}  # fmt: skip


async def catalogue(tx: Tx, name: str) -> list[Any]:
    """Every living entry."""
    resource, statement = _CATALOGUES[name]
    return [resource.message.FromString(row["doc"]) for row in await tx.fetch(statement)]


# -- who refers to records that an import made -----------------------------------------------------

_BY = """
SELECT v.{column} AS id, '{reason}' AS reason FROM {view} v
WHERE v.tenant_id = :tenant_id AND v.{column} = ANY(CAST(:ids AS uuid[])) AND v.delete_time IS NULL AND NOT EXISTS (
    SELECT FROM import_records g WHERE g.tenant_id = :tenant_id AND g.import_id = CAST(:import_id AS uuid)
    AND g.record_id = v.id AND g.undo = 1)
"""
# What other services tell of a person; a record's own edits are seen by its version.
_BY_TIMELINE = """
SELECT t.party_id AS id, 'something happened with it since' AS reason FROM timeline_of_tenant t
WHERE t.tenant_id = :tenant_id AND t.party_id = ANY(CAST(:ids AS uuid[]))
AND t.cause->>'kind' NOT IN ('import', 'undo') AND t.object_id IS DISTINCT FROM t.party_id
"""
_BROUGHT = [
    ("contacts", "referrer_id", "a contact that it brought refers to it"),
    ("companies", "referrer_id", "a company that it brought refers to it"),
]


def _referring(*by: tuple[str, str, str], more: Sequence[str] = ()) -> Statement:
    parts = [_BY.format(view=f"{table}_of_tenant", column=c, reason=why) for table, c, why in by]
    sql = " UNION ALL ".join([*parts, *more])
    return Statement(text(sql).bindparams(_TENANT, bindparam("ids"), bindparam("import_id")))


_REFERRED = {
    "contacts": _referring(
        ("requests", "contact_id", "a request refers to it since"), *_BROUGHT, more=[_BY_TIMELINE]
    ),
    "companies": _referring(
        ("contacts", "company_id", "contacts that stay work there"),
        ("requests", "company_id", "a request refers to it since"),
        *_BROUGHT,
    ),
}


async def referred(tx: Tx, table: str, ids: Sequence[str], import_id: str) -> dict[str, str]:
    """id -> who refers to it, but for what the undo of the same import deletes."""
    rows = await tx.fetch(_REFERRED[table], ids=list(ids), import_id=import_id)
    found: dict[str, str] = {}
    for row in rows:
        found.setdefault(str(row["id"]), row["reason"])
    return found


# -- who may read them ------------------------------------------------------------------------------

_GUARDS = Statement(
    text(
        "INSERT INTO timeline_guards (tenant_id, object, object_id, version, owner_id, department_id, follower_ids)"
        " SELECT :tenant_id, :object, g.id, g.version, g.owner, g.department, CAST(g.followers AS uuid[])"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:owners AS uuid[]),"
        " CAST(:departments AS uuid[]), CAST(:followers AS text[])) AS g(id, version, owner, department, followers)"
        " ON CONFLICT (tenant_id, object, object_id) DO UPDATE SET version = excluded.version,"
        " owner_id = excluded.owner_id, department_id = excluded.department_id, follower_ids = excluded.follower_ids"
        " WHERE timeline_guards.version < excluded.version"
    ).bindparams(
        _TENANT, *(bindparam(n) for n in ("object", "ids", "versions", "owners", "departments", "followers"))
    )
)  # fmt: skip


async def note_guards(tx: Tx, object: str, parties: Sequence[Any]) -> None:
    """As `note_guard` for many records at once: the timeline's consumer leaves out what imports tell."""
    await tx.execute(
        _GUARDS, object=object, ids=[p.id for p in parties], versions=[int(p.etag) for p in parties],
        owners=[p.owner_id or None for p in parties], departments=[p.department_id or None for p in parties],
        followers=[array_text(p.follower_ids) for p in parties],
    )  # fmt: skip
