"""What a page token belongs to: two lists that differ in anything never share one identity."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kit.listing import _identity


@dataclass
class Asked:
    filter: str = ""
    order_by: str = ""
    q: str = ""
    show_deleted: bool = False


@dataclass
class AskedAsOf(Asked):
    as_of: Timestamp = field(default_factory=Timestamp)


def identity(asked: Asked, tenant: str = "t", service: str = "deals", name: str = "deals") -> bytes:
    tx: Any = SimpleNamespace(tenant=tenant)
    resource: Any = SimpleNamespace(service=service, name=name)
    return _identity(tx, resource, asked)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Asked("code = 'a|b'", "name"), Asked("code = 'a", "b'|name")),
        (Asked("a = 1"), Asked(q="a = 1")),
        (Asked(), Asked(show_deleted=True)),
        (AskedAsOf(), AskedAsOf(as_of=Timestamp(seconds=1))),
    ],
)
def test_other_lists_have_other_identities(one: Asked, other: Asked) -> None:
    assert identity(one) != identity(other)
    assert identity(one) == identity(one)


def test_tenant_service_and_resource_are_part_of_it() -> None:
    asked = Asked()
    places = [
        ("t", "deals", "deals"),
        ("u", "deals", "deals"),
        ("t", "contacts", "deals"),
        ("t", "deals", "tasks"),
    ]
    assert len({identity(asked, *place) for place in places}) == len(places)
