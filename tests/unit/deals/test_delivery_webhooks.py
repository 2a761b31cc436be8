"""What carriers tell: what a body may say, which delivery is meant, and how it goes on."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.times import to_datetime, to_timestamp
from crm.deals.v1.delivery_pb2 import Delivery
from services.deals import errors
from services.deals.rules import delivery_webhooks as rules
from services.deals.rules.delivery_webhooks import DELIVERED, FAILED, SHIPPED, Event

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BODY = {
    "id": "e1",
    "type": SHIPPED,
    "time": "2026-11-20T10:00:00+01:00",
    "tracking_number": " JD01 ",
}
ID = "01890000-0000-7000-8000-000000000001"
PLANNED = Delivery.STATE_PLANNED


def event(type: str, at: datetime = NOW, **given: Any) -> Event:
    return Event("e1", type, at, **given)


def test_an_event_is_read() -> None:
    read = rules.read(json.dumps({**BODY, "reference": None, "more": [1]}).encode())
    assert (read.type, read.tracking_number, read.reference) == (SHIPPED, "JD01", "")
    assert read.time == datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"id": ""}, ["id"]), ({"type": "delivery.lost"}, ["type"]), ({"type": 7, "time": None}, ["type", "time"]),
        ({"time": "2026-11-20T12:00:00"}, ["time"]), ({"time": "soon"}, ["time"]),
        ({"tracking_number": " "}, ["tracking_number"]), ({"tracking_number": None}, ["tracking_number"]),
        ({"tracking_number": "x" * 101}, ["tracking_number"]), ({"reason": "x" * 501}, ["reason"]),
        ({"reference": 5}, ["reference"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changed: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.read(json.dumps({**BODY, **changed}).encode())
    assert [each.field for each in refused.value.violations] == fields


@pytest.mark.parametrize(
    ("reference", "id"), [(ID, ID), (ID.upper(), ID), ("", ""), ("ours/7", ""), ("\x00", "")]
)
def test_our_id_is_known_however_it_is_written(reference: str, id: str) -> None:
    assert rules.named(event(SHIPPED, reference=reference)) == id


@pytest.mark.parametrize(
    "told", list(itertools.permutations((SHIPPED, SHIPPED, DELIVERED))), ids=lambda told: "-".join(each[9] for each in told)
)  # fmt: skip
def test_what_is_delivered_is_delivered_in_whatever_order_it_is_told(told: tuple[str, ...]) -> None:
    delivery = Delivery(state=PLANNED)
    for each in told:
        rules.follow(delivery, event(each), carrier="C", now=NOW)
    assert delivery.state == Delivery.STATE_DELIVERED


@pytest.mark.parametrize("state", [Delivery.STATE_DELIVERED, Delivery.STATE_FAILED])
@pytest.mark.parametrize("type", [SHIPPED, DELIVERED, FAILED])
def test_what_is_over_does_not_change(state: "Delivery.State", type: str) -> None:
    delivery = Delivery(state=state)
    assert not rules.follow(delivery, event(type, tracking_number="JD01"), carrier="C", now=NOW)
    assert delivery == Delivery(state=state)


def test_what_the_delivery_says_already_stays() -> None:
    delivery = Delivery(state=PLANNED, carrier="Van", tracking_number="OLD")
    assert rules.follow(delivery, event(SHIPPED, tracking_number="NEW"), carrier="C", now=NOW)
    assert (delivery.carrier, delivery.tracking_number) == ("Van", "OLD")


def test_times_are_neither_to_come_nor_before_it_was_shipped() -> None:
    ahead = Delivery(state=PLANNED)
    rules.follow(ahead, event(SHIPPED, NOW + timedelta(hours=1)), carrier="C", now=NOW)
    shipped = Delivery(state=Delivery.STATE_SHIPPED, ship_time=to_timestamp(NOW))
    rules.follow(shipped, event(FAILED, NOW - timedelta(hours=1)), carrier="C", now=NOW)

    assert to_datetime(ahead.ship_time) == to_datetime(shipped.fail_time) == NOW
    assert shipped.fail_reason == "told by C"
