"""Which fields of requests name records, and of what kind: read from the descriptors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from chassis import contracts
from crm.options.v1 import options_pb2
from tests.contract.isolation_samples import IN_EACH_SERVICE, KINDS, NOT_IDS, OF_METHOD, PARTS


@dataclass(frozen=True)
class Slot:
    """A field of a request, perhaps inside its parts, that names records."""

    path: tuple[FieldDescriptor, ...]

    @property
    def name(self) -> str:
        return ".".join(step.name for step in self.path)

    def put(self, request: Any, id: str, fill: Callable[[Any], None]) -> None:
        """Sets the field to the id; absent messages on the way are made and filled, lists get one item."""
        holder = request
        for step in self.path[:-1]:
            is_absent = (
                not len(getattr(holder, step.name))
                if step.is_repeated
                else not holder.HasField(step.name)
            )
            holder = getattr(holder, step.name)
            if step.is_repeated:
                holder = holder.add() if is_absent else holder[0]
            if is_absent:
                fill(holder)
        last = self.path[-1]
        if last.is_repeated:
            del getattr(holder, last.name)[:]
            getattr(holder, last.name).append(id)
        else:
            setattr(holder, last.name, id)


_IDS = (options_pb2.FORMAT_UUID, options_pb2.FORMAT_FILE)


def slots(descriptor: Descriptor, before: tuple[FieldDescriptor, ...] = ()) -> Iterator[Slot]:
    """Every field of a request that holds ids, by its declared format."""
    for each in descriptor.fields:
        options = each.GetOptions()
        if options.Extensions[options_pb2.output_only] or options.Extensions[options_pb2.computed]:
            continue
        if options.Extensions[options_pb2.rules].format in _IDS:
            yield Slot((*before, each))
        elif _is_part(each) and len(before) < 4 and each not in before:
            yield from slots(each.message_type, (*before, each))


def _is_part(each: FieldDescriptor) -> bool:
    inner = each.message_type
    return (
        inner is not None
        and inner.full_name.startswith("crm.")
        and not inner.GetOptions().map_entry
    )


def unmarked(descriptor: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Fields of a request that are called like ids but not declared as such: nobody would test them."""
    known = {slot.path[-1].full_name for slot in slots(descriptor)}
    for each in descriptor.fields:
        options = each.GetOptions()
        if options.Extensions[options_pb2.output_only] or options.Extensions[options_pb2.computed]:
            continue
        named = each.name in ("id", "ids") or each.name.endswith(("_id", "_ids"))
        if (
            named
            and each.type == FieldDescriptor.TYPE_STRING
            and not {each.name, each.full_name} & (known | NOT_IDS)
        ):
            yield each.full_name
        inner = each.message_type
        if inner is not None and inner.full_name.startswith("crm.") and inner.full_name not in seen:
            yield from unmarked(inner, seen | {inner.full_name})


def kind_of(slot: Slot, method: MethodDescriptor) -> str:
    """What kind of record the slot names, e.g. contact; empty if its name does not tell."""
    if told := OF_METHOD.get(f"{method.name}.{slot.name}"):
        return told
    name = slot.path[-1].name.removesuffix("s").removesuffix("_id").removesuffix("id")
    if not name:
        if len(slot.path) > 1:
            option = contracts.resource_option(slot.path[-1].containing_type)
            return option.object if option else PARTS.get(slot.path[-1].containing_type.name, "")
        return contracts.method_of(method).permission.object
    return KINDS.get(name, name)


def key_of(kind: str, method: MethodDescriptor) -> str:
    """Under which key a company remembers its record of this kind that the RPC's service keeps."""
    return f"{kind} {method.containing_service.name}" if kind in IN_EACH_SERVICE else kind
