"""What of a record a caller gets: the stored bytes with `can` behind them, or less where fields are hidden or chosen."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis import codec, errors
from chassis.call import Raw
from chassis.errors import Violation
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_ALWAYS = ("id", "etag")
_TIMES = ("create_time", "update_time")  # lists may sort by them whatever a token reads


class FieldHidden(errors.PermissionDenied):
    """The caller named a field that his role hides, or that his API token may not read."""

    reason = "FIELD_HIDDEN"

    def __init__(self, object: str, paths: Sequence[str], whose: str = "your role") -> None:
        super().__init__(
            f"{whose} may not use {', '.join(paths)} of a {object}",
            [Violation(path, f"is hidden from {whose}") for path in paths],
        )


class FieldNotWritable(errors.PermissionDenied):
    """The API token's writable fields do not include what it tries to set."""

    reason = "FIELD_NOT_WRITABLE"

    def __init__(self, object: str, paths: Sequence[str]) -> None:
        super().__init__(
            f"this API token may not set {', '.join(paths)} of a {object}",
            [Violation(path, "is not among the token's writable fields") for path in paths],
        )


def needs_message(tx: Tx, resource: "Resource[Any]", fields: Sequence[str]) -> bool:
    """True if the stored bytes cannot be passed on as they are."""
    rights = tx.rights
    return bool(fields) or bool(rights.hidden(resource.object)) or rights.readable is not None


def column_shown(
    tx: Tx, resource: "Resource[Any]", fields: Sequence[str] = (), *, json: bool
) -> str:
    """Which of a row's texts `shown` needs: the stored JSON where it is passed on as it is, else the document."""
    as_it_is = json and not needs_message(tx, resource, fields) and not resource.hidden_custom(tx)
    return "json" if as_it_is else "doc"


def checked_fields(tx: Tx, resource: "Resource[Any]", fields: Sequence[str]) -> tuple[str, ...]:
    """The asked-for paths; InvalidArgument for unknown ones, FieldHidden for those the caller may not see."""
    if unknown := [p for p in fields if not codec.has_path(resource.message.DESCRIPTOR, p)]:
        raise errors.InvalidArgument(
            f"a {resource.object} has no field {unknown[0]}",
            [Violation("fields", f"{p} is unknown") for p in unknown],
        )
    refuse_hidden(tx, resource, fields)
    return tuple(fields)


def hidden_of(tx: Tx, resource: "Resource[Any]") -> frozenset[str]:
    """Paths that this caller never sees of this object, by role and by custom field."""
    return tx.rights.hidden(resource.object) | resource.hidden_custom(tx)


def refuse_hidden(
    tx: Tx, resource: "Resource[Any]", paths: Sequence[str], *, kept: Collection[str] = ()
) -> None:
    """FieldHidden if a path is, holds or lies in a hidden field; one that is `kept` may be held."""
    hidden = hidden_of(tx, resource)
    if not hidden:
        return
    named = [
        p
        for p in paths
        if any(
            p == h or p.startswith(f"{h}.") or (h not in kept and h.startswith(f"{p}."))
            for h in hidden
        )
    ]
    if named:
        raise FieldHidden(resource.object, named)


def refuse_unseen(
    tx: Tx, resource: "Resource[Any]", paths: Sequence[str], sent: Any, kept: Collection[str]
) -> None:
    """FieldHidden if an item of a list among `paths` sets one of the `kept` fields that the caller does not see."""
    named = [
        f"{listed}[{at}].{field}"
        for path in sorted(hidden_of(tx, resource).intersection(kept))
        for listed, _, field in (path.partition("."),)
        if listed in paths
        for at, item in enumerate(getattr(sent, listed))
        if getattr(item, field)
    ]
    if named:
        raise FieldHidden(resource.object, named)


def refuse_unreadable(tx: Tx, resource: "Resource[Any]", paths: Sequence[str]) -> None:
    """As `refuse_hidden`, also for what an API token may not read: to filter or sort by a value is to read it."""
    refuse_hidden(tx, resource, paths)
    if tx.rights.readable is None:
        return
    allowed = (*_ALWAYS, *_TIMES, *tx.rights.readable.get(resource.object, ()))
    named = [p for p in paths if not any(p == a or p.startswith(f"{a}.") for a in allowed)]
    if named:
        raise FieldHidden(resource.object, named, "this API token")


def shown(
    tx: Tx, resource: "Resource[Any]", row: Any, what: str, fields: Sequence[str] = ()
) -> bytes:
    """The record of a row, as bytes of the kind `what` (doc or json), as far as the caller may see it."""
    can = tx.rights.can(resource.object, *resource.scope_of(row))
    hidden = hidden_of(tx, resource)
    if not needs_message(tx, resource, fields) and not hidden:
        in_json, in_doc = _can_suffix(resource.message.DESCRIPTOR, can)
        return row["json"].encode()[:-1] + in_json if what == "json" else row["doc"] + in_doc
    message = resource.message.FromString(row["doc"])
    message.can.extend(can)
    message = limited(tx, resource, message, fields, hidden)
    return codec.to_json(message) if what == "json" else message.SerializeToString()


