"""A telephone exchange's signed call over HTTP: the bytes that it signed are the bytes that count (M17)."""

import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from chassis import signed_calls
from tests.service.gateway.conftest import Crm, running


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("identity", "telephony", "gateway")) as made:
        yield made


async def test_signed_bytes_become_a_call_and_others_do_not(
    crm: Crm, http: httpx.AsyncClient
) -> None:
    connection = {"name": "Cloud", "kind": "KIND_WEBHOOK", "address": "https://pbx.example/dial"}
    made = (await http.post("/v1/telephoneConnections", json=connection)).json()
    began = {
        "type": "began", "call_id": "c1", "leg_id": "a", "time": "2026-11-20T12:00:00Z", "side": "outside",
        "number": "48600100200", "line": "48300000101",
    }  # fmt: skip
    content = json.dumps({"events": [began]}, indent=3).encode() + b"\n"
    headers = {
        "akrab-signature": signed_calls.sign(made["secret"], content, int(time.time())),
        "content-type": "application/json",
    }

    async with crm.client() as program:
        changed = await program.post(made["path"], content=content.strip(), headers=headers)
        large = await program.post(made["path"], content=b" " * 70_000, headers=headers)
        first = await program.post(made["path"], content=content, headers=headers)
        again = await program.post(made["path"], content=content, headers=headers)

    assert (changed.status_code, changed.json()["reason"]) == (401, "SIGNATURE_WRONG")
    assert (large.status_code, large.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert (first.status_code, first.json()) == (200, {"taken": 1}), first.text
    assert (again.status_code, again.json().get("taken", 0)) == (200, 0)
    assert len((await http.get("/v1/calls")).json()["calls"]) == 1
