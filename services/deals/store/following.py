"""The records that are made for deals, whatever they are."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Text, Uuid, bindparam, cast, literal_column, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit.resource import Resource
from chassis.tx import Tx

_DEALS = bindparam("deal_ids", type_=ARRAY(Uuid))


@cache
def _of_deals(resources: tuple[Resource[Any], ...]) -> Statement:
    parts = []
    for place, resource in enumerate(resources):
        v = resource.view.c
        parts.append(
            select(literal_column(str(place)).label("place"), v.id, v.version, v.doc, cast(v.deal_id, Text).label("deal_id"))
            .where(v.tenant_id == bindparam("tenant_id", type_=Uuid), v.delete_time.is_(None))
            .where(v.deal_id == _DEALS.any_())  # type: ignore[attr-defined]
        )  # fmt: skip
    return Statement(union_all(*parts).order_by("place", "id"))


async def made_for(
    tx: Tx, resources: tuple[Resource[Any], ...], deal_ids: Sequence[str]
) -> list[tuple[Resource[Any], str, Any]]:
    """(its kind, its deal, itself) of every living record of these kinds that names one of the deals, in one statement."""
    rows = await tx.fetch(_of_deals(resources), deal_ids=list(deal_ids))
    found = []
    for row in rows:
        resource = resources[row["place"]]
        found.append((resource, row["deal_id"], resource.loaded(tx, row)))
    return found
