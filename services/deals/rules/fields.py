"""The fields that guards name by their paths: which there are, and whether one is filled. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis import codec
from crm.contacts.v1 import company_pb2, contact_pb2
from crm.deals.v1 import deal_pb2

RECORDS: Mapping[str, Descriptor] = {
    "deal": deal_pb2.Deal.DESCRIPTOR,
    "contact": contact_pb2.Contact.DESCRIPTOR,
    "company": company_pb2.Company.DESCRIPTOR,
}
"""What the first word of a path may be; `contact` and `company` alone mean that the deal has one."""
CUSTOM = "custom."


def is_known(path: str, custom_keys: Collection[str]) -> bool:
    """True for a path of a field; the custom fields of deals are `custom_keys`, those of customers their owner knows."""
    head, _, rest = path.partition(".")
    if head not in RECORDS:
        return False
    if not rest:
        return head != "deal"
    if rest.startswith(CUSTOM):
        key = rest.removeprefix(CUSTOM)
        return key in custom_keys if head == "deal" else key.isidentifier()
    descriptor = RECORDS[head]
    named = codec.has_path(descriptor, rest) and not codec.crosses_list(descriptor, rest)
    return named and rest not in ("can", "custom")


def is_filled(record: Any, path: str) -> bool:
    """True if the field, e.g. amount, promise.time or custom.colour, holds something."""
    return path in set(filled(record))


def filled(record: Message, prefix: str = "") -> Iterator[str]:
    """The paths of all fields that hold something; those of parts and custom fields with their own names."""
    for descriptor, value in record.ListFields():
        path = prefix + descriptor.name
        yield path
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            yield from (f"{path}.{key}" for key in value if _holds(value[key]))
        elif descriptor.message_type is not None and not descriptor.is_repeated:
            yield from filled(value, path + ".")


def _holds(value: Any) -> bool:
    """Of a custom field's value: no is an answer, an empty text is none."""
    kind = value.WhichOneof("kind") if isinstance(value, Message) else ""
    if kind == "string_value":
        return bool(value.string_value.strip())
    if kind == "list_value":
        return bool(value.list_value.values)
    return kind not in (None, "null_value")
