"""Cells as what a line says of a task, and back: what each target of `import_fields` puts into the draft and shows of a task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from chassis.fold import search_key
from chassis.kit.imports import custom_cells, moments, named_keys, values
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.moments import Said
from chassis.kit.imports.values import WrongValue
from chassis.times import to_datetime
from crm.tasks.v1 import task_pb2

Task = task_pb2.Task


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


def _put_moment(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        setattr(draft, name, moments.moment(cell, terms.date_orders.get(column, values.DMY)))

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
        getattr(draft, list_name).append(named_keys.key_of_cell(terms, cell, kind))

    return put


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
    "contact.external_id": _put_party("contact", named_keys.EXTERNAL),
    "contact.phone": _put_party("contact", named_keys.PHONE),
    "contact.email": _put_party("contact", named_keys.EMAIL),
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
        "done_time": [moments.written(to_datetime(task.end_time)) if task.HasField("end_time") else ""],
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
    return moments.written(due)
