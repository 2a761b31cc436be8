"""Calls of payment providers: what the body may say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.deals import errors
from services.deals.rules import payment_webhooks

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENT = {
    "id": "e1", "type": "payment.received", "amount": "100.00", "currency": "PLN", "reference": "ch_1",
    "time": "2026-11-20T13:00:00+01:00", "invoice_number": "FV/2026/0001", "payer_name": "Ana Nowak",
}  # fmt: skip


def test_an_event_is_read() -> None:
    event = payment_webhooks.read(json.dumps({**EVENT, "unknown": {"more": 1}}).encode())
    assert (event.id, event.amount, event.invoice_number) == ("e1", "100.00", "FV/2026/0001")
    assert event.time == NOW
    assert (
        payment_webhooks.read(json.dumps({**EVENT, "payer_name": None}).encode()).payer_name == ""
    )


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"id": ""}, ["id"]), ({"id": "x" * 201}, ["id"]), ({"amount": 100}, ["amount"]),
        ({"amount": "1e3"}, ["amount"]), ({"amount": "-1"}, ["amount"]), ({"amount": "NaN"}, ["amount"]),
        ({"type": "payment.lost"}, ["type"]), ({"payer_name": 7}, ["payer_name"]), ({"reference": "a\x00"}, ["reference"]),
        ({"time": "2026-11-20T12:00:00"}, ["time"]), ({"time": "yesterday"}, ["time"]),
        ({"currency": "ZLOTY", "reference": None}, ["currency", "reference"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changed: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        payment_webhooks.read(json.dumps({**EVENT, **changed}).encode())
    assert [each.field for each in refused.value.violations] == fields


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"id": "\\ud800"}'])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        payment_webhooks.read(content)
    assert [each.field for each in refused.value.violations] == ["content"]
