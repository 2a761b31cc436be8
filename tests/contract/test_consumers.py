"""What the consumers of all services say that they hear is what their bodies act on."""

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chassis import contracts, service
from chassis.handlers import Consumer, consumer_of
from crm.contacts.v1 import events_pb2

EVERYTHING = {
    "contacts-timeline": "each event is an entry, or says who may read one",
    "notifications-notices": "each event may be told to somebody, by rules that people write",
}
"""Who hears every event of every service, and why: nearly all of them have an effect there."""


def consumers() -> list[Consumer]:
    return [consumer_of(body) for name in service.names() for body in service.load(name).consumers]


CONSUMERS = {consumer.durable: consumer for consumer in consumers()}


def by_module() -> dict[str, list[Consumer]]:
    """The consumers whose bodies stand in a module of their own, not in the chassis."""
    found: dict[str, list[Consumer]] = defaultdict(list)
    for consumer in CONSUMERS.values():
        module = getattr(consumer.body, "__module__", "")
        if inspect.isfunction(consumer.body) and module.startswith("services."):
            found[module].append(consumer)
    return found


MODULES = by_module()


def asked_for(source: str, names: Mapping[str, Any]) -> set[str]:
    """Full names of the events of which the source asks `isinstance(event, ...)`."""
    return {
        kind.DESCRIPTOR.full_name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == "event"
        for kind in _kinds(eval(ast.unparse(node.args[1]), dict(names)))
    }


def _kinds(given: Any) -> Iterator[Any]:
    for one in given if isinstance(given, tuple) else getattr(given, "__args__", (given,)):
        yield from _kinds(one) if isinstance(one, tuple) else (one,)


def heard(named: list[Consumer]) -> set[str]:
    return {
        name
        for consumer in named
        for name, event in contracts.events().items()
        if consumer.events is None or event in {kind.DESCRIPTOR for kind in consumer.events}
    }


def test_every_durable_is_one_consumer() -> None:
    durables = [consumer.durable for consumer in consumers()]

    assert sorted(durables) == sorted(set(durables))


def test_hardly_anybody_hears_everything() -> None:
    assert {c.durable for c in CONSUMERS.values() if c.events is None} == EVERYTHING.keys()


@pytest.mark.parametrize("durable", sorted(CONSUMERS))
def test_what_is_heard_is_an_event_of_a_contract(durable: str) -> None:
    events = CONSUMERS[durable].events or ()

    assert {kind.DESCRIPTOR.full_name for kind in events} <= contracts.events().keys()


@pytest.mark.parametrize("durable", sorted(CONSUMERS))
def test_whether_it_is_wanted_can_be_asked_of_every_event_that_is_heard(durable: str) -> None:
    consumer = CONSUMERS[durable]
    every = [contracts.message_class(name) for name in contracts.events()]

    for kind in consumer.events or every:
        assert isinstance(consumer.wants(kind()), bool)  # type: ignore[misc]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_a_body_asks_for_by_its_type_is_heard(module: str) -> None:
    loaded = sys.modules[module]

    assert asked_for(inspect.getsource(loaded), vars(loaded)) <= heard(MODULES[module])


def test_what_a_body_asks_for_is_found_in_its_source() -> None:
    source = (
        "def body(event):\n    return isinstance(event, _BOTH) or isinstance(event, pb.A | pb.B)"
    )
    kinds = (events_pb2.ContactCreated, events_pb2.ContactUpdated)

    class pb:
        A, B = events_pb2.ContactDeleted, events_pb2.ContactUpdated

    assert asked_for(source, {"_BOTH": kinds, "pb": pb}) == {
        f"crm.contacts.v1.{name}" for name in ("ContactCreated", "ContactUpdated", "ContactDeleted")
    }
    assert any(
        asked_for(inspect.getsource(sys.modules[module]), vars(sys.modules[module]))
        for module in MODULES
    )
