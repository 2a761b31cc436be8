"""What invoices say of customers who buy: name, address and tax number, as contacts told them."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from chassis.db.statement import Statement
from chassis.tx import Tx
from crm.deals.v1 import invoice_party_pb2
from services.deals.store.schema import metadata

InvoiceParty = invoice_party_pb2.InvoiceParty

buyers = Table(
    "buyers",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)

_NEW = insert(buyers).values({name: bindparam(name) for name in ("tenant_id", "id", "version", "doc")})  # fmt: skip
_PUT = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={name: _NEW.excluded[name] for name in ("version", "doc")},
        where=buyers.c.version < _NEW.excluded.version,
    )
)
_DOC = Statement(
    select(buyers.c.doc).where(
        buyers.c.tenant_id == bindparam("tenant_id", type_=Uuid),
        buyers.c.id == bindparam("of_id", type_=Uuid),
    )
)


async def put_buyer(tx: Tx, id: str, version: int, buyer: InvoiceParty) -> None:
    """Takes over a version; what comes late or twice changes nothing."""
    await tx.execute(_PUT, id=id, version=version, doc=buyer.SerializeToString())


async def buyer_of(tx: Tx, id: str) -> InvoiceParty:
    """What is known of the contact or company; empty if nothing is."""
    doc = await tx.fetchval(_DOC, of_id=id) if id else None
    return InvoiceParty.FromString(doc or b"")
