"""Deals and tasks of customers, as far as calls are guessed to be about them: no titles, no amounts.

Rows of what is over stay: they hold the version that was told last, and something older changes nothing.
"""

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.tx import Tx
from services.telephony.store.schema import metadata

matters = Table(
    "open_matters",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),  # deal or task
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # open; won: a deal; empty: over otherwise
    Column("contact_id", Uuid),
    Column("company_id", Uuid),
    *(
        Index(
            f"ix_open_matters_{party}", "tenant_id", f"{party}_id", "kind", "state",
            postgresql_where=text(f"{party}_id IS NOT NULL AND state <> ''"),
        )
        for party in ("contact", "company")
    ),
)  # fmt: skip

_put = upsert(matters).values({c.name: bindparam(c.name, type_=c.type) for c in matters.c})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "id"],
        set_={c.name: _put.excluded[c.name] for c in matters.c if not c.primary_key},
        where=matters.c.version < _put.excluded.version,
    )
)


def _of(party: str) -> Statement:
    """Two of each say that there are several."""
    sql = (
        "SELECT w.kind, w.state, m.id FROM (VALUES ('deal', 'open'), ('deal', 'won'), ('task', 'open')) AS w(kind, state)"
        " CROSS JOIN LATERAL (SELECT o.id FROM open_matters o WHERE o.tenant_id = :tenant_id"
        f" AND o.{party}_id = :party_id AND o.kind = w.kind AND o.state = w.state AND o.state <> '' LIMIT 2) AS m"
    )
    binds = (bindparam("tenant_id", type_=Uuid), bindparam("party_id", type_=Uuid))
    return Statement(text(sql).bindparams(*binds))


_OF = {party: _of(party) for party in ("contact", "company")}


async def put(
    tx: Tx, kind: str, id: str, version: int, *, state: str, contact_id: str, company_id: str
) -> None:
    """Keeps what was told last."""
    await tx.execute(
        _PUT, kind=kind, id=id, version=version, state=state, contact_id=reference(contact_id),
        company_id=reference(company_id),
    )  # fmt: skip


async def of_party(tx: Tx, party: str, id: str) -> dict[tuple[str, str], list[str]]:
    """(kind, state) -> at most two of the contact's or company's deals and tasks; nothing where there is none."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in await tx.fetch(_OF[party], party_id=id):
        found.setdefault((row["kind"], row["state"]), []).append(str(row["id"]))
    return found
