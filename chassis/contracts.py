"""What the generated contracts say, looked up once: methods with their rights, resources, events."""

import functools
import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api import annotations_pb2
from google.protobuf import descriptor, descriptor_pool, message_factory
from google.protobuf.message import Message

from crm.options.v1 import options_pb2


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: its full name `/package.Service/Name`, messages and rights."""

    full_name: str
    name: str
    service: str
    input: type[Message]
    output: type[Message]
    permission: options_pb2.Permission
    streams: bool
    writes: bool
    descriptor: descriptor.MethodDescriptor

    @property
    def public(self) -> bool:
        return self.permission.access == options_pb2.ACCESS_PUBLIC


def method_of(desc: descriptor.MethodDescriptor) -> Method:
    """The Method of a descriptor; a method without the permission option is refused here, so it can never be served."""
    if not desc.GetOptions().HasExtension(options_pb2.permission):
        raise ValueError(f"{desc.full_name} has no (crm.options.v1.permission)")
    http = desc.GetOptions().Extensions[annotations_pb2.http]
    return Method(
        full_name=f"/{desc.containing_service.full_name}/{desc.name}",
        name=desc.name,
        service=service_of(desc.containing_service.full_name),
        input=message_factory.GetMessageClass(desc.input_type),
        output=message_factory.GetMessageClass(desc.output_type),
        permission=desc.GetOptions().Extensions[options_pb2.permission],
        streams=desc.server_streaming,
        writes=http.WhichOneof("pattern") != "get",
        descriptor=desc,
    )


def service_of(full_name: str) -> str:
    """`contacts` of `crm.contacts.v1.ContactsService` or any other name in that package."""
    return full_name.split(".")[1]


@functools.cache
def load_all() -> tuple[str, ...]:
    """Imports every generated module, so that the pool knows all messages; returns the service packages' names."""
    import crm

    packages = set()
    for root in map(Path, crm.__path__):  # namespace packages: pkgutil does not walk into them
        for path in root.rglob("*_pb2.py"):
            parts = path.relative_to(root).with_suffix("").parts
            importlib.import_module(".".join(("crm", *parts)))
            packages.add(parts[0])
    return tuple(sorted(packages - {"common", "options"}))


@functools.cache
def services() -> tuple[descriptor.ServiceDescriptor, ...]:
    """The descriptors of all gRPC services of all contracts."""
    load_all()
    found = {
        name: service
        for module in list(sys.modules)
        if module.startswith("crm.") and module.endswith("_pb2")
        for name, service in sys.modules[module].DESCRIPTOR.services_by_name.items()
    }
    return tuple(found[name] for name in sorted(found))


@functools.cache
def method_named(full_name: str) -> Method:
    """The RPC of a full name, `/package.Service/Method`; LookupError if no contract has it."""
    _, service_name, name = full_name.split("/")
    for service in services():
        if service.full_name == service_name and name in service.methods_by_name:
            return method_of(service.methods_by_name[name])
    raise LookupError(full_name)


@functools.cache
def rights() -> frozenset[tuple[str, str]]:
    """Every (object, action) that some RPC asks for."""
    found = (method_of(m).permission for service in services() for m in service.methods)
    return frozenset((p.object, p.action) for p in found if p.object)


@functools.cache
def record_actions() -> dict[str, tuple[str, ...]]:
    """object -> the actions that can be done with one record of it, in alphabetical order."""
    found: dict[str, set[str]] = {}
    for method in (method_of(m) for service in services() for m in service.methods):
        if method.permission.object and {"id", "update_mask"}.intersection(
            method.input.DESCRIPTOR.fields_by_name
        ):
            found.setdefault(method.permission.object, set()).add(method.permission.action)
    return {object: tuple(sorted(actions)) for object, actions in found.items()}


@functools.cache
def resource_option(desc: descriptor.Descriptor) -> options_pb2.Resource | None:
    """The resource option of a message, or None."""
    options = desc.GetOptions()
    return (
        options.Extensions[options_pb2.resource]
        if options.HasExtension(options_pb2.resource)
        else None
    )


@functools.cache
def event_option(desc: descriptor.Descriptor) -> options_pb2.Event | None:
    """The event option of a message, or None."""
    options = desc.GetOptions()
    return (
        options.Extensions[options_pb2.event] if options.HasExtension(options_pb2.event) else None
    )


@functools.cache
def resources() -> dict[str, descriptor.Descriptor]:
    """object name -> the descriptor of its resource, over all contracts; objects that several services share appear once."""
    return {option.object: desc for desc in messages() if (option := resource_option(desc))}


