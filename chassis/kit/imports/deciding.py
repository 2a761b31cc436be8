"""What becomes of a line: the one rule that the plan and the run share.

A line finds a record by the first of its keys that one has, in the database or among the lines before; else it makes one.
Decisions touch nothing but the `Book`; a line is entered whole or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis import errors
from chassis.kit.imports import store
from chassis.kit.imports.adapter import Adapter, LineRefused, Part, Terms
from chassis.rights import Rights
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

CREATED, UPDATED = pb.IMPORT_OUTCOME_CREATED, pb.IMPORT_OUTCOME_UPDATED
UNCHANGED, DUPLICATE = pb.IMPORT_OUTCOME_UNCHANGED, pb.IMPORT_OUTCOME_DUPLICATE
FAILED = pb.IMPORT_OUTCOME_FAILED
_LONGEST_REASON = 2_000
_PLACES = 8
"""Places in the order of writing that each line has: half of them for its parts, half for parts that are decided anew."""


@dataclass(slots=True)
class Line:
    """A line of the file, what it says, and what becomes of it."""

    line: int
    cells: list[str]
    parts: list[Part] = field(default_factory=list)
    reason: str = ""
    outcome: int = 0
    record_id: str = ""
    linked_id: str = ""


@dataclass(slots=True)
class Entry:
    """A record as it would be after the lines so far. `base_version` is what it replaces, 0 for a new one."""

    resource: "Resource[Any]"
    message: Any
    base_version: int
    line: int = 0
    seq: int = 0
    base_doc: bytes = b""
    link: str = ""
    """The record of an earlier part that it was planned to refer to."""
    changed: bool = False
    of_file: bool = False
    """True if an earlier line of the file made or changed it."""


class Book:
    """The records that a batch of lines may find, and what the lines make of them."""

    def __init__(
        self, adapter: Adapter, terms: Terms, rights: Rights, *, anew: bool = False
    ) -> None:
        self.adapter, self.terms, self.rights = adapter, terms, rights
        self.entries: dict[str, Entry] = {}
        self.holders: dict[str, str] = {}
        self.new_keys: dict[str, str] = {}
        self.first_place = _PLACES // 2 if anew else 0

    @property
    def changed(self) -> list[Entry]:
        """What is to be kept or written, in the order of the file."""
        return sorted((e for e in self.entries.values() if e.changed), key=lambda e: e.seq)

    async def open(self, tx: Tx, import_id: str, lines: Iterable[Line], *, planned: bool) -> None:
        """Reads every record that the lines may find: in the database and, with `planned`, among the lines before."""
        wanted: dict[str, tuple[Resource[Any], dict[str, None]]] = {}
        for part in (part for line in lines for part in line.parts):
            wanted.setdefault(part.resource.name, (part.resource, {}))[1].update(
                dict.fromkeys(part.keys)
            )
        for resource, keys in wanted.values():
            for doc in await self.adapter.holders(tx, resource, list(keys)):
                self._know(resource, doc, keys)
            free = [key for key in keys if _key(resource, key) not in self.holders]
            for key, doc in (await self.adapter.former(tx, resource, free)).items():
                self._know(resource, doc, {})
                self.holders[_key(resource, key)] = str(resource.message.FromString(doc).id)
        if planned:
            named = [_key(r, key) for r, keys in wanted.values() for key in keys]
            await self._open_planned(tx, import_id, named)

    def _know(self, resource: "Resource[Any]", doc: bytes, keys: Mapping[str, None]) -> None:
        """Enters a record of the database; of several with one key the oldest counts."""
        message = resource.message.FromString(doc)
        entry = Entry(resource, message, int(message.etag), base_doc=doc)
        self.entries.setdefault(message.id, entry)
        for key in self.adapter.keys_of(self.terms, resource, message):
            if key in keys:
                name = _key(resource, key)
                self.holders[name] = min(self.holders.get(name, message.id), message.id)

    async def _open_planned(self, tx: Tx, import_id: str, keys: Sequence[str]) -> None:
        known = await store.known_keys(tx, import_id, keys)
        for key, id in known.items():
            self.holders.setdefault(key, id)
        ids = {*known.values(), *self.entries}
        by_name = {resource.name: resource for resource in self.adapter.resources}
        for row in await store.records_of(tx, import_id, ids):
            resource, id = by_name[row["object"]], str(row["record_id"])
            message = resource.message.FromString(row["doc"])
            self.entries[id] = Entry(
                resource, message, row["base_version"], row["line"], row["seq"], of_file=True
            )

    # -- one line --------------------------------------------------------------------------------

    def decide(self, line: Line, tx: Tx) -> None:
        """Says what becomes of the line and enters it."""
        if line.reason:
            line.outcome = FAILED
            return
        page = _Page(self)
        try:
            outcome = [page.enter(part, line, tx) for part in line.parts][-1]
        except LineRefused as refusal:
            line.outcome, line.reason = FAILED, str(refusal)[:_LONGEST_REASON]
            line.record_id = line.linked_id = ""
            return
        line.outcome, line.record_id = outcome, page.ids[-1]
        line.linked_id = page.ids[0] if len(page.ids) > 1 else ""
        page.keep()


class _Page:
    """What one line does, kept apart until all of it is known to be right."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._entries: dict[str, Entry] = {}
        self._keys: dict[str, str] = {}
        self.ids: list[str] = []

    def keep(self) -> None:
        """Enters it into the book."""
        self._book.entries |= self._entries
        for key, id in self._keys.items():
            if key not in self._book.holders:
                self._book.holders[key] = self._book.new_keys[key] = id

    def enter(self, part: Part, line: Line, tx: Tx) -> int:
        """The outcome of one part; LineRefused if it cannot be."""
        names = (_key(part.resource, key) for key in part.keys)
        found = next((id for n in names if (id := self._book.holders.get(n))), "")
        outcome, id = (
            self._change(found, part, line) if found else (CREATED, self._create(part, line, tx))
        )
        if id in self._entries and not self._entries[id].seq:
            place = self._book.first_place + len(self.ids)
            self._entries[id].seq = line.line * _PLACES + place
        self.ids.append(id)
        if outcome in (CREATED, UPDATED):
            adapter, message = self._book.adapter, self._entries[id].message
            for key in adapter.keys_of(self._book.terms, part.resource, message):
                self._keys[_key(part.resource, key)] = id
        return outcome

    def _create(self, part: Part, line: Line, tx: Tx) -> str:
        book = self._book
        message = part.resource.message()
        message.id = tx.new_id()
        self._fit(part, message, existing=False)
        if not book.rights.reaches(
            part.resource.object, "create", *part.resource.scope_of_message(message)
        ):
            raise LineRefused(f"you may not create this {part.resource.object} for its owner")
        self._entries[message.id] = Entry(
            part.resource, message, 0, line.line, changed=True, of_file=True
        )
        return str(message.id)

    def _change(self, id: str, part: Part, line: Line) -> tuple[int, str]:
        book, known = self._book, self._entries.get(id) or self._book.entries[id]
        if book.terms.skips:
            return DUPLICATE, id
        resource, message = part.resource, type(known.message)()
        message.CopyFrom(known.message)
        self._fit(part, message, existing=True)
        if message == known.message:
            return (DUPLICATE if known.of_file else UNCHANGED), id
        may = book.rights.reaches(
            resource.object, "update", *resource.scope_of_message(known.message)
        )
        if not may and known.base_version:
            raise LineRefused(
                f"it belongs to a {resource.object} that you may not change; ask its owner or leave the line out"
            )
        self._entries[id] = Entry(
            resource, message, known.base_version, known.line or line.line, known.seq, known.base_doc,
            changed=True, of_file=True,
        )  # fmt: skip
        return UPDATED, id

    def _fit(self, part: Part, message: Any, *, existing: bool) -> None:
        terms = self._book.terms
        if part.link is not None:
            name, at = part.link
            if not existing or terms.overwrites or not getattr(message, name):
                setattr(message, name, self.ids[at])
        try:
            self._book.adapter.fit(terms, part, message, existing=existing)
        except errors.CrmError as error:
            raise LineRefused(sentence(error)) from error


def sentence(error: errors.CrmError) -> str:
    """A refusal with everything that is wrong, for people."""
    wrong = "; ".join(f"{v.field}: {v.description}" for v in error.violations)
    return wrong or error.message


def _key(resource: "Resource[Any]", key: str) -> str:
    return f"{resource.name}|{key}"
