"""Several records as one: which value each field gets, and how to take one of them out again.

Three pure operations carry every merge and every undo, in any order:

    union(survivor, others, choices)    the one record that the several make
    three_way(base, theirs, ours)       `ours` with the difference between `base` and `theirs` applied to it
    references.settle / unsettle        references to merged records, led to who survived and back

A merge keeps the survivor before and after; its undo applies the difference after -> before to what the survivor is now, so
that whatever others added or changed meanwhile stays.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from chassis import codec, fold
from chassis.errors import Violation
from crm.contacts.v1 import contact_pb2, merge_pb2, party_pb2
from crm.options.v1 import options_pb2
from services.contacts import errors
from services.contacts.rules import contacts as contact_rules
from services.contacts.rules.parties import target_of, unique

ADDED, CHANGED = merge_pb2.Kept.REASON_ADDED_SINCE, merge_pb2.Kept.REASON_CHANGED_SINCE

_SILENT = frozenset({"id", "etag", "create_time", "update_time", "delete_time", "can"})
_NAMES = ("given_name", "family_name")
"""They come from one record: half of one name with half of another is nobody's."""
_MOST_ITEMS = 100  # of a list without a declared limit (crm.options.v1.FieldRules.max_items)
_STAGES = (
    party_pb2.LIFECYCLE_STAGE_UNSPECIFIED, party_pb2.LIFECYCLE_STAGE_LEAD, party_pb2.LIFECYCLE_STAGE_PROSPECT,
    party_pb2.LIFECYCLE_STAGE_FORMER, party_pb2.LIFECYCLE_STAGE_CUSTOMER,
)  # fmt: skip
"""How far a party has come, the least first: of several records, the furthest is true."""

_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "phones": lambda phone: (phone.number, phone.extension),
    "emails": lambda email: email.address,
    "addresses": lambda a: fold.search_key(" ".join([*a.lines, a.postal_code, a.city, a.country])),
    "tax_numbers": lambda tax: (tax.country, tax.kind, tax.number),
    "external_ids": lambda each: (each.system, each.id),
    "relations": lambda relation: (target_of(relation), relation.kind),
    "needs": lambda need: need.need_id,
}
"""What makes two items of a list the same one; items of other lists are compared whole."""


@dataclass(frozen=True, slots=True)
class Left:
    """A field in which a later change stayed."""

    field: str
    reason: Any


def union(survivor: Any, others: Sequence[Any], choices: Mapping[str, str]) -> Any:
    """The record that survivor and others make together.

    A field with a choice is that record's. Else the survivor's value stays where it has one, else the first other's; lists
    are united without repeating a key; the furthest lifecycle stage counts; owners of the others become followers.
    """
    result = type(survivor)()
    result.CopyFrom(survivor)
    by_id = {record.id: record for record in (survivor, *others)}
    for field in _fields(survivor):
        if field.name in choices:
            put(result, by_id[choices[field.name]], field.name)
        elif field.name == "custom":
            _unite_custom(result, others, choices, by_id)
        elif field.is_repeated:
            _unite_list(result, others, field.name)
        elif field.name == "lifecycle_stage":
            result.lifecycle_stage = max(
                (r.lifecycle_stage for r in by_id.values()), key=_STAGES.index
            )
        elif not _is_set(result, field.name) and field.name not in (*_NAMES, "position"):
            _fill(result, others, (field.name,))
    if isinstance(result, contact_pb2.Contact):
        _fill_together(result, others, [name for name in _NAMES if name not in choices])
        if not result.position and "position" not in choices:  # it is a position in that company
            _fill(result, [o for o in others if o.company_id == result.company_id], ("position",))
    if "follower_ids" not in choices:
        readers = [*result.follower_ids, *(record.owner_id for record in by_id.values())]
        result.follower_ids[:] = [id for id in unique(readers) if id and id != result.owner_id]
    if isinstance(result, contact_pb2.Contact) and "display_name" not in choices:
        contact_rules.rename(result, survivor)
    return result


