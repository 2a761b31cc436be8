"""Files that records name: one may set a file that one uploaded oneself, or that the record holds already.

Reading through a record is how others get at a file (`/v1/files/{id}?in=...`): who could set any id could read any file. A file
is named in a field of FORMAT_FILE, or in a custom field of type FILE; an id in any other text gives nobody anything.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from chassis import errors
from chassis.errors import Violation
from chassis.tx import Tx
from crm.common.v1 import common_pb2 as pb
from crm.options.v1 import options_pb2

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_FILE = pb.CUSTOM_FIELD_TYPE_FILE


async def uploaded(tx: Tx, resource: "Resource[Any]", sent: Any) -> frozenset[str]:
    """Those of the files named in `sent` that the caller uploaded himself.

    The first thing that a body does: it asks the blob store, and no transaction may wait for that. So it cannot know custom
    fields that this process has not heard of yet, and looks for whatever they name.
    """
    if not tx.actor.user_id or tx.tenant is None:
        return frozenset()
    named = {id for _, id in named_in(sent)}
    if resource.has_custom and sent.custom:
        known = tx.runtime.schemas.known(tx.tenant, resource).fields
        named |= {
            value.string_value
            for key, value in sent.custom.items()
            if value.string_value and (key not in known or known[key].type == _FILE)
        }
    if not named:
        return frozenset()
    assert not tx.in_transaction, "a transaction must not wait for the blob store"
    found = set()
    for id in named:
        with suppress(errors.NotFound):
            blob = await tx.runtime.blobs.get(tx.tenant, id)
            if blob.owner_id == tx.actor.user_id:
                found.add(id)
    return frozenset(found)


def named_in(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Path and id of every file that the message names in a field of FORMAT_FILE."""
    for field, value in message.ListFields():
        path = prefix + field.name
        many = value if field.is_repeated else (value,)
        if is_file(field):
            yield from ((path, id) for id in many)
        elif field.message_type is not None and not _is_map(field):
            for part in many:
                yield from named_in(part, f"{path}.")


def is_file(field: Any) -> bool:
    """True if the field of a message's descriptor names a file."""
    options = field.GetOptions()
    if not options.HasExtension(options_pb2.rules):
        return False
    return bool(options.Extensions[options_pb2.rules].format == options_pb2.FORMAT_FILE)


def _is_map(field: Any) -> bool:
    return bool(field.message_type.GetOptions().map_entry)


def check(new: Message, old: Message | None, allowed: frozenset[str]) -> None:
    """InvalidArgument naming each field of FORMAT_FILE that newly names a file which is not the caller's."""
    held = {id for _, id in named_in(old)} if old is not None else set()
    wrong = [
        Violation(path, _no_file(id))
        for path, id in named_in(new)
        if id not in held and id not in allowed
    ]
    if wrong:
        raise errors.InvalidArgument("a file cannot be used here", wrong)


def held_in_custom(fields: Mapping[str, pb.CustomField], message: Any | None) -> frozenset[str]:
    """The files that a record holds in its custom fields."""
    if message is None:
        return frozenset()
    return frozenset(
        value.string_value
        for key, value in message.custom.items()
        if key in fields and fields[key].type == _FILE
    )


def problem(field: pb.CustomField, value: Value, allowed: frozenset[str]) -> str:
    """Why the custom value may not be set; the same for a file of somebody else and for none at all."""
    if field.type != _FILE or value.string_value in allowed:
        return ""
    return _no_file(value.string_value)


def _no_file(id: str) -> str:
    return f"there is no file {id} of yours; upload it at /v1/files and send its id"
