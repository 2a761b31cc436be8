"""NATS credentials of API tokens (M1): what a token may do on NATS, and the signed answers of the auth callout.

A token reads through durable pull consumers that identity makes for it, one in each stream, all named by the token's id and
filtered to `crm.<tenant>.>`. The token may ask those for messages and acknowledge, and nothing else: a client that could make
consumers could make one that pushes another tenant's events to it.

Formats: NATS "auth callout" (request on $SYS.REQ.USER.AUTH, ADR-26) and NATS JWT v2 (`alg` ed25519-nkey).
"""

import json
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.nkey import AccountKey

CALLOUT_SUBJECT = "$SYS.REQ.USER.AUTH"
ACCOUNT = "CRM"
"""The NATS account of the installation; deploy/local and deploy/k8s configure the server with it."""
USER_LIFE_S = 3600
"""A connection ends after an hour and the client comes back by itself; revocation does not wait for it (see `nats_tasks`)."""

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """What the server asks: which client, under which key, with which name and password."""

    server_id: str
    user_nkey: str
    user: str
    password: str


def parse_request(token: bytes) -> AuthRequest:
    """The question in a callout request. Only the server can publish it, so its signature adds nothing."""
    body = token.split(b".")[1]
    nats = json.loads(urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["nats"]
    options = nats.get("connect_opts", {})
    return AuthRequest(
        nats["server_id"]["id"], nats["user_nkey"], options.get("user", ""), options.get("pass", "")
    )


def subjects_of(tenant_id: str) -> str:
    """The filter of every consumer of a tenant's token."""
    return f"crm.{tenant_id}.>"


def inbox_prefix(token_id: str) -> str:
    """The inbox prefix that a client of this token must choose."""
    return f"_INBOX.{token_id}"


def permissions(token_id: str, streams: Iterable[str]) -> tuple[list[str], list[str]]:
    """(may publish to, may subscribe to): pull and acknowledge on the token's own consumer in each stream."""
    publish = []
    for stream in sorted(streams):
        publish += [
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{token_id}",
            f"$JS.API.CONSUMER.INFO.{stream}.{token_id}",
            f"$JS.ACK.{stream}.{token_id}.>",
        ]
    return publish, [f"{inbox_prefix(token_id)}.>"]


def admission(
    request: AuthRequest, *, issuer: AccountKey, streams: Iterable[str], now_s: int, until_s: int
) -> bytes:
    """The signed answer that lets the client in with exactly the permissions of its token until `until_s`."""
    publish, subscribe = permissions(request.user, streams)
    user: Claims = {
        "aud": ACCOUNT,
        "sub": request.user_nkey,
        "name": request.user,
        "exp": until_s,
        "nats": {
            "type": "user",
            "version": 2,
            # An empty allow list would mean everything.
            "pub": {"allow": publish} if publish else {"deny": [">"]},
            "sub": {"allow": subscribe},
            "subs": 20,
            "data": -1,
            "payload": -1,
        },
    }
    return _answer(request, {"jwt": _signed(user, issuer, now_s).decode()}, issuer, now_s)


def refusal(request: AuthRequest, *, issuer: AccountKey, now_s: int) -> bytes:
    """The signed answer that keeps the client out; it says nothing about why."""
    return _answer(request, {"error": "not authorised"}, issuer, now_s)


def _answer(
    request: AuthRequest, outcome: Mapping[str, str], issuer: AccountKey, now_s: int
) -> bytes:
    claims: Claims = {
        "aud": request.server_id,
        "sub": request.user_nkey,
        "nats": {"type": "authorization_response", "version": 2, **outcome},
    }
    return _signed(claims, issuer, now_s)


def _signed(claims: Claims, issuer: AccountKey, now_s: int) -> bytes:
    full = {"jti": uuid.uuid4().hex, "iat": now_s, "iss": issuer.public_key, **claims}
    head = _encoded(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    body = head + b"." + _encoded(json.dumps(full).encode())
    return body + b"." + _encoded(issuer.sign(body))


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
