"""Rules of what is stored: the resources and the messages inside them."""

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from crm.options.v1 import options_pb2
from tools.contracts.walk import is_computed, is_snake, option, reachable, type_of

_TIME = "google.protobuf.Timestamp"
_FIRST = (
    ("id", "string"),
    ("etag", "string"),
    ("create_time", _TIME),
    ("update_time", _TIME),
    ("delete_time", _TIME),
)
_SECRETS = {"password", "passwords", "secret", "secrets", "token", "tokens", "hash", "hashes"}


def common_fields(resources: Iterable[Descriptor]) -> Iterator[str]:
    """Each resource begins with id, etag and three times, ends with can, and names itself in roles and paths."""
    for resource in resources:
        named = option(resource, options_pb2.resource)
        for number, (name, kind) in enumerate(_FIRST, start=1):
            field = resource.fields_by_number.get(number)
            if field is None or (field.name, type_of(field)) != (name, kind):
                yield f"{resource.full_name}: field {number} is not {kind} {name}"
            elif number > 1 and not option(field, options_pb2.output_only):
                yield f"{field.full_name}: only the server sets it, so it needs (output_only)"
        last = resource.fields[-1]
        if (last.name, type_of(last)) != ("can", "repeated string") or not is_computed(last):
            yield f"{resource.full_name}: the last field is not repeated string can [(computed) = true]"
        if not is_snake(named.object):
            yield f"{resource.full_name}: object {named.object!r} must be lower_snake"
        if not named.plural.isalpha() or not named.plural[:1].islower():
            yield f"{resource.full_name}: plural {named.plural!r} must be lowerCamel"
        custom = resource.fields_by_name.get("custom")
        if (custom is not None) != named.custom_fields:
            yield f"{resource.full_name}: custom_fields says {named.custom_fields}, the field custom is {'there' if custom else 'absent'}"


def stored_parts(resources: Iterable[Descriptor]) -> Iterator[str]:
    """What lies inside a resource is stored, and says so; only computed fields may hold something else."""
    for path, message in reachable(resources, computed=False):
        is_resource = option(message, options_pb2.resource) is not None
        if path == message.full_name and is_resource:
            continue
        if is_resource:
            yield f"{path}: holds a whole {message.full_name}; a record names another by its id"
        elif not option(message, options_pb2.stored):
            yield f"{path}: holds {message.full_name}, which is not (stored) = true"


def computed_fields(messages: Iterable[Descriptor]) -> Iterator[str]:
    """A stored part has nothing computed in it: it would be stored with the rest."""
    for message in messages:
        if option(message, options_pb2.stored):
            for field in message.fields:
                if is_computed(field):
                    yield f"{field.full_name}: is computed inside a stored message"


def secrets(resources: Iterable[Descriptor]) -> Iterator[str]:
    """Nothing stored, so also nothing in events and history, has the name of a secret."""
    for _, message in reachable(resources, computed=False):
        for field in message.fields:
            if _SECRETS & set(field.name.split("_")) and not is_computed(field):
                yield f"{field.full_name}: looks like a secret; keep it in a table of its own"


def references(messages: Iterable[Descriptor]) -> Iterator[str]:
    """A reference ends in _id or _ids, a file's in file_id or file_ids, and its format says so; no other field has such a format."""
    for message in messages:
        for field in message.fields:
            if field.type != FieldDescriptor.TYPE_STRING or message.GetOptions().map_entry:
                continue
            rules = option(field, options_pb2.rules)
            form = rules.format if rules is not None else options_pb2.FORMAT_UNSPECIFIED
            is_uuid = form in (options_pb2.FORMAT_UUID, options_pb2.FORMAT_FILE)
            name = field.name
            names_file = name.endswith("file_ids" if field.is_repeated else "file_id")
            if is_uuid and names_file != (form == options_pb2.FORMAT_FILE):
                yield f"{field.full_name}: what names a file is FORMAT_FILE, and nothing else is"
            named = name in ("id", "ids") or name.endswith("_ids" if field.is_repeated else "_id")
            # Of a call: any text that makes a repetition recognisable. In Link it is a record.
            idempotency = name == "request_id" and message.name.endswith("Request")
            if named and not is_uuid and not idempotency:
                yield f"{field.full_name}: is named like a reference but not FORMAT_UUID"
            if is_uuid and not named:
                yield f"{field.full_name}: is a UUID, so its name ends in {'_ids' if field.is_repeated else '_id'}"
