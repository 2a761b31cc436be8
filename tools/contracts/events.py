"""Rules of events: what each must say of itself, and that every change of every resource has one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.descriptor import Descriptor, MethodDescriptor

from crm.options.v1 import options_pb2
from tools.contracts.walk import is_computed, is_snake, option, value_message

_PAST = {"Create": "Created", "Update": "Updated", "Delete": "Deleted", "Undelete": "Undeleted"}
# More than what the method itself does: republishing sends the present state as an update.
_ALSO = {"Republish": "Updated"}


def options(events: Iterable[Descriptor], guards: frozenset[str]) -> Iterator[str]:
    """An event begins with the change, says its kind and guard, and its paths lead to fields.

    guards: the objects that can be granted to be read; without one nobody could be shown the event.
    """
    for event in events:
        said = option(event, options_pb2.event)
        assert isinstance(said, options_pb2.Event)
        first = event.fields_by_number.get(1)
        if (
            first is None
            or first.name != "change"
            or first.message_type.full_name != "crm.common.v1.Change"
        ):
            yield f"{event.full_name}: field 1 is not crm.common.v1.Change change"
        if not is_snake(said.kind):
            yield f"{event.full_name}: kind {said.kind!r} must be lower_snake"
        if said.guard not in guards:
            yield f"{event.full_name}: guard {said.guard!r} is no object whose read right can be granted"
        yield from _paths(event, said)


def _paths(event: Descriptor, said: options_pb2.Event) -> Iterator[str]:
    if not said.guard_id:
        yield f"{event.full_name}: no guard_id, so no scope can decide who sees it"
    for name in ("guard_id", "headline"):
        path = getattr(said, name)
        if path and _kind_at(event, path) != "string":
            yield f"{event.full_name}: {name} {path} does not lead to a text"
    for name in ("contact_ids", "company_ids"):
        for path in getattr(said, name):
            if _kind_at(event, path) not in ("string", "repeated string"):
                yield f"{event.full_name}: {name} {path} does not lead to ids"
    if not said.resource:
        return
    field = event.fields_by_name.get(said.resource)
    carried = (
        option(field.message_type, options_pb2.resource)
        if field is not None and field.message_type
        else None
    )
    if carried is None:
        yield f"{event.full_name}: resource {said.resource} is not a field that holds a resource"
    elif carried.object != said.guard:
        yield f"{event.full_name}: carries a {carried.object} but is guarded by {said.guard}"


def _kind_at(message: Descriptor, path: str) -> str:
    """string, repeated string, or "" where the path leads elsewhere or over a repeated field."""
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name)
    if field is None:
        return ""
    if rest:
        return (
            _kind_at(field.message_type, rest)
            if field.message_type is not None and not field.is_repeated
            else ""
        )
    if field.type != field.TYPE_STRING:
        return ""
    return "repeated string" if field.is_repeated else "string"


def subjects(events: Iterable[Descriptor]) -> Iterator[str]:
    """Two events of one service never share a subject, which carries the last part of the name only."""
    seen: dict[tuple[str, str], str] = {}
    for event in events:
        key = (event.full_name.split(".")[1], event.name)
        if key in seen:
            yield f"{event.full_name}: has the subject of {seen[key]}"
        seen[key] = event.full_name


def carried(events: Iterable[Descriptor]) -> Iterator[str]:
    """An event's own fields are facts for everybody: nothing computed for one reader, and only resources, stored parts and enums."""
    for event in events:
        for field in event.fields:
            inner = value_message(field)
            if is_computed(field):
                yield f"{field.full_name}: is computed for a reader; an event has none"
            if inner is None or inner.full_name.startswith("google."):
                continue
            if (
                not option(inner, options_pb2.stored)
                and option(inner, options_pb2.resource) is None
            ):
                yield f"{field.full_name}: {inner.full_name} is neither a resource nor (stored) = true"


def every_change_has_one(
    methods: Iterable[MethodDescriptor],
    resources: Iterable[Descriptor],
    events: Iterable[Descriptor],
    named: Mapping[str, str],
) -> Iterator[str]:
    """What Create, Update, Delete, Undelete and Republish of a resource publish exists in the same package.

    named: "crm.contacts.v1.RequestCreated" -> "RequestReceived", where a named fact takes the place of the kit's event.
    """
    known = {event.full_name for event in events}
    offered: dict[str, set[str]] = defaultdict(set)
    for method in methods:
        offered[method.full_name.rpartition(".")[0].rpartition(".")[0]].add(method.name)
    by_name = {resource.name: resource for resource in resources}
    for package, names in offered.items():
        for resource in by_name.values():
            plural = option(resource, options_pb2.resource).plural
            wanted = [past for verb, past in _PAST.items() if f"{verb}{resource.name}" in names]
            wanted += [
                past
                for verb, past in _ALSO.items()
                if f"{verb}{plural[:1].upper()}{plural[1:]}" in names
            ]
            for past in dict.fromkeys(wanted):
                event = f"{package}.{resource.name}{past}"
                if event not in known and f"{package}.{named.get(event, '')}" not in known:
                    yield f"{event}: is published by nobody's contract, and no named fact takes its place"