def shown_page(
    tx: Tx, resource: "Resource[Any]", rows: Sequence[Any], what: str, fields: Sequence[str] = ()
) -> list[bytes]:
    """As `shown` for every row; what rows have in common is looked up once, because a page has up to 200."""
    if needs_message(tx, resource, fields) or hidden_of(tx, resource):
        return [shown(tx, resource, row, what, fields) for row in rows]
    descriptor, names = resource.message.DESCRIPTOR, resource.scope_columns
    followed = "follower_ids" in names
    alike = tuple(name for name in names if name != "follower_ids")
    known: dict[Any, tuple[bytes, bytes]] = {}
    records = []
    for row in rows:
        key = None if followed and row["follower_ids"] else tuple([row[name] for name in alike])
        suffix = known.get(key) if key is not None else None
        if suffix is None:
            suffix = _can_suffix(
                descriptor, tx.rights.can(resource.object, *resource.scope_of(row))
            )
            if key is not None:
                known[key] = suffix
        records.append(
            row["json"].encode()[:-1] + suffix[0] if what == "json" else row["doc"] + suffix[1]
        )
    return records


def limited(
    tx: Tx,
    resource: "Resource[Any]",
    message: Any,
    fields: Sequence[str] = (),
    hidden: frozenset[str] | None = None,
) -> Any:
    """The message without hidden fields, and only the chosen and the token's readable ones. May change `message`."""
    hidden = hidden_of(tx, resource) if hidden is None else hidden
    if hidden:
        codec.hide(message, [p for p in hidden if codec.has_path(message.DESCRIPTOR, p)])
    readable = tx.rights.readable
    if readable is not None:
        allowed = [
            p for p in readable.get(resource.object, ()) if codec.has_path(message.DESCRIPTOR, p)
        ]
        message = codec.project(message, [*_ALWAYS, *allowed])
    return codec.project(message, [*_ALWAYS, *fields]) if fields else message


@cache
def _can_suffix(descriptor: Descriptor, can: tuple[str, ...]) -> tuple[bytes, bytes]:
    """`can` in JSON and as protobuf bytes: concatenated protobuf messages merge, so it can stand behind the stored ones."""
    if not can or "can" not in descriptor.fields_by_name:
        return b"}", b""
    tag = descriptor.fields_by_name["can"].number << 3 | 2
    encoded = b"".join(varint(tag) + varint(len(item.encode())) + item.encode() for item in can)
    return b',"can":' + orjson.dumps(can) + b"}", encoded


def joined(
    answer: type[Message], parts: Mapping[str, bytes | Sequence[bytes]], *, json: bool
) -> bytes:
    """An answer whose named fields hold records that are bytes already, one or a list of them; nothing is decoded."""
    fields = answer.DESCRIPTOR.fields_by_name
    if json:
        texts = (
            b'"' + fields[name].json_name.encode() + b'":'
            + (part if isinstance(part, bytes) else b"[" + b",".join(part) + b"]")
            for name, part in parts.items()
        )  # fmt: skip
        return b"{" + b",".join(texts) + b"}"
    return b"".join(
        varint(fields[name].number << 3 | 2) + varint(len(record)) + record
        for name, part in parts.items()
        for record in ((part,) if isinstance(part, bytes) else part)
    )


def varint(number: int) -> bytes:
    """The number in protobuf's variable-length encoding."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def written_bytes(
    tx: Tx, message: Any, resource: "Resource[Any]", stored: bytes, *, json: bool
) -> Raw | None:
    """A record just written, as the caller may see it, with `can`; None if it must be looked through first."""
    if needs_message(tx, resource, ()) or hidden_of(tx, resource):
        return None
    in_json, in_doc = _can_suffix(
        resource.message.DESCRIPTOR,
        tx.rights.can(resource.object, *resource.scope_of_message(message)),
    )
    return (
        Raw(stored[:-1] + in_json, json=True) if json else Raw(message.SerializeToString() + in_doc)
    )


def protected(tx: Tx, message: Any) -> Any:
    """Any answer without hidden fields and with `can`, wherever in it a resource of this service lies. May change it.

    Every answer passes here unless its bytes were made by `shown` or `written_bytes`.
    """
    resource = tx.runtime.resources.get(message.DESCRIPTOR.full_name)
    if resource is not None:
        if "can" in message.DESCRIPTOR.fields_by_name and not message.can:
            message.can.extend(tx.rights.can(resource.object, *resource.scope_of_message(message)))
        return limited(tx, resource, message)
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in value if field.is_repeated else (value,):
            kept = protected(tx, part)
            if kept is not part:
                part.CopyFrom(kept)
    return message
