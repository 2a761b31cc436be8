"""Ids of contacts and companies in other systems: one pair of system and id names one living record of the tenant."""

from typing import Any

from sqlalchemy import Column, Index, Table, Text, Uuid, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.tx import Tx
from crm.contacts.v1 import company_pb2, contact_pb2
from services.contacts import errors
from services.contacts.store.schema import metadata

Party = contact_pb2.Contact | company_pb2.Company

external_ids = Table(
    "external_ids",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("holder_id", Uuid, nullable=False),
    Index("ix_external_ids_holder", "tenant_id", "holder_id"),
)

_E = external_ids.c
_SYSTEMS, _IDS = bindparam("systems", type_=ARRAY(Text)), bindparam("ids", type_=ARRAY(Text))
_HOLDER, _OBJECT = bindparam("holder_id", type_=Uuid), bindparam("object", type_=Text)
_TENANT = bindparam("tenant_id", type_=Uuid)
_RELEASE = Statement(
    delete(external_ids).where(
        _E.tenant_id == _TENANT, _E.holder_id == _HOLDER, _E.object == _OBJECT
    )
)
_pairs = (
    func.unnest(_SYSTEMS, _IDS).table_valued("system", "external_id", name="pairs").render_derived()
)
_CLAIM = Statement(
    upsert(external_ids)
    .from_select(
        ["tenant_id", "object", "system", "external_id", "holder_id"],
        select(_TENANT, _OBJECT, _pairs.c.system, _pairs.c.external_id, _HOLDER).select_from(
            _pairs
        ),
    )
    .on_conflict_do_nothing()
)
_TAKEN = Statement(
    select(_E.system, _E.external_id, _E.holder_id)
    .select_from(
        external_ids.join(
            _pairs, (_E.system == _pairs.c.system) & (_E.external_id == _pairs.c.external_id)
        )
    )
    .where(_E.tenant_id == _TENANT, _E.object == _OBJECT, _E.holder_id != _HOLDER)
    .limit(1)
)


async def claim_external_ids(tx: Tx, object: str, party: Party) -> None:
    """Makes exactly these ids the record's own; ExternalIdTaken if another record has one of them."""
    await release_external_ids(tx, object, party.id)
    if not party.external_ids:
        return
    ids = party.external_ids
    pairs: Any = {"systems": [e.system for e in ids], "ids": [e.id for e in ids]}
    claimed = await tx.execute(_CLAIM, object=object, holder_id=party.id, **pairs)
    if claimed != len(party.external_ids):
        row = await tx.fetchrow(_TAKEN, object=object, holder_id=party.id, **pairs)
        assert row is not None, "a conflicting row is visible once the insert has waited for it"
        raise errors.ExternalIdTaken(row["system"], row["external_id"], str(row["holder_id"]))


async def release_external_ids(tx: Tx, object: str, party_id: str) -> None:
    """Gives the record's ids back, so that another record may have them."""
    await tx.execute(_RELEASE, object=object, holder_id=party_id)


_PARTIES_IDS = bindparam("party_ids", type_=ARRAY(Uuid))
_RELEASE_MANY = Statement(
    delete(external_ids).where(
        _E.tenant_id == _TENANT, _E.object == _OBJECT, _E.holder_id == func.any(_PARTIES_IDS)
    )
)
_triples = (
    func.unnest(_SYSTEMS, _IDS, bindparam("holder_ids", type_=ARRAY(Uuid)))
    .table_valued("system", "external_id", Column("holder_id", Uuid), name="triples")
    .render_derived()
)
_CLAIM_MANY = Statement(
    upsert(external_ids)
    .from_select(
        ["tenant_id", "object", "system", "external_id", "holder_id"],
        select(
            _TENANT, _OBJECT, _triples.c.system, _triples.c.external_id, _triples.c.holder_id
        ).select_from(_triples),
    )
    .on_conflict_do_nothing()
    .returning(_E.holder_id, _E.system, _E.external_id)
)


async def claim_many(tx: Tx, object: str, parties: list[Any]) -> set[tuple[str, str, str]]:
    """Makes exactly these ids the living records' own; returns (record, system, id) of those that somebody else has."""
    await tx.execute(_RELEASE_MANY, object=object, party_ids=[party.id for party in parties])
    wanted = {
        (party.id, each.system, each.id)
        for party in parties
        if not party.HasField("delete_time")
        for each in party.external_ids
    }
    if not wanted:
        return set()
    holder_ids, systems, ids = zip(*sorted(wanted), strict=True)
    rows = await tx.fetch(
        _CLAIM_MANY, object=object, systems=list(systems), ids=list(ids), holder_ids=list(holder_ids)
    )  # fmt: skip
    return wanted - {(str(row["holder_id"]), row["system"], row["external_id"]) for row in rows}