def three_way(
    base: Any, theirs: Any, ours: Any, fields: Iterable[str] = ()
) -> tuple[Any, list[Left]]:
    """`ours` after what turned `base` into `theirs`, and the fields in which `ours` had gone on by itself.

    A value that `ours` changed stays; a list loses and gains item by item. `fields` limits it to these.
    """
    result, left = type(ours)(), list[Left]()
    result.CopyFrom(ours)
    for name in fields or [field.name for field in _fields(ours)]:
        if name == "custom":
            left += _three_way_custom(base, theirs, result)
            continue
        was, shall, now = (_value(record, name) for record in (base, theirs, ours))
        if now == was:
            put(result, theirs, name)
        elif isinstance(now, list):
            left += _three_way_list(base, theirs, result, name)
        elif now != shall:
            left.append(Left(name, CHANGED if was else ADDED))
    return result, left


def check_choices(records: Sequence[Any], choices: Mapping[str, str]) -> None:
    """MergeChoiceUnknown for a choice over what is no field, or for an id that is no part of the merge."""
    ids = {record.id for record in records}
    known = {field.name for field in _fields(records[0])} - {"custom"}
    wrong = []
    for path, id in choices.items():
        if path not in known and not (
            path.startswith("custom.") and "custom" in _names(records[0])
        ):
            wrong.append(Violation(f"choices[{path}]", "is no field that could be chosen"))
        elif id not in ids:
            wrong.append(Violation(f"choices[{path}]", f"{id[:60]} is no part of this merge"))
    if wrong:
        raise errors.MergeChoiceUnknown(wrong)


def check_size(record: Any) -> None:
    """MergeTooLarge where a united list has more items than the field may have."""
    wrong = []
    for field in record.DESCRIPTOR.fields:
        if not field.is_repeated or field.name in _SILENT:
            continue
        most = field.GetOptions().Extensions[options_pb2.rules].max_items or _MOST_ITEMS
        if (count := len(getattr(record, field.name))) > most:
            wrong.append(
                Violation(
                    f"choices[{field.name}]",
                    f"would have {count} items, at most {most}; choose whose list it gets",
                )
            )
    if wrong:
        raise errors.MergeTooLarge(wrong)


def differing(records: Sequence[Any]) -> list[str]:
    """The paths, as choices name them, in which the records are not all alike."""
    first, found = records[0], []
    for field in _fields(first):
        if field.name == "custom":
            keys = sorted({key for record in records for key in record.custom})
            values = {key: {_custom(record, key) for record in records} for key in keys}
            found += [f"custom.{key}" for key in keys if len(values[key]) > 1]
        elif any(_value(record, field.name) != _value(first, field.name) for record in records[1:]):
            found.append(field.name)
    return found


def chosen(records: Sequence[Any], result: Any, path: str, choices: Mapping[str, str]) -> str:
    """The id of the record whose value of this path the result has; empty where it is united."""
    if path in choices:
        return choices[path]
    name, _, key = path.partition(".")
    for record in records:
        same = (
            _custom(record, key) == _custom(result, key)
            if key
            else _value(record, name) == _value(result, name)
        )
        if same:
            return str(record.id)
    return ""


# -- fields ----------------------------------------------------------------------------------------


def put(target: Any, source: Any, name: str) -> None:
    """Gives the field of `target` exactly the value that it has in `source`."""
    target.ClearField(name)
    alone = type(source)()
    field = source.DESCRIPTOR.fields_by_name[name]
    if name == "custom":
        for key, value in source.custom.items():
            target.custom[key].CopyFrom(value)
    elif field.is_repeated:
        getattr(target, name).extend(getattr(source, name))
    elif field.message_type is not None:
        if source.HasField(name):
            getattr(target, name).CopyFrom(getattr(source, name))
    elif getattr(source, name) != getattr(alone, name):
        setattr(target, name, getattr(source, name))


def only(record: Any, name: str) -> Any:
    """A message with this one field of the record."""
    alone = type(record)()
    put(alone, record, name)
    return alone


def key_of(name: str, item: Any) -> Any:
    """What makes two items of this list the same one."""
    return _KEYS[name](item) if name in _KEYS else _plain(item)


def _fields(record: Any) -> list[Any]:
    return [field for field in record.DESCRIPTOR.fields if field.name not in _SILENT]


