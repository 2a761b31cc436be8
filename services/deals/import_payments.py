"""Payments of the past as the kit's imports see them: money that came in before, for a deal or from somebody.

They pay no invoice: what was invoiced before stands in the books. A deal shows what was paid for it; nothing else follows.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports import moments, named_keys, values
from chassis.kit.imports.adapter import LineRefused, Part, Target, Terms
from chassis.kit.imports.custom_cells import DEFAULT_SYSTEM
from chassis.kit.imports.moments import Said
from chassis.kit.imports.named import ID, Ref
from chassis.kit.imports.reading import Unreadable
from chassis.kit.imports.values import WrongValue
from chassis.kit.resource import Resource
from chassis.rpc import shape
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from crm.deals.v1 import deal_pb2, payment_pb2
from services.deals import (
    errors,
    import_fields,
    import_parties,
    payments,
    people,
    store,
)
from services.deals.rules import payments as rules
from services.deals.store import imports as keys
from services.deals.store.deals import readers

Deal = deal_pb2.Deal
Payment = payment_pb2.Payment

_OF_FILES = "import:"
"""Begins the provider key of payments from files: the number of one is taken once."""
_WAYS = {
    "BANK": "bank transfer, transfer, przelew, transfer bank, pindahan bank", "CASH": "gotówka, tunai",
    "CARD": "credit card, karta, kartu, kad", "OTHER": "inny, inne, lainnya, lain",
}  # fmt: skip
_WAY_OF = {
    search_key(word): Payment.Way.Value(f"WAY_{key}")
    for key, text in _WAYS.items()
    for word in (key, *text.split(", "))
}
_TEXTS = ("reference", "payer_name", "payer_account", "note")


@dataclass(slots=True)
class _Draft:
    payment: Payment = field(default_factory=Payment)
    time: Said | None = None
    deal: str = ""
    contact: list[str] = field(default_factory=list)
    company: list[str] = field(default_factory=list)


Put = Callable[[Terms, _Draft, int, str], None]


class Payments:
    """Money that came in before."""

    plural = "payments"
    resource: Resource[Any] = store.payments
    resources: Sequence[Resource[Any]] = (store.payments,)
    links: Mapping[str, str] = {}
    columns_beside: Sequence[str] = ()

    def targets(self, custom: Iterable[Any]) -> list[Target]:
        return import_fields.PAYMENT

    async def facts(self, tx: Tx, imported: pb.Import) -> dict[str, Any]:
        return {
            "tenant": tx.tenant,
            "zone": people.zone_of(tx),
            "currency": people.currency_of(tx),
            "homes": {id: people.home_of(tx, id) for id in tx.directory.users()},
        }

    # -- a line -------------------------------------------------------------------------------

    def parts(self, terms: Terms, values: Sequence[tuple[int, str, str]]) -> list[Part]:
        draft, wrong = _Draft(), list[str]()
        for column, target, cell in values:
            try:
                _PUT[target](terms, draft, column, cell)
            except WrongValue as error:
                wrong.append(f"{target}: {error}")
        if not wrong and draft.time is None:
            wrong.append("time: is required; map the column that says when it was paid")
        if draft.deal and terms.skips:
            wrong.append("deal: cannot be looked up while matches are skipped")
        if wrong:
            raise LineRefused("; ".join(wrong))
        _complete(terms, draft)
        parts = import_parties.references(terms, draft.payment, draft.contact, draft.company)
        link = import_parties.link_to(parts)
        if draft.deal:
            parts.append(Part(store.deals, draft.payment, (draft.deal,)))
        return [*parts, Part(self.resource, draft.payment, (_key(draft.payment),), link)]

    def fit(self, terms: Terms, part: Part, message: Any, *, existing: bool) -> None:
        if isinstance(message, Ref):
            import_parties.refer(part, message, existing=existing)
        elif isinstance(message, Deal):
            _belong(part, message, existing=existing)
        elif existing:
            _change(terms, message, part.wish)
        else:
            _begin(terms, message, part.wish)

    # -- keys ---------------------------------------------------------------------------------

    def keys_of(self, terms: Terms, resource: Any, message: Any) -> list[str]:
        if isinstance(message, Ref):
            return list(message.keys)
        if isinstance(message, Payment):
            return [_key(message)]
        return [f"id:{message.id}", *(f"ext:{e.system}/{e.id}" for e in message.external_ids)]

    def lock_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"payment-of-file {key}" for key in keys]

    async def holders(self, tx: Tx, resource: Any, keys_: Sequence[str]) -> list[bytes]:
        if resource in import_parties.PARTIES:
            return await import_parties.found(tx, resource.object, keys_)
        if resource is store.payments:
            return await keys.payments_with(tx, keys_)
        ids = [key.removeprefix("id:") for key in keys_ if key.startswith("id:")]
        named = [key.removeprefix("ext:").replace("/", ":", 1) for key in keys_ if key.startswith("ext:")]  # fmt: skip
        return await keys.deals_known(tx, ids, named)

    async def former(self, tx: Tx, resource: Any, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {}

    async def survivors(self, tx: Tx, resource: Any, ids: Sequence[str]) -> Mapping[str, str]:
        return {}

    # -- what goes with a write ------------------------------------------------------------------

    async def written(self, tx: Tx, resource: Any, changes: Sequence[tuple[Any, bytes]]) -> None:
        for payment, doc in changes:
            if not doc:
                await payments.settle(tx, None, payment, at=to_datetime(payment.time))
            elif payment.HasField("delete_time"):
                await payments.settle(tx, Payment.FromString(doc), None, at=tx.now)
            await tx.flush()  # the next one may be for the same deal

    async def undone(self, tx: Tx) -> None:
        """Nothing more."""

    async def referred(
        self, tx: Tx, resource: Any, ids: Sequence[str], import_id: str
    ) -> dict[str, str]:
        return {}  # what pays an invoice or was paid back since has changed, and edited ones stay

    # -- files --------------------------------------------------------------------------------

    def read_cards(self, path: Path, encoding: str) -> Iterator[list[str]]:
        raise Unreadable("cards hold people and no payments; import them as contacts")

    def export_columns(self, custom: Iterable[Any]) -> list[str]:
        return [t.path for t in import_fields.PAYMENT if not t.path.startswith("contact.")]

    def cells(
        self, message: Any, names: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, list[str]]:
        found = {name: [getattr(message, name)] for name in (*_TEXTS, "amount", "currency")}
        found |= {
            "time": [moments.written(to_datetime(message.time))],
            "way": [Payment.Way.Name(message.way).removeprefix("WAY_").lower()],
            "deal": [message.deal_id],
            "contact": [message.contact_id],
            "company": [message.company_id],
        }
        return {target: [text for text in texts if text] for target, texts in found.items()}

    async def names(self, tx: Tx, messages: Sequence[Any]) -> dict[str, dict[str, str]]:
        return {}

    async def beside(
        self, tx: Tx, ids: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, Mapping[str, list[str]]]:
        return {}

    def card(self, message: Any, names: Mapping[str, Mapping[str, str]]) -> str:
        raise errors.NoCards


# -- pure ------------------------------------------------------------------------------------------


def _key(payment: Payment) -> str:
    return f"{payment.provider_key}:{payment.provider_event_id}"


def _complete(terms: Terms, draft: _Draft) -> None:
    """When it was paid, and by what it is known."""
    payment = draft.payment
    assert draft.time is not None
    at = draft.time.past(terms.facts["zone"], terms.now)
    payment.time.CopyFrom(to_timestamp(at))
    system = terms.imported.options.external_system or DEFAULT_SYSTEM
    payment.provider_key = f"{_OF_FILES}{system}"
    if not payment.provider_event_id:
        said = [
            payment.amount, payment.currency, str(draft.time), payment.reference, payment.payer_name, draft.deal,
            *draft.contact, "|", *draft.company,
        ]  # fmt: skip
        text = "\n".join([terms.facts["tenant"], *said])
        payment.provider_event_id = hashlib.sha256(text.encode()).hexdigest()[:40]


def _belong(part: Part, deal: Deal, *, existing: bool) -> None:
    """A payment for a deal is read by who reads it, and is in its currency."""
    payment = part.wish
    if not existing:
        said = part.keys[0].partition(":")[2]
        raise LineRefused(f"deal: there is none with the id {said}; import it first")
    if payment.currency and payment.currency != deal.currency:
        raise LineRefused(f"currency: is {payment.currency}, the deal is in {deal.currency}")
    payment.deal_id, payment.currency = deal.id, deal.currency
    payment.owner_id, payment.department_id = deal.owner_id, deal.department_id
    payment.follower_ids[:] = readers(deal)


def _begin(terms: Terms, payment: Payment, wish: Payment) -> None:
    id, contact_id, company_id = payment.id, payment.contact_id, payment.company_id
    payment.MergeFrom(wish)
    payment.id = id
    payment.contact_id, payment.company_id = contact_id or wish.contact_id, company_id or wish.company_id  # fmt: skip
    payment.currency = payment.currency or terms.facts["currency"]
    if not payment.deal_id:
        payment.owner_id = terms.imported.options.owner_id or terms.actor_user_id
        payment.department_id = terms.facts["homes"].get(payment.owner_id, "")
    rules.begin(payment, source=Payment.SOURCE_BY_HAND, by=terms.actor_user_id, at=terms.now)
    shape.check(payment, writes=True)


def _change(terms: Terms, payment: Payment, wish: Payment) -> None:
    """What was paid is a fact; what was written about it may be filled in."""
    before = Payment()
    before.CopyFrom(payment)
    for name in _TEXTS:
        if getattr(wish, name) and (terms.overwrites or not getattr(payment, name)):
            setattr(payment, name, getattr(wish, name))
    rules.keep_paid(payment, before)
    shape.check(payment, writes=True)


def _put_text(name: str) -> Put:
    def put(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
        setattr(draft.payment, name, cell)

    return put


def _put_time(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
    draft.time = moments.moment(cell, terms.date_orders.get(column, values.DMY))


def _put_amount(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
    draft.payment.amount = values.parse_decimal(cell, comma=terms.imported.options.decimal_comma)


def _put_currency(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
    draft.payment.currency = cell.strip().upper()  # whether there is one is said by the rules


def _put_way(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
    way = _WAY_OF.get(search_key(cell))
    if way is None:
        raise WrongValue(f"{cell!r} is none of bank, cash, card, other")
    draft.payment.way = way


def _put_deal(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
    """By its id here or elsewhere; a deal has no phone and no e-mail."""
    kind = ID if named_keys.is_id(cell) else named_keys.EXTERNAL
    draft.deal = named_keys.key_of_cell(terms, cell, kind)


def _put_party(list_name: str, kind: str = "") -> Put:
    def put(terms: Terms, draft: _Draft, column: int, cell: str) -> None:
        getattr(draft, list_name).append(named_keys.key_of_cell(terms, cell, kind))

    return put


_PUT: dict[str, Put] = {
    "time": _put_time,
    "amount": _put_amount,
    "currency": _put_currency,
    "way": _put_way,
    "deal": _put_deal,
    "contact": _put_party("contact"),
    "contact.phone": _put_party("contact", named_keys.PHONE),
    "contact.email": _put_party("contact", named_keys.EMAIL),
    "company": _put_party("company"),
    "external_id": _put_text("provider_event_id"),
    **{name: _put_text(name) for name in _TEXTS},
}
