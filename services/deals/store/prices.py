"""Price lists, and the prices of those that are published: one row for each product and quantity, by which lines are priced."""

from collections.abc import Collection
from datetime import date
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Index,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice, moment
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import price_list_pb2
from services.deals.store.schema import amount, day, metadata

PriceList = price_list_pb2.PriceList

EVER, NEVER = date(1, 1, 1), date(9999, 12, 31)
"""Stand where a list has no first or no last day."""

price_lists = Resource(
    PriceList,
    metadata,
    table="price_lists",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("list_group", Text, nullable=False), Column("currency", Text, nullable=False),
        Column("state", SmallInteger, nullable=False), Column("from_date", Date, nullable=False),
        Column("until_date", Date, nullable=False),
    ],
    values=lambda entry: {
        "name_key": sort_key(entry.name),
        "name_search": search_key(entry.name),
        "list_group": entry.group,
        "currency": entry.currency,
        "state": entry.state,
        "from_date": day(entry, "from_date") or EVER,
        "until_date": day(entry, "until_date") or NEVER,
    },
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "group": Field("list_group", "text", sentinel=""),
        "currency": Field("currency", "text", sentinel=""),
        "state": choice("state", PriceList.State, "STATE_"),
        "from_date": Field("from_date", "date", sortable=True),
        "until_date": Field("until_date", "date", sortable=True),
    },
    search="name_search",
    default_order="from_date desc",
)  # fmt: skip

prices = Table(
    "prices",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("list_id", Uuid, primary_key=True),
    Column("product_id", Uuid, primary_key=True),
    Column("from_quantity", Numeric, primary_key=True),
    Column("unit_price", Numeric, nullable=False),
    Column("list_group", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("tax_included", Boolean, nullable=False),
    Column("party", SmallInteger, nullable=False),
    Column("label_ids", ARRAY(Uuid), nullable=False),
    Column("from_date", Date, nullable=False),
    Column("until_date", Date, nullable=False),
    Column("publish_time", Moment, nullable=False),
    Index("ix_prices_product", "tenant_id", "product_id", "currency"),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_LIST = bindparam("of_list", type_=Uuid)
_PRODUCTS = bindparam("product_ids", type_=ARRAY(Uuid))
_OF_PRODUCTS = (prices.c.tenant_id == _TENANT, prices.c.product_id == _PRODUCTS.any_())  # type: ignore[attr-defined]
_OF_LIST = (prices.c.tenant_id == _TENANT, prices.c.list_id == _LIST)

_each = (
    func.unnest(
        _PRODUCTS,
        bindparam("quantities", type_=ARRAY(Numeric)),
        bindparam("unit_prices", type_=ARRAY(Numeric)),
    )
    .table_valued(
        column("product_id", Uuid), column("quantity", Numeric), column("unit_price", Numeric),
        name="each",
    )
    .render_derived()
)  # fmt: skip
_OF_ALL = (
    ("list_group", Text), ("currency", Text), ("tax_included", Boolean), ("party", SmallInteger),
    ("label_ids", ARRAY(Uuid)), ("from_date", Date), ("until_date", Date), ("publish_time", Moment),
)  # fmt: skip
_ADD = Statement(
    insert(prices).from_select(
        ["tenant_id", "list_id", "product_id", "from_quantity", "unit_price", *(n for n, _ in _OF_ALL)],
        select(
            _TENANT, _LIST, _each.c.product_id, _each.c.quantity, _each.c.unit_price,
            *(bindparam(name, type_=kind) for name, kind in _OF_ALL),  # type: ignore[arg-type]
        ),
    )
)  # fmt: skip
_ON = bindparam("on_day", type_=Date)
_VALID = Statement(
    select(prices).where(
        *_OF_PRODUCTS,
        prices.c.currency == bindparam("in_currency", type_=Text),
        prices.c.from_date <= _ON,
        prices.c.until_date >= _ON,
    )
)
_OVERLAPPING = Statement(
    select(prices.c.product_id, prices.c.from_date, prices.c.until_date, price_lists.table.c.doc)
    .join(
        price_lists.table,
        (price_lists.table.c.tenant_id == prices.c.tenant_id)
        & (price_lists.table.c.id == prices.c.list_id),
    )
    .where(
        *_OF_PRODUCTS,
        prices.c.list_id != _LIST,
        prices.c.list_group == bindparam("in_group", type_=Text),
        prices.c.currency == bindparam("in_currency", type_=Text),
        prices.c.from_date <= bindparam("until_day", type_=Date),
        prices.c.until_date >= bindparam("from_day", type_=Date),
    )
)
_END = Statement(
    update(prices).where(*_OF_LIST).values(until_date=bindparam("until_day", type_=Date))
)


async def add_prices(tx: Tx, entry: PriceList) -> None:
    """From now on lines are priced by the list, on its days."""
    await tx.execute(
        _ADD,
        of_list=entry.id,
        product_ids=[price.product_id for price in entry.prices],
        quantities=[amount(price.from_quantity) or 0 for price in entry.prices],
        unit_prices=[amount(price.unit_price) for price in entry.prices],
        list_group=entry.group,
        currency=entry.currency,
        tax_included=entry.tax_included,
        party=entry.party,
        label_ids=list(entry.label_ids),
        from_date=day(entry, "from_date") or EVER,
        until_date=day(entry, "until_date") or NEVER,
        publish_time=moment(entry, "publish_time"),
    )


async def end_prices(tx: Tx, list_id: str, until: date | None) -> None:
    """Gives the list's prices another last day."""
    await tx.execute(_END, of_list=list_id, until_day=until or NEVER)


async def valid_prices(
    tx: Tx, product_ids: Collection[str], currency: str, on: date
) -> list[Record]:
    """The published prices of the products on a day, of all lists in the currency."""
    if not product_ids:
        return []
    return await tx.fetch(_VALID, product_ids=list(product_ids), in_currency=currency, on_day=on)


async def overlapping_prices(tx: Tx, entry: PriceList) -> list[tuple[str, date, date, PriceList]]:
    """What other published lists of its group price on its days: product, first and last day, and the list."""
    rows: list[Any] = await tx.fetch(
        _OVERLAPPING,
        of_list=entry.id,
        product_ids=list({price.product_id for price in entry.prices}),
        in_group=entry.group,
        in_currency=entry.currency,
        from_day=day(entry, "from_date") or EVER,
        until_day=day(entry, "until_date") or NEVER,
    )
    return [
        (str(row["product_id"]), row["from_date"], row["until_date"], PriceList.FromString(row["doc"]))
        for row in rows
    ]  # fmt: skip