def _names(record: Any) -> Mapping[str, Any]:
    return record.DESCRIPTOR.fields_by_name  # type: ignore[no-any-return]


def _plain(item: Any) -> Any:
    return item.SerializeToString(deterministic=True) if isinstance(item, Message) else item


def _value(record: Any, name: str) -> Any:
    """The field's value in a form that can be compared; something false where it is not set."""
    field = _names(record)[name]
    value = getattr(record, name)
    if field.is_repeated:
        return [_plain(item) for item in value]
    if field.message_type is not None:
        # As text: a message that is there and empty is not the same as none.
        return (
            value.SerializeToString(deterministic=True).hex() + "." if record.HasField(name) else ""
        )
    return value


def _is_set(record: Any, name: str) -> bool:
    return bool(_value(record, name))


def _fill(result: Any, others: Sequence[Any], names: Sequence[str]) -> None:
    """The fields of the first other that has the first of them; of the first that has any, where nobody has that."""
    for wanted in (names[:1], names):
        for other in others:
            if any(_is_set(other, name) for name in wanted):
                for name in names:
                    put(result, other, name)
                return


def _fill_together(result: Any, others: Sequence[Any], names: Sequence[str]) -> None:
    """All of them from one other; where some are there already, the rest only from one that agrees on those."""
    there = [name for name in names if _is_set(result, name)]
    missing = [name for name in names if name not in there]
    agreeing = [o for o in others if all(_value(o, n) == _value(result, n) for n in there)]
    if missing:
        _fill(result, agreeing, missing)


def _unite_list(result: Any, others: Sequence[Any], name: str) -> None:
    known = {key_of(name, item) for item in getattr(result, name)}
    for other in others:
        for item in getattr(other, name):
            if (key := key_of(name, item)) not in known:
                known.add(key)
                getattr(result, name).append(item)


def _unite_custom(
    result: Any, others: Sequence[Any], choices: Mapping[str, str], by_id: Mapping[str, Any]
) -> None:
    for other in others:
        for key, value in other.custom.items():
            if key not in result.custom:
                result.custom[key].CopyFrom(value)
    for path, id in choices.items():
        if path.startswith("custom."):
            _put_custom(result, by_id[id], path.removeprefix("custom."))


def _custom(record: Any, key: str) -> bytes | None:
    return (
        record.custom[key].SerializeToString(deterministic=True) if key in record.custom else None
    )


def _put_custom(target: Any, source: Any, key: str) -> None:
    if key in source.custom:
        target.custom[key].CopyFrom(source.custom[key])
    elif key in target.custom:
        del target.custom[key]


def _three_way_custom(base: Any, theirs: Any, result: Any) -> list[Left]:
    left = []
    for key in sorted({*base.custom, *theirs.custom, *result.custom}):
        was, shall, now = (_custom(record, key) for record in (base, theirs, result))
        if now == was:
            _put_custom(result, theirs, key)
        elif now != shall:
            left.append(Left(f"custom.{key}", CHANGED if was else ADDED))
    return left


def _three_way_list(base: Any, theirs: Any, result: Any, name: str) -> list[Left]:
    was, shall, now = (
        {key_of(name, item): item for item in getattr(record, name)}
        for record in (base, theirs, result)
    )
    items, reasons = [], set()
    for key, item in now.items():
        if key not in was:
            items.append(item)
            if key not in shall:
                reasons.add(ADDED)
        elif _plain(item) != _plain(was[key]):
            items.append(item)
            reasons.add(CHANGED)
        elif key in shall:
            items.append(shall[key])
    items += [item for key, item in shall.items() if key not in was and key not in now]
    kept = type(result)()
    getattr(kept, name).extend(items)
    put(result, kept, name)
    return [Left(name, reason) for reason in sorted(reasons)]


def as_json(record: Any, path: str) -> Any:
    """The value at a path of a choice as JSON; None where it is not set."""
    name, _, key = path.partition(".")
    shown: Any = codec.to_dict(record).get(codec.json_path(record.DESCRIPTOR, name))
    return shown.get(key) if key and shown else shown
