"""Signing keys rest sealed, and what they sign can be checked with the public half alone."""

from datetime import UTC, datetime, timedelta

import cryptography.exceptions
import jwt
import pytest

from services.identity import signing

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET, OTHER = b"a" * 32, b"b" * 32


def test_an_access_token_is_checked_with_the_public_half() -> None:
    key = signing.new_key("k1", SECRET, NOW)
    token = signing.access_token(
        signing.unseal(key, SECRET),
        "k1",
        user_id="u",
        tenant_id="t",
        session_id="s",
        now_s=1000,
        life_s=900,
    )
    claims = jwt.decode(
        token,
        key.public_pem,
        algorithms=["EdDSA"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims == {"sub": "u", "tid": "t", "sid": "s", "iat": 1000, "exp": 1900}
    assert jwt.get_unverified_header(token)["kid"] == "k1"


def test_another_key_does_not_accept_the_token() -> None:
    key, other = signing.new_key("k1", SECRET, NOW), signing.new_key("k1", SECRET, NOW)
    token = signing.access_token(
        signing.unseal(key, SECRET),
        "k1",
        user_id="u",
        tenant_id="t",
        session_id="s",
        now_s=1000,
        life_s=900,
    )
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other.public_pem, algorithms=["EdDSA"], options={"verify_exp": False})


@pytest.mark.parametrize(("kid", "secret"), [("k1", OTHER), ("k2", SECRET)])
def test_the_private_half_opens_only_with_its_secret_and_name(kid: str, secret: bytes) -> None:
    key = signing.new_key("k1", SECRET, NOW)
    moved = signing.SigningKey(kid, key.public_pem, key.sealed, NOW)
    with pytest.raises(cryptography.exceptions.InvalidTag):
        signing.unseal(moved, secret)


def test_a_public_key_outlives_every_token_it_checks() -> None:
    from services.identity import signing_in

    assert signing.KEEP_PUBLIC.total_seconds() > 2 * signing_in.ACCESS_TOKEN_S


def keys_of_age(*ages: timedelta) -> list[signing.SigningKey]:
    return [signing.SigningKey(f"k{n}", "", b"", NOW - age) for n, age in enumerate(ages)]


@pytest.mark.parametrize(("days", "due"), [(0, False), (29.9, False), (30, True), (400, True)])
def test_a_key_signs_for_thirty_days(days: float, due: bool) -> None:
    assert signing.is_due(keys_of_age(timedelta(days=days), timedelta(days=500)), NOW) is due


def test_without_a_key_one_is_due() -> None:
    assert signing.is_due([], NOW)


def test_a_replaced_key_is_forgotten_an_hour_after_its_successor_was_made() -> None:
    minutes = [timedelta(minutes=m) for m in (10, 59, 61, 500)]
    assert signing.retired(keys_of_age(*minutes), NOW) == ["k3"]
    assert signing.retired(keys_of_age(timedelta(days=31)), NOW) == []
