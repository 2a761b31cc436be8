"""Deals as the kit's imports and exports see them: how a line becomes one, and what goes with it.

What a file tells of the past is history: nobody is told of it (events say cause import), no timer is set for it
(options.tell_missed_promises), and it counts for no plan and no commission (options.count_sales), unless the import says so. What is
promised by a day to come is watched as if somebody had typed it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports.adapter import Adapter, LineRefused, Part, Target, Terms
from chassis.kit.imports.named import Ref
from chassis.kit.imports.reading import Unreadable
from chassis.kit.imports.values import WrongValue
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.deals.v1 import deal_pb2
from services.deals import (
    converting,
    errors,
    import_cells,
    import_deals,
    import_fields,
    import_names,
    import_parties,
    people,
    promises,
    sales,
    store,
)
from services.deals.import_cells import Draft
from services.deals.import_payments import Payments
from services.deals.import_prices import PriceLists
from services.deals.import_products import Products
from services.deals.store import imports as keys

Deal = deal_pb2.Deal


class Deals:
    """Deals, open ones and such that have ended."""

    plural = "deals"
    resource: Resource[Any] = store.deals
    resources: Sequence[Resource[Any]] = (store.deals,)
    links: Mapping[str, str] = {}
    columns_beside: Sequence[str] = ()

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.with_custom(import_fields.DEAL, custom)

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        users = sorted(tx.directory.users().items(), key=lambda each: each[1]["state"] == "active")
        pipelines = await store.living_pipelines(tx)
        usual = (await store.settings_of(tx)).default_pipeline_id
        reasons: dict[str, dict[int, str]] = {}
        for reason in await keys.all_of(tx, store.deal_reasons):
            reasons.setdefault(search_key(reason.name), {})[reason.kind] = reason.id
        first = [each for each in pipelines if each.id == usual] or pipelines
        return {
            "tenant": tx.tenant,
            "users": {search_key(u[name]): id for name in ("name", "email") for id, u in users},
            "active": {id for id, u in users if u["state"] == "active"},
            "homes": {id: people.home_of(tx, id) for id, _ in users},
            "zone": people.zone_of(tx),
            "today": people.today_of(tx),
            "currency": people.currency_of(tx),
            "rates": await converting.known(tx),
            "pipelines": {search_key(said): p for p in pipelines for said in (p.name, p.key)},
            "pipeline_by_id": {p.id: p for p in pipelines},
            "pipeline": first[0].key if first else "",
            "reasons": reasons,
            **await import_names.facts(tx),
        }

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        draft, wrong = Draft(), list[str]()
        for column, target, cell in values:
            try:
                import_cells.fill(terms, draft, column, target, cell)
            except WrongValue as error:
                wrong.append(f"{target}: {error}")
        if not wrong:  # what follows from a wrong cell is no second mistake
            import_deals.complete(terms, draft, wrong)
        if wrong:
            raise LineRefused("; ".join(wrong))
        parts = import_parties.references(terms, draft.deal, draft.contact, draft.company)
        link = import_parties.link_to(parts)
        return [*parts, Part(self.resource, draft.deal, tuple(_keys(draft.deal)), link)]

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        if isinstance(message, Ref):
            import_parties.refer(part, message, existing=existing)
        elif existing:
            import_deals.change(terms, message, part.wish)
        else:
            import_deals.begin(terms, message, part.wish)

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Any, message: Any) -> list[str]:
        return list(message.keys) if isinstance(message, Ref) else _keys(message)

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"deal/{key}" for key in keys]

    async def holders(self, tx: Tx, resource: Any, keys_: Sequence[str]) -> list[bytes]:
        if resource in import_parties.PARTIES:
            return await import_parties.found(tx, resource.object, keys_)
        return await keys.deals_with(tx, [key.replace("/", ":", 1) for key in keys_])

    async def former(self, tx: Tx, resource: Any, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {}

    async def survivors(self, tx: Tx, resource: Any, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    # -- what goes with a write ------------------------------------------------------------------

    async def written(self, tx: Tx, resource: Any, changes: Sequence[tuple[Any, bytes]]) -> None:
        made = [deal for deal, doc in changes if not doc]
        gone = [deal.id for deal, _ in changes if deal.HasField("delete_time")]
        await keys.add_stays(tx, [(deal, import_deals.stays(deal)) for deal in made])
        if gone:
            await keys.drop_stays(tx, gone)
        imported = await keys.imports.find(tx, tx.cause.id)
        options = imported.options if imported is not None else pb.ImportOptions()
        await converting.fill_written(tx, [deal for deal, _ in changes])
        counts, tells_missed = options.count_sales, options.tell_missed_promises
        for deal, doc in changes:
            old = Deal.FromString(doc) if doc else None
            await sales.follow_deal(tx, deal, old, counts=counts if old is None else None)
            await promises.follow(tx, deal, old, tells_missed=tells_missed)

    async def undone(self, tx: Tx) -> None:
        """Nothing more."""

    async def referred(
        self, tx: Tx, resource: Any, ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return await keys.named_by(tx, ids)

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        raise Unreadable("cards hold people and no deals; import them as contacts")

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        single = [
            t.path for t in import_fields.DEAL if t.path != "external_id" and not t.path.startswith("contact.")
        ]  # fmt: skip
        return [*single, *(f"custom.{field.key}" for field in custom)]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        return import_cells.cells(message, names)

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        pipelines = await store.living_pipelines(tx)
        reasons = await keys.all_of(tx, store.deal_reasons)
        return {
            "pipelines": {pipeline.id: pipeline.key for pipeline in pipelines},
            "stages": {stage.id: stage.key for pipeline in pipelines for stage in pipeline.stages},
            "reasons": {reason.id: reason.name for reason in reasons},
            "users": {id: u["email"] or u["name"] for id, u in tx.directory.users().items()},
            **await import_names.names(tx),
        }

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return {}

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        raise errors.NoCards


ADAPTERS: Mapping[str, Adapter] = {
    "deals": Deals(), "payments": Payments(), "priceLists": PriceLists(), "products": Products(),
}  # fmt: skip


def _keys(deal: Deal) -> list[str]:
    return [f"{each.system}/{each.id}" for each in deal.external_ids]
