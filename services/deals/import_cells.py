"""Cells as what a line says of a deal, and back: what each target of `import_fields` puts into the draft and shows of a deal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.type.date_pb2 import Date

from chassis.fold import search_key
from chassis.kit.imports import custom_cells, moments, named_keys, values
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.moments import Said
from chassis.kit.imports.values import WrongValue
from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2
from services.deals import import_names
from services.deals.money import currencies

Deal = deal_pb2.Deal

_STATES = {
    "OPEN": "new, in progress, active, otwarta, otwarte, w toku, aktywna, terbuka, buka, berjalan, aktif",
    "WON": "closed won, success, sold, wygrana, wygrane, sprzedane, menang, berhasil, berjaya",
    "LOST": "closed lost, failed, dead, przegrana, przegrane, utracona, stracona, kalah, gagal",
}


@dataclass(slots=True)
class Draft:
    """What a line says, before names are looked up in the deal's pipeline and times are put in order."""

    deal: Deal = field(default_factory=Deal)
    pipeline: str = ""
    stage: str = ""
    stages: list[tuple[str, Said]] = field(default_factory=list)
    reason: str = ""
    end_note: str = ""
    competitor: str = ""
    created: Said | None = None
    ended: Said | None = None
    promised: Said | None = None
    promise_kept: Said | None = None
    contact: list[str] = field(default_factory=list)
    company: list[str] = field(default_factory=list)


Put = Callable[[Terms, Draft, int, str], None]


def fill(terms: Terms, draft: Draft, column: int, target: str, cell: str) -> None:
    """Puts a cell into the draft; WrongValue if it cannot be such a value."""
    if target.startswith("custom."):
        custom_cells.put_custom(terms, draft.deal, target.removeprefix("custom."), cell)
    else:
        _PUT[target](terms, draft, column, cell)


def state_name(deal: Deal) -> str:
    """The state as files say it."""
    return Deal.State.Name(deal.state).removeprefix("STATE_").lower() if deal.state else ""


def _put_said(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        setattr(draft, name, cell)

    return put


def _put_moment(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        order = terms.date_orders.get(column, values.DMY)
        setattr(draft, name, moments.moment(cell, order))

    return put


def _put_title(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.deal.title = cell


_STATE_WORDS = {
    search_key(word): Deal.State.Value(f"STATE_{key}")
    for key, text in _STATES.items()
    for word in (key, *text.split(", "))
}


def _put_state(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    state = _STATE_WORDS.get(search_key(cell))
    if state is None:
        raise WrongValue(f"{cell!r} is none of open, won, lost")
    draft.deal.state = state


def _put_promise_text(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.deal.promise.text = cell


def _put_amount(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.deal.amount = values.parse_decimal(cell, comma=terms.imported.options.decimal_comma)


def _put_currency(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    code = cell.strip().upper()
    if not currencies.is_known(code):
        raise WrongValue(f"{cell!r} is no currency; write its code, e.g. EUR")
    draft.deal.currency = code


def _put_expected(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    year, month, day = values.parse_date(cell, terms.date_orders.get(column, values.DMY))
    draft.deal.expected_close_date.CopyFrom(Date(year=year, month=month, day=day))


def _put_owner(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    id = terms.facts["users"].get(search_key(cell))
    if id is None:
        raise WrongValue(f"there is no user {cell!r}; create it or leave it out")
    draft.deal.owner_id = id


def _put_labels(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    said = import_names.labels(terms, cell)
    draft.deal.label_ids.extend(id for id in said if id not in draft.deal.label_ids)


def _put_source(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.deal.source_id = import_names.source(terms, cell)


def _put_stage_dates(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    order = terms.date_orders.get(column, values.DMY)
    for text in cell.replace("\n", ";").split(";"):
        stage, equals, when = text.partition("=")
        if text.strip() and not (equals and stage.strip() and when.strip()):
            raise WrongValue(f"{text.strip()!r} is not written as stage=date")
        if text.strip():
            draft.stages.append((stage.strip(), moments.moment(when.strip(), order)))


def _put_external_id(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    custom_cells.put_external_id(terms, draft.deal, cell)


def _put_external_ids(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    custom_cells.put_external_ids(draft.deal, cell)


def _put_party(list_name: str, kind: str = "") -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        getattr(draft, list_name).append(named_keys.key_of_cell(terms, cell, kind))

    return put


_PUT: dict[str, Put] = {
    "title": _put_title,
    "pipeline": _put_said("pipeline"),
    "stage": _put_said("stage"),
    "state": _put_state,
    "amount": _put_amount,
    "currency": _put_currency,
    "expected_close_date": _put_expected,
    "created": _put_moment("created"),
    "ended": _put_moment("ended"),
    "reason": _put_said("reason"),
    "competitor": _put_said("competitor"),
    "end_note": _put_said("end_note"),
    "promised": _put_moment("promised"),
    "promise_text": _put_promise_text,
    "promise_kept": _put_moment("promise_kept"),
    "stage_dates": _put_stage_dates,
    "owner": _put_owner,
    "labels": _put_labels,
    "source": _put_source,
    "contact": _put_party("contact"),
    "contact.external_id": _put_party("contact", named_keys.EXTERNAL),
    "contact.phone": _put_party("contact", named_keys.PHONE),
    "contact.email": _put_party("contact", named_keys.EMAIL),
    "company": _put_party("company"),
    "external_id": _put_external_id,
    "external_ids": _put_external_ids,
}


# -- and back ----------------------------------------------------------------------------------


def cells(deal: Deal, names: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """The deal's cells by target; `names` are those of pipelines, stages, reasons, users, labels and sources by id."""
    ending, day, promise = deal.ending, deal.expected_close_date, deal.promise
    began = deal.request_time if deal.HasField("request_time") else deal.create_time
    found = {
        "title": [deal.title],
        "pipeline": [names["pipelines"].get(deal.pipeline_id, "")],
        "stage": [names["stages"].get(deal.stage_id, "")],
        "state": [state_name(deal)],
        "amount": [deal.amount],
        "currency": [deal.currency],
        "expected_close_date": [f"{day.year:04}-{day.month:02}-{day.day:02}" if day.year else ""],
        "created": [_written(began)],
        "ended": [_written(ending.time) if ending.HasField("time") else ""],
        "reason": [names["reasons"].get(ending.reason_id, "")],
        "competitor": [ending.competitor],
        "end_note": [ending.note],
        "promised": [_written(promise.time) if promise.HasField("time") else ""],
        "promise_text": [promise.text],
        "promise_kept": [_written(promise.kept_time) if promise.HasField("kept_time") else ""],
        "stage_dates": ["; ".join(_stages(deal, names["stages"]))],
        "owner": [names["users"].get(deal.owner_id, "")],
        "labels": import_names.label_cells(deal, names),
        "source": [names["sources"].get(deal.source_id, "")],
        "contact": [deal.contact_id],
        "company": [deal.company_id],
        "external_ids": custom_cells.external_id_cells(deal),
    }
    found |= custom_cells.custom_cells(deal)
    return {target: [text for text in texts if text] for target, texts in found.items()}


def _stages(deal: Deal, names: Mapping[str, str]) -> list[str]:
    stays = [(each.stage_id, each.enter_time) for each in deal.past_stays]
    stays.append((deal.stage_id, deal.stage_time))
    return [f"{names.get(id, id)}={_written(at)}" for id, at in stays]


def _written(stamp: Any) -> str:
    return moments.written(to_datetime(stamp))
