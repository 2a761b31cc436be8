"""Products, their families and tax classes."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, Column, Index, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import product_family_pb2, product_pb2, tax_class_pb2
from services.deals import errors
from services.deals.store.catalogues import FIELDS, entry_columns, entry_values
from services.deals.store.schema import metadata

Product = product_pb2.Product
ProductFamily = product_family_pb2.ProductFamily
TaxClass = tax_class_pb2.TaxClass


def sku_key(sku: str) -> str:
    """What two numbers have in common that people take for the same: the case of letters and blanks around do not count."""
    return sku.strip().casefold()


def _product_values(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "sku_key": sku_key(product.sku),
        "name_key": sort_key(product.name),
        "search": search_key(f"{product.sku} {product.name}"),
        "family_id": reference(product.family_id),
        "tax_class_id": reference(product.tax_class_id),
        "external_ids": [f"{each.system}:{each.id}" for each in product.external_ids],
        "retired": product.retired,
    }


products = Resource(
    Product,
    metadata,
    table="products",
    columns=[
        Column("sku", Text, nullable=False), Column("sku_key", Text, nullable=False),
        Column("name_key", Text, nullable=False), Column("search", Text, nullable=False),
        Column("family_id", Uuid), Column("tax_class_id", Uuid),
        Column("external_ids", ARRAY(Text), nullable=False), Column("retired", Boolean, nullable=False),
    ],
    values=_product_values,
    items=[
        Index("uq_products_sku", "tenant_id", "sku_key", unique=True, postgresql_where=text("delete_time IS NULL")),
        Index("ix_products_family", "tenant_id", "family_id"),
        Index("ix_products_tax_class", "tenant_id", "tax_class_id"),
        Index("ix_products_external_ids", "external_ids", postgresql_using="gin"),
    ],
    fields={
        "sku": Field("sku", "text", sentinel="", sortable=True, sort_column="sku_key"),
        "name": Field("search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "family_id": Field("family_id", "uuid"),
        "tax_class_id": Field("tax_class_id", "uuid"),
        "retired": Field("retired", "bool"),
    },
    search="search",
    search_reveals=("sku", "name"),
    default_order="name",
    constraints={"uq_products_sku": lambda detail: errors.KeyTaken("product", "sku")},
)  # fmt: skip


product_families = Resource(
    ProductFamily,
    metadata,
    table="product_families",
    columns=entry_columns(),
    values=entry_values,
    items=[
        Index("uq_product_families_name", "tenant_id", "name_search", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields=FIELDS,
    search="name_search",
    default_order="position",
    constraints={"uq_product_families_name": lambda detail: errors.KeyTaken("product family", "name")},
)  # fmt: skip

tax_classes = Resource(
    TaxClass,
    metadata,
    table="tax_classes",
    columns=[*entry_columns(), Column("key", Text, nullable=False)],
    values=lambda entry: {**entry_values(entry), "key": entry.key},
    items=[
        Index("uq_tax_classes_key", "tenant_id", "key", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields={**FIELDS, "key": Field("key", "text", sentinel="")},
    search="name_search",
    default_order="position",
    constraints={"uq_tax_classes_key": lambda detail: errors.KeyTaken("tax class", "key")},
)  # fmt: skip

_V = products.view.c
_WITH_SKUS = products.select(_V.sku_key == bindparam("sku_keys", type_=ARRAY(Text)).any_())  # type: ignore[attr-defined]
_ID = bindparam("named_id", type_=Uuid)
_OF_FAMILY = products.select(_V.family_id == _ID, limit=1)
_OF_TAX_CLASS = products.select(_V.tax_class_id == _ID, limit=1)
_WITH_KEY = tax_classes.select(tax_classes.view.c.key == bindparam("with_key", type_=Text))


async def products_with_skus(tx: Tx, skus: Collection[str]) -> dict[str, Product]:
    """Those of the numbers that living products have, by `sku_key`."""
    keys = sorted({sku_key(sku) for sku in skus})
    found = await products.find_where(tx, _WITH_SKUS, sku_keys=keys) if keys else []
    return {sku_key(product.sku): product for product in found}


async def product_naming(tx: Tx, resource: Resource[Any], id: str) -> Product | None:
    """A living product of this family or tax class, if there is one."""
    statement: Statement = _OF_FAMILY if resource is product_families else _OF_TAX_CLASS
    found = await products.find_where(tx, statement, named_id=id)
    return found[0] if found else None


async def tax_class_with_key(tx: Tx, key: str) -> TaxClass | None:
    """The living tax class with this key."""
    found = await tax_classes.find_where(tx, _WITH_KEY, with_key=key)
    return found[0] if found else None
