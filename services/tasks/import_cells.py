"""Cells as what a line says of a task, and back: what each target of `import_fields` puts into the draft and shows of a task."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.fold import search_key
from chassis.kit.imports import custom_cells, values
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.custom_cells import DEFAULT_SYSTEM
from chassis.kit.imports.values import WrongValue
from chassis.times import to_datetime
from crm.tasks.v1 import task_pb2
from services.tasks import import_keys, recurrence

Task = task_pb2.Task

_TIME = re.compile(
    r"[T ,]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap]m)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_NOON = time(12)


@dataclass(frozen=True, slots=True)
class Said:
    """A day, or a moment on the clock of a zone that may be said too."""

    day: date
    clock: time | None = None
    offset: timezone | None = None

    def instant(self, zone: str) -> datetime:
        """The moment, read in `zone` where the cell names none; of a day alone, its noon."""
        clock = self.clock or _NOON
        if self.offset is not None:
            return datetime.combine(self.day, clock, self.offset).astimezone(UTC)
        return recurrence.at_wall(self.day, clock, ZoneInfo(zone))


@dataclass(slots=True)
class Draft:
    """What a line says, before anybody knows whose zone its times are in."""

    task: Task = field(default_factory=Task)
    outcome: str = ""
    due: Said | None = None
    done: Said | None = None
    contact: list[str] = field(default_factory=list)
    company: list[str] = field(default_factory=list)


Put = Callable[[Terms, Draft, int, str], None]


def fill(terms: Terms, draft: Draft, column: int, target: str, cell: str) -> None:
    """Puts a cell into the draft; WrongValue if it cannot be such a value."""
    if target.startswith("custom."):
        custom_cells.put_custom(terms, draft.task, target.removeprefix("custom."), cell)
    else:
        _PUT[target](terms, draft, column, cell)


def moment(cell: str, order: int) -> Said:
    """A day, perhaps with a time and an offset; WrongValue."""
    day = date(*values.parse_date(cell, order))
    told = _TIME.search(cell.strip())
    if told is None:
        if ":" in cell:
            raise WrongValue(
                f"{cell!r} has no time that can be read; write it like 2026-12-31 16:30"
            )
        return Said(day)
    hour, minute, second, half, offset = told.groups()
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    try:
        clock = time(hours, int(minute), int(second or 0))
    except ValueError:
        raise WrongValue(f"{cell!r} is no time of the clock") from None
    return Said(day, clock, _offset(offset))


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    if text in "Zz":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _put_moment(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        setattr(draft, name, moment(cell, terms.date_orders.get(column, values.DMY)))

    return put


def _put_text(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        setattr(draft.task, name, cell)

    return put


def _put_known(name: str, fact: str, noun: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        id = terms.facts[fact].get(search_key(cell))
        if id is None:
            raise WrongValue(f"there is no {noun} {cell!r}; create it or leave it out")
        setattr(draft.task, name, id)

    return put


def _put_choice(name: str, enum: Any, words: Mapping[str, str]) -> Put:
    prefix = f"{name.upper()}_"
    known = {search_key(key.removeprefix(prefix)): number for key, number in enum.items() if number}
    known |= {
        search_key(word): enum.Value(prefix + key) for key, text in words.items() for word in text.split(", ")
    }  # fmt: skip

    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        number = known.get(search_key(cell))
        if not number:
            names = ", ".join(key.removeprefix(prefix).lower() for key in enum.keys()[1:])
            raise WrongValue(f"{cell!r} is none of {names}")
        setattr(draft.task, name, number)

    return put


def _put_outcome(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.outcome = cell  # its type says which there are


def _put_minutes(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    comma = terms.imported.options.decimal_comma
    draft.task.estimated_minutes = values.parse_whole(cell, comma=comma)


def _put_external_id(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    custom_cells.put_external_id(terms, draft.task, cell)


def _put_external_ids(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    custom_cells.put_external_ids(draft.task, cell)


# -- whom it is for ----------------------------------------------------------------------------


def _put_party(list_name: str, kind: str = "") -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        getattr(draft, list_name).append(_party_key(terms, cell, kind or _kind_of(cell)))

    return put


def _kind_of(cell: str) -> str:
    """What a cell names a party by, where its header does not tell."""
    try:
        UUID(cell)
    except ValueError:
        if values.looks_like("email", cell):
            return import_keys.EMAIL
        return import_keys.PHONE if values.looks_like("phone", cell) else import_keys.EXTERNAL
    return import_keys.ID


def _party_key(terms: Terms, cell: str, kind: str) -> str:
    if kind == import_keys.EXTERNAL:
        system = terms.imported.options.external_system or DEFAULT_SYSTEM
        return f"{kind}:{cell if '/' in cell else f'{system}/{cell}'}"
    if kind == import_keys.PHONE:
        number = import_keys.phone(cell, terms.region)
        if not number:
            raise WrongValue(
                f"{cell!r} cannot be a phone; write it with the country code, e.g. +48 601 234 567"
            )
        return f"{kind}:{number}"
    return f"{kind}:{cell.strip().lower()}"


_PUT: dict[str, Put] = {
    "subject": _put_text("subject"),
    "description": _put_text("description"),
    "end_note": _put_text("end_note"),
    "type": _put_known("type_id", "types", "task type"),
    "owner": _put_known("owner_id", "users", "user"),
    "state": _put_choice(
        "state", Task.State,
        {"OPEN": "new, in progress, to do, not started, otwarte, nowe, w toku, do zrobienia, terbuka, baru, buka, berjalan",
         "DONE": "completed, closed, finished, zrobione, zakończone, wykonane, selesai, siap, tutup",
         "CANCELLED": "canceled, dropped, anulowane, odwołane, dibatalkan, batal, dibatal"},
    ),
    "priority": _put_choice(
        "priority", Task.Priority,
        {"LOW": "niski, niska, rendah", "NORMAL": "medium, normalny, średni, normalna, sedang, biasa",
         "HIGH": "important, wysoki, wysoka, ważne, tinggi, penting", "URGENT": "critical, pilny, pilne, mendesak, segera"},
    ),
    "due": _put_moment("due"),
    "done_time": _put_moment("done"),
    "outcome": _put_outcome,
    "estimated_minutes": _put_minutes,
    "contact": _put_party("contact"),
    "contact.external_id": _put_party("contact", import_keys.EXTERNAL),
    "contact.phone": _put_party("contact", import_keys.PHONE),
    "contact.email": _put_party("contact", import_keys.EMAIL),
    "company": _put_party("company"),
    "external_id": _put_external_id,
    "external_ids": _put_external_ids,
}  # fmt: skip


# -- and back ----------------------------------------------------------------------------------


def cells(task: Task, names: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """The task's cells by target; `names` are those of types and users by id."""
    found = {
        "subject": [task.subject],
        "type": [names["types"].get(task.type_id, "")],
        "state": [Task.State.Name(task.state).removeprefix("STATE_").lower() if task.state else ""],
        "priority": [
            Task.Priority.Name(task.priority).removeprefix("PRIORITY_").lower() if task.priority else ""
        ],
        "due": [_due(task)],
        "done_time": [_text(to_datetime(task.end_time)) if task.HasField("end_time") else ""],
        "outcome": [task.outcome],
        "end_note": [task.end_note],
        "owner": [names["users"].get(task.owner_id, "")],
        "contact": [task.contact_id],
        "company": [task.company_id],
        "description": [task.description],
        "estimated_minutes": [str(task.estimated_minutes or "")],
        "external_ids": custom_cells.external_id_cells(task),
    }  # fmt: skip
    found |= custom_cells.custom_cells(task)
    return {target: [text for text in texts if text] for target, texts in found.items()}


def _due(task: Task) -> str:
    if not task.HasField("due_time"):
        return ""
    due = to_datetime(task.due_time)
    if task.all_day:
        return due.astimezone(ZoneInfo(task.due_zone or "UTC")).date().isoformat()
    return _text(due)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
