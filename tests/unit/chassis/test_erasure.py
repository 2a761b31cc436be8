"""Which messages tell of an erased record, and which only refer to it."""

from typing import Any

import orjson
import pytest

from chassis import erasure

WHO, OTHER = "0192f3a0-0000-7000-8000-000000000001", "0192f3a0-0000-7000-8000-000000000002"


def tells(event: dict[str, Any], subject: str = "") -> bool:
    return erasure.tells_of({"ce-subject": subject}, orjson.dumps(event), {WHO})


@pytest.mark.parametrize(
    "event",
    [
        {"thing": {"id": WHO, "name": "x"}},
        {"thing": {"id": OTHER, "ownerThingId": WHO}},
        {"thingId": WHO},
        {"thingIds": [OTHER, WHO]},
    ],
)
def test_what_names_the_record_at_the_top_tells_of_it(event: dict[str, Any]) -> None:
    assert tells(event)


def test_what_is_about_the_record_tells_of_it() -> None:
    assert tells({"thing": {"name": "x"}}, subject=WHO)


@pytest.mark.parametrize(
    "event",
    [
        {"thing": {"id": OTHER, "relations": [{"thingId": WHO}]}},
        {"thing": {"id": OTHER, "referrer": {"thingId": WHO}}},
        {"thing": {"id": OTHER}},
        {"change": {"actor": {"id": WHO}}, "thing": {"id": OTHER}},
    ],
)
def test_what_only_refers_stays(event: dict[str, Any]) -> None:
    assert not tells(event, subject=OTHER)


def test_what_the_erasure_and_the_audit_say_stays() -> None:
    assert not tells({"change": {"cause": {"kind": "erasure"}}, "thingId": WHO})
    assert not tells({"audited": {"objectId": WHO}, "thingId": WHO})


def test_what_nobody_can_read_and_names_the_record_goes() -> None:
    assert erasure.tells_of({}, b"{broken " + WHO.encode(), {WHO})
    assert not erasure.tells_of({}, b"{broken", {WHO})
