"""References to merged records: led to who survived, and back to what they were.

A record keeps, beside its fields, what each displaced field was at first (`Displaced`). To settle is to lead the first
values to today's survivors; to unsettle is to find the first values again, with whatever somebody changed since on top. So
the order of merges and undos does not matter: what a field holds is always its first value, settled.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.contacts.rules import merging, parties

Resolve = Callable[[str, str], str]
"""(object, id) -> the id under which it lives now: itself, or who survived."""

FIELDS: dict[str, tuple[str, ...]] = {
    "contact": ("company_id", "referrer", "relations"),
    "company": ("referrer", "relations"),
}
_PLAIN = ("contact_id", "company_id")
"""The fields of every other record that refer to contacts and companies."""


@dataclass(frozen=True, slots=True)
class Displaced:
    """One field whose value was led elsewhere: messages that hold only it, as it was at first and as it is now."""

    field: str
    origin: bytes
    settled: bytes
    targets: tuple[str, ...]
    """The ids that the first value names."""


def fields_of(object: str, record: Any) -> Sequence[str]:
    """The fields of such a record that refer to contacts or companies."""
    names = FIELDS.get(object, _PLAIN)
    return [name for name in names if name in record.DESCRIPTOR.fields_by_name]


def targets(object: str, record: Any) -> set[tuple[str, str]]:
    """Every (object, id) to which the record refers."""
    return {end for name in fields_of(object, record) for end in _ends(record, name)}


def settle(object: str, record: Any, resolve: Resolve) -> list[Displaced]:
    """Leads the record's references to who lives now, in place; returns what was displaced by that.

    A relation to the record itself, and a second one to the same end, are left out; nobody brings himself.
    """
    displaced = []
    for name in fields_of(object, record):
        ends = set(_ends(record, name))
        if all(resolve(*end) == end[1] != record.id for end in ends):
            continue
        origin = merging.only(record, name)
        _lead(record, name, resolve)
        settled = merging.only(record, name)
        if origin != settled:
            ids = tuple(sorted({id for _, id in ends}))
            displaced.append(
                Displaced(name, origin.SerializeToString(), settled.SerializeToString(), ids)
            )
    return displaced


def unsettle(record: Any, displaced: Sequence[Displaced]) -> tuple[Any, list[merging.Left]]:
    """The record with its first references, and the fields whose references somebody changed since."""
    result, left = record, list[merging.Left]()
    for each in displaced:
        origin, settled = (type(record).FromString(doc) for doc in (each.origin, each.settled))
        result, more = merging.three_way(settled, origin, result, [each.field])
        left += more
    return result, left


def _ends(record: Any, name: str) -> Iterator[tuple[str, str]]:
    field, value = record.DESCRIPTOR.fields_by_name[name], getattr(record, name)
    if field.message_type is None:
        if value:
            yield name.removesuffix("_id"), value
        return
    for part in value if field.is_repeated else [value]:
        end = part.WhichOneof("target")
        if end in _PLAIN:
            yield end.removesuffix("_id"), getattr(part, end)


def _lead(record: Any, name: str, resolve: Resolve) -> None:
    field = record.DESCRIPTOR.fields_by_name[name]
    if field.message_type is None:
        setattr(record, name, resolve(name.removesuffix("_id"), getattr(record, name)))
        return
    value = getattr(record, name)
    for part in value if field.is_repeated else [value]:
        end = part.WhichOneof("target")
        if end in _PLAIN:
            setattr(part, end, resolve(end.removesuffix("_id"), getattr(part, end)))
    if not field.is_repeated:
        if parties.target_of(value) == record.id:
            record.ClearField(name)
        return
    kept = parties.unique(
        [part for part in value if parties.target_of(part) != record.id],
        key=lambda part: merging.key_of(name, part),
    )
    alone = type(record)()
    getattr(alone, name).extend(kept)
    merging.put(record, alone, name)
