"""Signed calls of payment providers and carriers over HTTP: the bytes that they signed are the bytes that count (S31, S39)."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis import signed_calls
from chassis.keys import new_key
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, running


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("identity", "deals", "gateway")) as made:
        yield made


@pytest.fixture
async def provider(http: httpx.AsyncClient) -> Any:
    """A provider with its secret and path."""
    made = await http.post("/v1/paymentProviders", json={"name": "PayFast"})
    assert made.status_code == 200, made.text
    return made.json()


def told(amount: str = "12.50") -> bytes:
    """An event whose bytes no program of ours would write."""
    event = {
        "type": "payment.received", "id": "e1", "amount": amount, "currency": "PLN", "reference": "ch_ł",
        "time": "2026-11-20T12:00:00Z",
    }  # fmt: skip
    return json.dumps(event, indent=3, ensure_ascii=True).encode() + b"\n"


def signed(provider: Any, content: bytes) -> dict[str, str]:
    header = signed_calls.sign(provider["secret"], content, int(time.time()))
    return {"akrab-signature": header, "content-type": "application/json"}


async def test_a_signed_call_becomes_a_payment_once(
    crm: Crm, http: httpx.AsyncClient, provider: Any
) -> None:
    async with crm.client() as program:
        first = await program.post(
            provider["path"], content=told(), headers=signed(provider, told())
        )
        again = await program.post(
            provider["path"], content=told(), headers=signed(provider, told())
        )
    assert (first.status_code, first.json()) == (200, again.json()), first.text
    assert first.headers["cache-control"] == "no-store"
    listed = (await http.get("/v1/payments")).json()["payments"]
    assert [(each["id"], each["amount"], each["reference"]) for each in listed] == [
        (first.json()["paymentId"], "12.50", "ch_ł")
    ]
    shown = (await http.get(f"/v1/paymentProviders/{provider['paymentProvider']['id']}")).text
    assert provider["secret"] not in shown


async def test_changed_bytes_and_unknown_keys_get_the_same_401(
    crm: Crm, http: httpx.AsyncClient, tenant: Tenant, provider: Any
) -> None:
    headers, answers = signed(provider, told()), set()
    unknown = f"/v1/public/webhooks/payments/{new_key(tenant.id)}"
    async with crm.client() as program:
        for path, content, sent in (
            (provider["path"], told("99.00"), headers),
            (provider["path"], json.dumps(json.loads(told())).encode(), headers),
            (provider["path"], told(), {}),
            (unknown, told(), headers),
            ("/v1/public/webhooks/payments/nonsense", told(), headers),
        ):
            answer = await program.post(path, content=content, headers=sent)
            answers.add((answer.status_code, answer.json()["reason"], answer.json()["detail"]))
    [(status, reason, _)] = answers
    assert (status, reason) == (401, "WEBHOOK_UNSIGNED")
    assert (await http.get("/v1/payments")).json().get("payments", []) == []


async def test_a_body_that_is_too_large_is_not_read(crm: Crm, provider: Any) -> None:
    async with crm.client() as program:
        answer = await program.post(provider["path"], content=b" " * 70_000)
    assert (answer.status_code, answer.json()["reason"]) == (413, "BODY_TOO_LARGE")


async def test_a_carriers_call_reaches_its_own_door(crm: Crm, http: httpx.AsyncClient) -> None:
    carrier = (await http.post("/v1/carriers", json={"name": "Parcels"})).json()
    assert carrier["path"] == f"/v1/public/webhooks/deliveries/{carrier['carrier']['key']}"
    content = b'{ "id":"e1","type":"delivery.shipped",\n"time":"2026-11-20T12:00:00Z","tracking_number":"JD01"}'
    async with crm.client() as program:
        unknown = await program.post(
            carrier["path"], content=content, headers=signed(carrier, content)
        )
        changed = await program.post(
            carrier["path"], content=content + b" ", headers=signed(carrier, content)
        )
    assert (unknown.status_code, unknown.json()["reason"]) == (422, "DELIVERY_UNKNOWN")
    assert "tracking number" in unknown.json()["detail"]
    assert (changed.status_code, changed.json()["reason"]) == (401, "WEBHOOK_UNSIGNED")
