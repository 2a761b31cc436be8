"""What handovers moved, and what followed contacts and companies that were merged (the kit writes both)."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.db import Statement
from chassis.kit import following, handover_moves
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals
from services.deals.store.schema import metadata, saved_views

AT_ONCE = 500
"""Records that follow an owner in one statement: some 0.2 s."""

# -- handovers ---------------------------------------------------------------------------------------------------------------

handover_moves.tables(metadata)

OPEN_DEALS = deals.view.c.state == int(deal_pb2.Deal.STATE_OPEN)
SHARED_VIEWS = saved_views.view.c.shared.is_(True)
# Colleagues who take part stand in the same column: they may read the deal, and stay named as who took part.
FOLLOWED_DEALS = func.jsonb_exists(
    cast(deals.view.c.json, JSONB)["followerIds"], cast(bindparam("user_id", type_=Uuid), Text)
)


def resources() -> list[Resource[Any]]:
    """Every resource of this service."""
    return [t.info["resource"] for t in metadata.sorted_tables if "resource" in t.info]


@cache
def _of_deals(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    mine = (t.tenant_id == bindparam("tenant_id", type_=Uuid), t.delete_time.is_(None))
    of_them = t.deal_id == bindparam("ids", type_=ARRAY(Uuid)).any_()
    beyond = t.id > bindparam("after", type_=Uuid)
    return Statement(
        select(t.id, t.doc).where(*mine, of_them, beyond).order_by(t.id).limit(AT_ONCE)
    )


async def of_deals(tx: Tx, resource: Resource[Any], ids: Sequence[str], after: str) -> list[Record]:
    """id and doc of the next living records that were made for these deals."""
    return await tx.fetch(_of_deals(resource), ids=list(ids), after=after)


# -- merges ------------------------------------------------------------------------------------------------------------------

following.declare(metadata)


@cache
def naming() -> dict[str, Resource[Any]]:
    """Object -> resource of everything that names contacts or companies."""
    parties = ("contact", "company")
    return {one.object: one for one in resources() if any(following.names(one, p) for p in parties)}
