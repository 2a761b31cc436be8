"""What a deal takes over from the request that led to it: a deal to begin with, as contacts told it last (S23, U35)."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals
from services.deals.store.schema import metadata

Deal = deal_pb2.Deal

seeds = Table(
    "request_seeds",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("contact_id", Uuid),
    Column("doc", LargeBinary, nullable=False),
    Index("ix_request_seeds_contact", "tenant_id", "contact_id"),
)

_NAMES = ("tenant_id", "request_id", "version", "contact_id", "doc")
_NEW = insert(seeds).values({name: bindparam(name) for name in _NAMES})
_PUT = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["tenant_id", "request_id"],
        set_={name: _NEW.excluded[name] for name in ("version", "contact_id", "doc")},
        where=seeds.c.version < _NEW.excluded.version,
    )
)
_SEED = Statement(select(seeds.c.doc).where(seeds.c.request_id == bindparam("of_request", type_=Uuid)))  # fmt: skip
_OF_REQUEST = deals.select(
    deals.view.c.request_ids.contains(bindparam("request", type_=ARRAY(Uuid))),
    deals.view.c.pipeline_id == bindparam("pipeline", type_=Uuid),
    order=(deals.view.c.create_time, deals.view.c.id),
    limit=1,
)


async def put_seed(tx: Tx, request_id: str, version: int, seed: Deal) -> None:
    """Takes over a version of the request; what comes late or twice changes nothing."""
    await tx.execute(
        _PUT, request_id=request_id, version=version, contact_id=reference(seed.contact_id),
        doc=seed.SerializeToString(),
    )  # fmt: skip


async def seed_of(tx: Tx, request_id: str) -> Deal | None:
    """The deal that the request begins; None if the request is not known here, or was erased."""
    doc = await tx.fetchval(_SEED, of_request=request_id)
    return Deal.FromString(doc) if doc else None


async def deal_of_request(tx: Tx, request_id: str, pipeline_id: str) -> Deal | None:
    """The living deal to which the request led in this pipeline, the oldest of several."""
    found = await deals.find_where(tx, _OF_REQUEST, request=[request_id], pipeline=pipeline_id)
    return found[0] if found else None
