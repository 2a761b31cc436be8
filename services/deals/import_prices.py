"""Price lists as the kit's imports and exports see them: each line is a price, and the lines that name one list become a draft.

What was imported is published by hand; an undo leaves lists that were.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports.adapter import LineRefused, Part, Target, Terms
from chassis.kit.imports.named_keys import is_id
from chassis.kit.imports.reading import Unreadable
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.deals.v1 import price_list_pb2
from services.deals import errors, import_fields, import_names, import_price_lines, people, store
from services.deals.import_price_lines import Draft, Priced, Span
from services.deals.rules import days
from services.deals.store import imports as keys
from services.deals.store.products import sku_key

PriceList = price_list_pb2.PriceList

_ID, _NAMED, _SKU = "id:", "list:", "sku:"


@dataclass(frozen=True, slots=True)
class _PricedProducts:
    """Stands where the kit expects a resource: lines refer to products and never write them."""

    object: str = "product"
    name: str = "priced_products"
    message: type[Priced] = Priced


PRICED: Any = _PricedProducts()


class PriceLists:
    """What products cost."""

    plural = "priceLists"
    resource: Resource[Any] = store.price_lists
    resources: Sequence[Resource[Any]] = (store.price_lists,)
    links: Mapping[str, str] = {}
    columns_beside: Sequence[str] = ()

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.PRICE

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        return {"currency": people.currency_of(tx), "told": {}, **await import_names.facts(tx)}

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        draft = import_price_lines.read(terms, list(values))
        product = Part(PRICED, draft, (f"{_SKU}{sku_key(draft.sku)}",))
        of_list = [_named(draft.entry, dated=draft.entry.HasField("from_date"))]
        if is_id(draft.list_id):
            of_list.insert(0, f"{_ID}{draft.list_id}")
        return [product, Part(self.resource, draft, tuple(of_list))]

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        draft: Draft = part.wish
        if isinstance(message, Priced):
            if not existing:
                raise LineRefused(f"sku: there is no product {draft.sku!r}; import it first")
            draft.product, draft.price.product_id = message, message.id
        elif existing:
            import_price_lines.add(terms, message, draft)
        else:
            import_price_lines.begin(terms, message, draft)

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Any, message: Any) -> list[str]:
        if isinstance(message, Priced):
            return [f"{_SKU}{sku_key(message.sku)}"]
        # A line without a day means the list of that name, whenever it begins.
        dated = [_named(message, dated=True)] if message.HasField("from_date") else []
        return [f"{_ID}{message.id}", *dated, _named(message, dated=False)]

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"price-list {key}" for key in keys]

    async def holders(self, tx: Tx, resource: Any, keys_: Sequence[str]) -> list[bytes]:
        if resource is PRICED:
            return await _priced(tx, [key.removeprefix(_SKU) for key in keys_])
        ids = [key.removeprefix(_ID) for key in keys_ if key.startswith(_ID)]
        names = [key.split("|", 3)[3] for key in keys_ if key.startswith(_NAMED)]
        return await keys.price_lists_with(tx, ids, names)

    async def former(self, tx: Tx, resource: Any, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {}

    async def survivors(self, tx: Tx, resource: Any, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    # -- what goes with a write ------------------------------------------------------------------

    async def written(self, tx: Tx, resource: Any, changes: Sequence[tuple[Any, bytes]]) -> None:
        """Nothing is kept beside drafts."""

    async def undone(self, tx: Tx) -> None:
        """Nothing more."""

    async def referred(
        self, tx: Tx, resource: Any, ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return {}  # what was published since has changed, and edited ones stay

    def fixed(self, message: Any) -> str:
        published = message.state == PriceList.STATE_PUBLISHED
        return (
            "it is published, and keeps its prices; make a new version of it" if published else ""
        )

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        raise Unreadable("cards hold people and no prices; import them as contacts")

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        return [target.path for target in import_fields.PRICE]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        """What every line of the list says."""
        found = {
            "list_id": [message.id],
            "name": [message.name],
            "group": [message.group],
            "currency": [message.currency],
            "tax_included": ["yes" if message.tax_included else "no"],
            "from_date": [_written(message, "from_date")],
            "until_date": [_written(message, "until_date")],
            "party": [import_price_lines.party_name(message.party)],
            "labels": import_names.label_cells(message, names),
        }
        return {target: [text for text in texts if text] for target, texts in found.items()}

    def lines(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Iterable[Mapping[str, list[str]]]:
        shared = self.cells(message, names)
        for price in message.prices:
            sku = names["products"].get(price.product_id, "")
            own = {"sku": sku, "unit_price": price.unit_price, "from_quantity": price.from_quantity}
            yield {**shared, **{target: [text] for target, text in own.items() if text}}

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        sold = {price.product_id for message in messages for price in message.prices}
        found = await store.products.find_many(tx, sorted(sold))
        return {
            "products": {product.id: product.sku for product in found},
            **await import_names.names(tx),
        }

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return {}

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        raise errors.NoCards


def _named(entry: PriceList, *, dated: bool) -> str:
    """Lists are told apart by group, currency, first day and name."""
    begins = _written(entry, "from_date") if dated else ""
    return f"{_NAMED}{entry.group}|{entry.currency}|{begins}|{search_key(entry.name)}"


def _written(entry: PriceList, field: str) -> str:
    day = days.day_of(entry, field)
    return day.isoformat() if day is not None else ""


async def _priced(tx: Tx, sku_keys: Sequence[str]) -> list[bytes]:
    sold = await keys.sold(tx, sku_keys)
    spans: dict[str, list[Span]] = {}
    for row, name in await keys.published(tx, [product.id for product in sold]):
        span = Span(str(row["list_id"]), name, row["list_group"], row["currency"], row["from_date"], row["until_date"])  # fmt: skip
        spans.setdefault(str(row["product_id"]), []).append(span)
    return [Priced(each.id, each.sku, tuple(spans.get(each.id, ()))).doc() for each in sold]
