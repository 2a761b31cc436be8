"""Products as the kit's imports and exports see them: how a line becomes one, and how it is found again by its number."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports import custom_cells, values
from chassis.kit.imports.adapter import LineRefused, Part, Target, Terms
from chassis.kit.imports.reading import Unreadable
from chassis.kit.imports.values import WrongValue
from chassis.kit.resource import Resource
from chassis.rpc import shape
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.deals.v1 import product_pb2
from services.deals import errors, import_fields, store
from services.deals.rules import products as rules
from services.deals.store import imports as keys
from services.deals.store.products import product_families, sku_key, tax_classes

Product = product_pb2.Product

_SKU, _EXTERNAL = "sku:", "ext:"
Put = Callable[[Terms, Product, str], None]


class Products:
    """What is sold."""

    plural = "products"
    resource: Resource[Any] = store.products
    resources: Sequence[Resource[Any]] = (store.products,)
    links: Mapping[str, str] = {}
    columns_beside: Sequence[str] = ()

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.with_custom(import_fields.PRODUCT, custom)

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        families = await keys.all_of(tx, product_families)
        taxes = await keys.all_of(tx, tax_classes)
        return {
            "families": {search_key(family.name): family.id for family in families},
            "taxes": {search_key(said): tax.id for tax in taxes for said in (tax.name, tax.key)},
        }

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        product, wrong = Product(), list[str]()
        for _, target, cell in values:
            try:
                _fill(terms, product, target, cell)
            except WrongValue as error:
                wrong.append(f"{target}: {error}")
        if not product.sku.strip():
            wrong.append("sku: is required; map the column with the numbers of the products")
        if wrong:
            raise LineRefused("; ".join(wrong))
        return [Part(self.resource, product, tuple(_keys(product)))]

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        _unite(message, part.wish, overwrite=terms.overwrites or not existing)
        if not existing:
            missing = [
                key for key, known in terms.custom.items() if known.required and key not in message.custom
            ]  # fmt: skip
            if missing:
                raise LineRefused("; ".join(f"custom.{key} is required" for key in missing))
        rules.normalise_product(message)
        shape.check(message, writes=True)

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Any, message: Any) -> list[str]:
        return _keys(message)

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"product/{key}" for key in keys]

    async def holders(self, tx: Tx, resource: Any, keys_: Sequence[str]) -> list[bytes]:
        skus = [key.removeprefix(_SKU) for key in keys_ if key.startswith(_SKU)]
        ids = [key.removeprefix(_EXTERNAL) for key in keys_ if key.startswith(_EXTERNAL)]
        return await keys.products_with(tx, skus, ids)

    async def former(self, tx: Tx, resource: Any, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {}

    async def survivors(self, tx: Tx, resource: Any, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    # -- what goes with a write ------------------------------------------------------------------

    async def written(self, tx: Tx, resource: Any, changes: Sequence[tuple[Any, bytes]]) -> None:
        """Nothing is kept beside products."""

    async def undone(self, tx: Tx) -> None:
        """Nothing more."""

    async def referred(
        self, tx: Tx, resource: Any, ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return {}  # lines say what they say without their product too, as with a product that is deleted by hand

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        raise Unreadable("cards hold people and no products; import them as contacts")

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        single = [t.path for t in import_fields.PRODUCT if t.path != "external_id"]
        return [*single, *(f"custom.{field.key}" for field in custom)]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        found = {name: [getattr(message, name)] for name in _TEXTS}
        found |= {
            "family": [names["families"].get(message.family_id, "")],
            "tax_class": [names["taxes"].get(message.tax_class_id, "")],
            "unit_cost": [message.unit_cost],
            "cost_currency": [message.cost_currency],
            "retired": ["yes" if message.retired else "no"],
            "external_ids": custom_cells.external_id_cells(message),
        }
        found |= custom_cells.custom_cells(message)
        return {target: [text for text in texts if text] for target, texts in found.items()}

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        return {
            "families": {each.id: each.name for each in await keys.all_of(tx, product_families)},
            "taxes": {each.id: each.key for each in await keys.all_of(tx, tax_classes)},
        }

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return {}

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        raise errors.NoCards


# -- pure ------------------------------------------------------------------------------------------

_TEXTS = ("sku", "name", "description", "unit")


def _keys(product: Product) -> list[str]:
    return [
        f"{_SKU}{sku_key(product.sku)}",
        *(f"{_EXTERNAL}{each.system}:{each.id}" for each in product.external_ids),
    ]


def _fill(terms: Terms, product: Product, target: str, cell: str) -> None:
    if target.startswith("custom."):
        custom_cells.put_custom(terms, product, target.removeprefix("custom."), cell)
    elif target in _TEXTS:
        setattr(product, target, cell)
    else:
        _PUT[target](terms, product, cell)


def _put_known(field: str, fact: str, noun: str) -> Put:
    def put(terms: Terms, product: Product, cell: str) -> None:
        id = terms.facts[fact].get(search_key(cell))
        if id is None:
            raise WrongValue(f"there is no {noun} {cell!r}; create it or leave it out")
        setattr(product, field, id)

    return put


def _put_cost(terms: Terms, product: Product, cell: str) -> None:
    product.unit_cost = values.parse_decimal(cell, comma=terms.imported.options.decimal_comma)


def _put_currency(terms: Terms, product: Product, cell: str) -> None:
    product.cost_currency = cell.strip().upper()  # whether there is one is said by the rules


def _put_retired(terms: Terms, product: Product, cell: str) -> None:
    product.retired = values.parse_yes_no(cell)


_PUT: dict[str, Put] = {
    "family": _put_known("family_id", "families", "product family"),
    "tax_class": _put_known("tax_class_id", "taxes", "tax class"),
    "unit_cost": _put_cost,
    "cost_currency": _put_currency,
    "retired": _put_retired,
    "external_id": custom_cells.put_external_id,
    "external_ids": lambda terms, product, cell: custom_cells.put_external_ids(product, cell),
}


def _unite(product: Product, wish: Product, *, overwrite: bool) -> None:
    for field, value in wish.ListFields():
        name = field.name
        if name == "custom":
            for key, item in value.items():
                if overwrite or key not in product.custom:
                    product.custom[key].CopyFrom(item)
        elif name == "external_ids":
            known = {each.system for each in product.external_ids}
            product.external_ids.extend(each for each in value if each.system not in known)
        elif overwrite or not getattr(product, name):
            setattr(product, name, value)
