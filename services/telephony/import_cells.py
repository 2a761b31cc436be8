"""Cells as what a line says of a call, and back: what each target of `import_fields` puts into the draft and shows of a call."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.fold import search_key
from chassis.kit.imports import moments, values
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.moments import Said
from chassis.kit.imports.values import WrongValue
from chassis.times import to_datetime
from crm.telephony.v1 import call_pb2
from services.telephony.rules.catalogues import international

Call = call_pb2.Call

LONGEST_S = 86_400
"""A call that is said to be longer than a day is taken for a mistake."""
_DIRECTIONS = {
    "INBOUND": "in, incoming, received, przychodzące, przychodząca, przychodzacy, masuk, panggilan masuk",
    "OUTBOUND": "out, outgoing, placed, dialed, dialled, wychodzące, wychodząca, wychodzacy, keluar, panggilan keluar",
    "INTERNAL": "wewnętrzne, wewnętrzna, dalam, dalaman",
}
_OUTCOMES = {
    "ANSWERED": "completed, connected, ok, talked, odebrane, odebrana, zakończone, zrealizowane, terjawab, dijawab, tersambung, selesai",
    "TRANSFERRED": "forwarded, przekazane, przekazana, dialihkan, dipindahkan",
    "MISSED": "unanswered, lost, nieodebrane, nieodebrana, tak terjawab, tidak terjawab, terlewat, tidak dijawab",
    "ABANDONED_IN_QUEUE": "abandoned, abandoned in queue, porzucone, porzucona, ditinggalkan, ditutup pemanggil",
    "BUSY": "zajęte, zajęty, sibuk",
    "NO_ANSWER": "no answer, noanswer, brak odpowiedzi, tiada jawapan, tidak ada jawaban",
    "NOT_CONNECTED": "failed, not connected, congestion, nieudane, błąd, gagal",
}
_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2})")


@dataclass(slots=True)
class Draft:
    """What a line says, before anybody knows in whose zone its time is."""

    call: Call = field(default_factory=Call)
    start: Said | None = None
    seconds: int | None = None


Put = Callable[[Terms, Draft, int, str], None]


def fill(terms: Terms, draft: Draft, column: int, target: str, cell: str) -> None:
    """Puts a cell into the draft; WrongValue if it cannot be such a value."""
    _PUT[target](terms, draft, column, cell)


def _put_choice(name: str, enum: Any, words: Mapping[str, str]) -> Put:
    prefix = f"{name.upper()}_"
    known = {
        search_key(word.replace("_", " ")): enum.Value(prefix + key)
        for key, text in words.items()
        for word in (key, *text.split(", "))
    }

    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        number = known.get(search_key(cell.replace("_", " ")))
        if number is None:
            names = ", ".join(key.lower().replace("_", " ") for key in words)
            raise WrongValue(f"{cell!r} is none of {names}")
        setattr(draft.call, name, number)

    return put


def _put_number(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    number = international(cell, terms.region)
    if not values.looks_like("phone", number):
        raise WrongValue(f"{cell!r} is no number; write it with its country, e.g. +48 601 234 567")
    draft.call.number = number


def _put_start(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.start = moments.moment(cell, terms.date_orders.get(column, values.DMY))


def _put_duration(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    """Seconds, or minutes:seconds, or hours:minutes:seconds."""
    told = _CLOCK.fullmatch(cell.strip())
    if told is not None:
        hours, minutes, seconds = (int(part or 0) for part in told.groups())
        found = hours * 3600 + minutes * 60 + seconds
    else:
        found = values.parse_whole(cell, comma=terms.imported.options.decimal_comma)
    if not 0 <= found <= LONGEST_S:
        raise WrongValue(f"{cell!r} is not between 0 and {LONGEST_S} seconds")
    draft.seconds = found


def _put_known(name: str, fact: str, noun: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        id = terms.facts[fact].get(search_key(cell))
        if id is None and fact == "lines":
            id = terms.facts[fact].get(search_key(international(cell, terms.region)))
        if id is None:
            raise WrongValue(f"there is no {noun} {cell!r}; create it or leave it out")
        setattr(draft.call, name, id)

    return put


def _put_text(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        setattr(draft.call, name, cell)

    return put


_PUT: dict[str, Put] = {
    "direction": _put_choice("direction", Call.Direction, _DIRECTIONS),
    "number": _put_number,
    "start": _put_start,
    "duration": _put_duration,
    "outcome": _put_choice("outcome", Call.Outcome, _OUTCOMES),
    "agent": _put_known("owner_id", "agents", "user or extension"),
    "note": _put_text("note"),
    "line": _put_known("line_id", "lines", "line"),
    "external_id": _put_text("external_key"),
}


# -- and back ----------------------------------------------------------------------------------


def cells(call: Call, names: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """The call's cells by target; `names` are those of users and lines by id."""
    spoke = call.HasField("answer_time")
    found = {
        "direction": _word(Call.Direction, call.direction),
        "number": call.number,
        "start": moments.written(to_datetime(call.start_time)),
        "duration": str(call.talk_seconds if spoke else call.wait_seconds),
        "outcome": _word(Call.Outcome, call.outcome),
        "agent": names["users"].get(call.owner_id, ""),
        "note": call.note,
        "line": names["lines"].get(call.line_id, ""),
        "external_id": call.external_key,
    }
    return {target: [text] if text else [] for target, text in found.items()}


def _word(enum: Any, number: int) -> str:
    return enum.Name(number).partition("_")[2].lower().replace("_", " ") if number else ""
