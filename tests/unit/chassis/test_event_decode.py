"""An event is decoded once for all who read it in a process, and nobody sees what another makes of it."""

from typing import Any

import pytest

from chassis import codec
from chassis.events.decode import Undecodable, decode, own
from crm.contacts.v1 import contact_pb2, events_pb2

TYPE = events_pb2.ContactCreated.DESCRIPTOR.full_name


def body_of(name: str) -> bytes:
    event = events_pb2.ContactCreated(contact=contact_pb2.Contact(display_name=name))
    return codec.to_json(event)


def test_the_same_body_is_decoded_once() -> None:
    first, second = decode(TYPE, body_of("Ana")), decode(TYPE, body_of("Ana"))

    assert first is second
    assert first == events_pb2.ContactCreated(contact=contact_pb2.Contact(display_name="Ana"))


def test_an_own_copy_may_be_changed() -> None:
    mine: Any = own(decode(TYPE, body_of("Budi")) or pytest.fail("it is known"))
    mine.contact.display_name = "changed"

    theirs: Any = decode(TYPE, body_of("Budi"))
    assert theirs.contact.display_name == "Budi"


def test_a_large_body_is_not_kept() -> None:
    body = body_of("x" * 20_000)

    assert decode(TYPE, body) is not decode(TYPE, body)
    assert decode(TYPE, body) == decode(TYPE, body)


def test_one_body_is_read_as_each_type_that_it_is_told_as() -> None:
    created, updated = decode(TYPE, b"{}"), decode("crm.contacts.v1.ContactUpdated", b"{}")

    assert type(created) is not type(updated)
    assert decode("crm.contacts.v1.NoSuchEvent", b"{}") is None


def test_what_is_no_event_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(Undecodable, match=TYPE):
            decode(TYPE, b"no event")
