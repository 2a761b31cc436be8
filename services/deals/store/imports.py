"""Imports of deals, products and price lists: which record has which number or name, and the stays of deals from files."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Integer, Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.imports import named
from chassis.kit.imports.store import declare
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.deals.store import moves
from services.deals.store.catalogues import deal_reasons
from services.deals.store.deals import deals
from services.deals.store.payments import payments
from services.deals.store.prices import price_lists, prices
from services.deals.store.products import product_families, products, tax_classes
from services.deals.store.schema import metadata

imports = declare(metadata)
named.declare(metadata)

_DEALS = deals.select(
    deals.view.c.external_ids.overlap(bindparam("external_ids", type_=ARRAY(Text)))
)
_IDS, _SKUS = bindparam("external_ids", type_=ARRAY(Text)), bindparam("skus", type_=ARRAY(Text))
_DEALS_KNOWN = deals.select(
    (deals.view.c.id == bindparam("known_ids", type_=ARRAY(Uuid)).any_())  # type: ignore[attr-defined]
    | deals.view.c.external_ids.overlap(_IDS)
)
_PAYMENTS = payments.select(
    payments.view.c.provider_event == bindparam("events", type_=ARRAY(Text)).any_()  # type: ignore[attr-defined]
)
_p = products.view.c
_PRODUCTS = products.select((_p.sku_key == _SKUS.any_()) | _p.external_ids.overlap(_IDS))
_ALL = {each.name: each.select() for each in (deal_reasons, product_families, tax_classes)}


async def deals_with(tx: Tx, external_ids: Sequence[str]) -> list[bytes]:
    """The docs of the living deals with one of these `system:id`."""
    return [row["doc"] for row in await tx.fetch(_DEALS, external_ids=list(external_ids))]


async def deals_known(tx: Tx, ids: Sequence[str], external_ids: Sequence[str]) -> list[bytes]:
    """The docs of the living deals with one of these ids, or `system:id`."""
    rows = await tx.fetch(_DEALS_KNOWN, known_ids=list(ids), external_ids=list(external_ids))
    return [row["doc"] for row in rows]


async def payments_with(tx: Tx, events: Sequence[str]) -> list[bytes]:
    """The docs of the living payments that stand for one of these `key:id`."""
    return [row["doc"] for row in await tx.fetch(_PAYMENTS, events=list(events))]


async def products_with(tx: Tx, sku_keys: Sequence[str], external_ids: Sequence[str]) -> list[bytes]:  # fmt: skip
    """The docs of the living products with one of these numbers, folded, or `system:id`."""
    rows = await tx.fetch(_PRODUCTS, skus=list(sku_keys), external_ids=list(external_ids))
    return [row["doc"] for row in rows]


async def all_of(tx: Tx, resource: Resource[Any]) -> list[Any]:
    """Every living entry of a catalogue."""
    return [resource.message.FromString(row["doc"]) for row in await tx.fetch(_ALL[resource.name])]


@cache
def _made_for(resource: Resource[Any]) -> Statement:
    v = resource.view.c
    named = v.deal_id == bindparam("deal_ids", type_=ARRAY(Uuid)).any_()
    mine = v.tenant_id == bindparam("tenant_id", type_=Uuid)
    return Statement(select(v.deal_id).where(mine, v.delete_time.is_(None), named).distinct())


async def named_by(tx: Tx, deal_ids: Sequence[str]) -> dict[str, str]:
    """Deal -> what was made for it since."""
    found: dict[str, str] = {}
    for resource in moves.resources() if deal_ids else ():
        if "deal_id" in resource.extra:
            rows = await tx.fetch(_made_for(resource), deal_ids=list(deal_ids))
            word = resource.object.replace("_", " ")
            found |= {str(row["deal_id"]): f"a {word} was made for it" for row in rows}
    return found


# -- stays -------------------------------------------------------------------------------------------------------------------

_TYPES: dict[str, Any] = {
    "deal_ids": ARRAY(Uuid), "numbers": ARRAY(Integer), "pipeline_ids": ARRAY(Uuid), "stage_ids": ARRAY(Uuid),
    "owner_ids": ARRAY(Uuid), "department_ids": ARRAY(Uuid), "enter_times": ARRAY(Moment),
    "leave_times": ARRAY(Moment),
}  # fmt: skip


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


_ADD_STAYS = _sql(
    "INSERT INTO deal_stays (tenant_id, deal_id, number, pipeline_id, stage_id, owner_id, department_id, enter_time,"
    " leave_time, user_id, skip_reason) SELECT CAST(:tenant_id AS uuid), n.*, NULL, '' FROM unnest("
    "CAST(:deal_ids AS uuid[]), CAST(:numbers AS integer[]), CAST(:pipeline_ids AS uuid[]), CAST(:stage_ids AS uuid[]),"
    " CAST(:owner_ids AS uuid[]), CAST(:department_ids AS uuid[]), CAST(:enter_times AS timestamptz[]),"
    " CAST(:leave_times AS timestamptz[])) AS n",
    *_TYPES,
)  # fmt: skip
_DROP_STAYS = _sql(
    "DELETE FROM deal_stays WHERE tenant_id = :tenant_id AND deal_id = any(CAST(:deal_ids AS uuid[]))",
    "deal_ids",
)

Stay = tuple[str, datetime, datetime | None]
"""Stage, when the deal came, when it went."""


async def add_stays(tx: Tx, of_deals: Sequence[tuple[Any, Sequence[Stay]]]) -> None:
    """Writes all stays of these new deals."""
    rows = [
        (deal.id, number, deal.pipeline_id, stage_id, deal.owner_id or None, deal.department_id or None, came, went)
        for deal, stays in of_deals
        for number, (stage_id, came, went) in enumerate(stays, start=1)
    ]  # fmt: skip
    if rows:
        columns: dict[str, Any] = dict(zip(_TYPES, map(list, zip(*rows, strict=True)), strict=True))
        await tx.execute(_ADD_STAYS, **columns)


async def drop_stays(tx: Tx, deal_ids: Sequence[str]) -> None:
    """Takes all stays of these deals."""
    await tx.execute(_DROP_STAYS, deal_ids=list(deal_ids))


# -- price lists -------------------------------------------------------------------------------------------------------------

_SKU_KEYS = bindparam("skus", type_=ARRAY(Text))
_SOLD = products.select(_p.sku_key == _SKU_KEYS.any_())  # type: ignore[attr-defined]
_LISTS = price_lists.select(
    (price_lists.view.c.id == bindparam("known_ids", type_=ARRAY(Uuid)).any_())  # type: ignore[attr-defined]
    | (price_lists.view.c.name_search == bindparam("names", type_=ARRAY(Text)).any_())  # type: ignore[attr-defined]
)
_PUBLISHED = Statement(
    select(
        prices.c.product_id, prices.c.list_id, prices.c.list_group, prices.c.currency, prices.c.from_date,
        prices.c.until_date,
    )
    .where(
        prices.c.tenant_id == bindparam("tenant_id", type_=Uuid),
        prices.c.product_id == bindparam("product_ids", type_=ARRAY(Uuid)).any_(),  # type: ignore[attr-defined]
    )
    .distinct()
)  # fmt: skip


async def price_lists_with(tx: Tx, ids: Sequence[str], names: Sequence[str]) -> list[bytes]:
    """The docs of the living price lists with one of these ids, or folded names."""
    rows = await tx.fetch(_LISTS, known_ids=list(ids), names=list(names))
    return [row["doc"] for row in rows]


async def sold(tx: Tx, sku_keys: Sequence[str]) -> list[Any]:
    """The living products with one of these numbers, folded."""
    return await products.find_where(tx, _SOLD, skus=list(sku_keys))


async def published(tx: Tx, product_ids: Sequence[str]) -> list[tuple[Any, str]]:
    """Where these products have published prices (product_id, list_id, list_group, currency, days), and the list's name."""
    rows = await tx.fetch(_PUBLISHED, product_ids=list(product_ids)) if product_ids else []
    lists = await price_lists.find_many(tx, sorted({str(row["list_id"]) for row in rows}))
    names = {entry.id: entry.name for entry in lists}
    return [(row, names.get(str(row["list_id"]), "")) for row in rows]