@functools.cache
def personal_objects() -> frozenset[str]:
    """The objects whose records are their owner's own affair."""
    options = (resource_option(desc) for desc in resources().values())
    return frozenset(option.object for option in options if option and option.personal)


@functools.cache
def revealing(object: str) -> dict[str, frozenset[str]]:
    """Path of such a record -> the paths of the fields that are reckoned from it."""
    found: dict[str, set[str]] = {}
    for path, field in _fields_of(object):
        if source := field.GetOptions().Extensions[options_pb2.reveals]:
            found.setdefault(source, set()).add(path)
    return {source: frozenset(paths) for source, paths in found.items()}


@functools.cache
def kept_unseen(object: str) -> frozenset[str]:
    """Paths of list items' fields of such a record that callers need not see to write the list."""
    kept = options_pb2.kept_unseen
    return frozenset(path for path, f in _fields_of(object) if f.GetOptions().Extensions[kept])


def _fields_of(object: str) -> list[tuple[str, descriptor.FieldDescriptor]]:
    """Every field of such a record with its path, those of its parts too."""
    found: list[tuple[str, descriptor.FieldDescriptor]] = []

    def add(inside: descriptor.Descriptor, path: str, above: tuple[str, ...]) -> None:
        for field in inside.fields:
            found.append((f"{path}{field.name}", field))
            part = field.message_type
            if part is not None and part.full_name not in above:
                add(part, f"{path}{field.name}.", (*above, part.full_name))

    if (record := resources().get(object)) is not None:
        add(record, "", (record.full_name,))
    return found


@functools.cache
def events() -> dict[str, descriptor.Descriptor]:
    """full type name -> descriptor of every event."""
    return {desc.full_name: desc for desc in messages() if event_option(desc)}


def carrying(*objects: str) -> tuple[type[Message], ...]:
    """Every event by which the owner of such records tells of one and carries it; LookupError for an unknown object.

    A service may pass on a record of another one, as it knew it: that tells nothing of the record.
    """
    if unknown := set(objects) - resources().keys():
        raise LookupError(
            f"no contract has a resource with the object {', '.join(sorted(unknown))}"
        )
    return tuple(
        _class_of(event)
        for name, event in events().items()
        if (record := _record_of(event)) is not None
        and resource_option(record).object in objects  # type: ignore[union-attr]  # it is a resource
        and service_of(record.full_name) in (service_of(name), "common")
    )


def known(full_names: Iterable[str]) -> tuple[type[Message], ...]:
    """The classes of those events that some contract declares already."""
    return tuple(_class_of(events()[name]) for name in full_names if name in events())


def carried(event: Any) -> tuple[str, Any]:
    """The field by which an event's contract says that it carries a record, and that record; ("", None) without one."""
    option = event_option(event.DESCRIPTOR)
    name = option.resource if option is not None else ""
    return name, getattr(event, name) if name else None


def _record_of(event: descriptor.Descriptor) -> descriptor.Descriptor | None:
    option = event_option(event)
    field = event.fields_by_name.get(option.resource) if option is not None else None
    return field.message_type if field is not None and resource_option(field.message_type) else None


def _class_of(desc: descriptor.Descriptor) -> type[Message]:
    return message_factory.GetMessageClass(desc)


@functools.cache
def messages() -> tuple[descriptor.Descriptor, ...]:
    """All top-level messages of all contracts."""
    load_all()
    found: dict[str, descriptor.Descriptor] = {}
    for name in sorted(sys.modules):
        if name.startswith("crm.") and name.endswith("_pb2"):
            for desc in sys.modules[name].DESCRIPTOR.message_types_by_name.values():
                found[desc.full_name] = desc
    return tuple(found.values())


def message_class(full_name: str) -> type[Message] | None:
    """The message class of a full name, or None if this program does not know it."""
    load_all()
    try:
        return message_factory.GetMessageClass(
            descriptor_pool.Default().FindMessageTypeByName(full_name)
        )
    except KeyError:
        return None


def at_path(message: Message, path: str) -> object:
    """The value at a dotted path of singular fields; None where a message on the way is absent."""
    value: object = message
    for part in path.split("."):
        assert isinstance(value, Message)
        field = value.DESCRIPTOR.fields_by_name[part]
        if field.message_type is not None and not field.is_repeated and not value.HasField(part):
            return None
        value = getattr(value, part)
    return value
