"""Calls of payment providers: who signs, how long that is worth something, and what the body may say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.deals import errors
from services.deals.rules import payment_webhooks, webhooks

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
CONTENT = b'{"id": "e1"}'
SECRET = "whsec_1"
EVENT = {
    "id": "e1", "type": "payment.received", "amount": "100.00", "currency": "PLN", "reference": "ch_1",
    "time": "2026-11-20T13:00:00+01:00", "invoice_number": "FV/2026/0001", "payer_name": "Ana Nowak",
}  # fmt: skip


def test_a_known_signature() -> None:
    """Worked out with another program: printf '1.{}' | openssl dgst -sha256 -hmac whsec_1."""
    known = "t=1,v1=f1ee2c2aeec54799513f774d06f9a665c3082cf76906ba81a8f7e543d31efaed"
    assert webhooks.sign(SECRET, b"{}", 1) == known


@pytest.mark.parametrize("age", [0, 300, -30])
def test_what_is_signed_is_taken_for_five_minutes(age: int) -> None:
    header = webhooks.sign(SECRET, CONTENT, AT - age)
    webhooks.verify(SECRET, header, CONTENT, NOW)
    webhooks.verify(SECRET, header.replace(",", ", v0=older, "), CONTENT, NOW)


@pytest.mark.parametrize(("age", "told"), [(301, "301 s ago"), (-31, "31 s to come")])
def test_what_is_signed_too_long_ago_or_in_the_future_is_refused(age: int, told: str) -> None:
    with pytest.raises(errors.WebhookStale) as refused:
        webhooks.verify(SECRET, webhooks.sign(SECRET, CONTENT, AT - age), CONTENT, NOW)
    [wrong] = refused.value.violations
    assert (wrong.field, wrong.description) == ("signature", told)


@pytest.mark.parametrize(
    "header",
    [
        "", "t=,v1=", f"t={AT}", "v1=00", f"t={AT},v1=", f"t={AT},v1=ł",
        webhooks.sign("whsec_2", CONTENT, AT),
        webhooks.sign(SECRET, CONTENT + b" ", AT),
        webhooks.sign(SECRET, CONTENT, AT).replace(f"t={AT}", f"t={AT + 1}"),
        webhooks.sign(SECRET, CONTENT, AT)[:-1],
        webhooks.sign(SECRET, CONTENT, -AT),
        webhooks.sign(SECRET, CONTENT, 10**400),
    ],
)  # fmt: skip
def test_every_wrong_signature_is_refused_alike(header: str) -> None:
    with pytest.raises(errors.WebhookUnsigned) as refused:
        webhooks.verify(SECRET, header, CONTENT, NOW)
    assert str(refused.value) == str(errors.WebhookUnsigned())


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


def test_the_age_counts_in_real_seconds_whatever_the_zone() -> None:
    header = webhooks.sign(SECRET, CONTENT, AT)
    webhooks.verify(SECRET, header, CONTENT, (NOW + timedelta(minutes=4)).astimezone())
