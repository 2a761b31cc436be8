"""The signed answers of the NATS auth callout."""

import json
from base64 import b32decode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.nkey import AccountKey, new_account_seed
from services.identity import nats_access

TENANT, TOKEN = "0190aaaa-0000-7000-8000-000000000001", "0190bbbb-0000-7000-8000-000000000002"


@pytest.fixture
def issuer() -> AccountKey:
    return AccountKey(new_account_seed())


def request_of(**options: str) -> nats_access.AuthRequest:
    claims = {
        "nats": {"server_id": {"id": "NSERVER"}, "user_nkey": "UCLIENT", "connect_opts": options}
    }
    body = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    return nats_access.parse_request(b"head." + body + b".seal")


def opened(token: bytes, issuer: AccountKey) -> dict[str, Any]:
    head, body, seal = (
        urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in token.split(b".")
    )
    public = b32decode(issuer.public_key + "=" * (-len(issuer.public_key) % 8))[1:33]
    Ed25519PublicKey.from_public_bytes(public).verify(seal, token.rpartition(b".")[0])
    assert json.loads(head) == {"typ": "JWT", "alg": "ed25519-nkey"}
    return json.loads(body)


def test_a_request_names_client_and_password() -> None:
    assert request_of(user=TOKEN, **{"pass": "akt_x"}) == nats_access.AuthRequest(
        "NSERVER", "UCLIENT", TOKEN, "akt_x"
    )
    assert request_of() == nats_access.AuthRequest("NSERVER", "UCLIENT", "", "")


def test_a_token_may_pull_and_acknowledge_its_own_consumers_and_nothing_else() -> None:
    publish, subscribe = nats_access.permissions(TOKEN, ["IDENTITY", "CONTACTS"])
    assert publish == [
        f"$JS.API.CONSUMER.MSG.NEXT.CONTACTS.{TOKEN}",
        f"$JS.API.CONSUMER.INFO.CONTACTS.{TOKEN}",
        f"$JS.ACK.CONTACTS.{TOKEN}.>",
        f"$JS.API.CONSUMER.MSG.NEXT.IDENTITY.{TOKEN}",
        f"$JS.API.CONSUMER.INFO.IDENTITY.{TOKEN}",
        f"$JS.ACK.IDENTITY.{TOKEN}.>",
    ]
    assert subscribe == [f"_INBOX.{TOKEN}.>"]
    assert nats_access.subjects_of(TENANT) == f"crm.{TENANT}.>"


def test_an_admission_carries_a_user_signed_by_the_account(issuer: AccountKey) -> None:
    request = request_of(user=TOKEN, **{"pass": "akt_x"})
    answer = opened(
        nats_access.admission(request, issuer=issuer, streams=["CONTACTS"], now_s=100, until_s=200),
        issuer,
    )
    assert (answer["aud"], answer["sub"], answer["nats"]["type"]) == (
        "NSERVER",
        "UCLIENT",
        "authorization_response",
    )
    user = opened(answer["nats"]["jwt"].encode(), issuer)
    assert (user["aud"], user["sub"], user["exp"], user["iss"]) == (
        "CRM",
        "UCLIENT",
        200,
        issuer.public_key,
    )
    assert "akt_x" not in json.dumps(user)
    assert user["nats"]["sub"] == {"allow": [f"_INBOX.{TOKEN}.>"]}


def test_a_token_without_streams_may_publish_nothing(issuer: AccountKey) -> None:
    answer = opened(
        nats_access.admission(
            request_of(user=TOKEN), issuer=issuer, streams=[], now_s=1, until_s=2
        ),
        issuer,
    )
    user = opened(answer["nats"]["jwt"].encode(), issuer)
    assert user["nats"]["pub"] == {"deny": [">"]}


def test_a_refusal_says_nothing(issuer: AccountKey) -> None:
    answer = opened(nats_access.refusal(request_of(user="x"), issuer=issuer, now_s=100), issuer)
    assert answer["nats"] == {
        "type": "authorization_response",
        "version": 2,
        "error": "not authorised",
    }
