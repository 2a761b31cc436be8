"""Waiting after failures, and what an old refresh token means."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import signing_in
from services.identity.signing_in import ACCOUNT, PEER, RefreshToken, Renewal, parse_refresh_token

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("failures", "seconds_ago", "wait"),
    [
        (4, 0, 0),
        (5, 0, 1),
        (6, 0, 2),
        (9, 0, 16),
        (9, 10, 6),
        (9, 16, 0),
        (30, 0, 300),
        (10_000, 299, 1),
        (30, 3600, 0),
    ],
)
def test_each_failure_beyond_the_free_ones_doubles_the_wait(
    failures: int, seconds_ago: int, wait: float
) -> None:
    assert signing_in.wait_s(ACCOUNT, failures, NOW - timedelta(seconds=seconds_ago), NOW) == wait


def test_an_address_has_more_free_failures_than_an_account() -> None:
    assert signing_in.wait_s(PEER, 29, NOW, NOW) == 0
    assert signing_in.wait_s(PEER, 30, NOW, NOW) == 1


def test_counter_keys_hide_the_address_and_ignore_letter_case() -> None:
    key = signing_in.counter_key("account", "Dewi@Example.com")
    assert key == signing_in.counter_key("account", "dewi@example.com")
    assert "dewi" not in key
    assert key.startswith("account:")
    assert len(key) == 40


@given(st.uuids(), st.uuids(), st.integers(0, 2**32 - 1))
def test_a_refresh_token_says_what_was_put_in(
    tenant: uuid.UUID, session: uuid.UUID, generation: int
) -> None:
    token = RefreshToken(str(tenant), str(session), generation)
    assert parse_refresh_token(token.signed(KEY), KEY) == token


@given(st.integers(0, 99), st.characters(codec="ascii", categories=("L", "N")))
def test_a_changed_refresh_token_is_not_ours(position: int, letter: str) -> None:
    text = RefreshToken(str(uuid.UUID(int=1)), str(uuid.UUID(int=2)), 7).signed(KEY)
    position = 4 + position % (len(text) - 5)  # behind the prefix; the last letter has unused bits
    changed = text[:position] + letter + text[position + 1 :]
    assert changed == text or parse_refresh_token(changed, KEY) is None


@pytest.mark.parametrize("text", ["", "akr_", "akr_AAAA", "akr_!!", "zażółć", "akt_" + "A" * 90])
def test_other_text_is_not_a_refresh_token(text: str) -> None:
    assert parse_refresh_token(text, KEY) is None


def test_a_token_sealed_with_another_secret_is_not_ours() -> None:
    text = RefreshToken(str(uuid.UUID(int=1)), str(uuid.UUID(int=2)), 7).signed(b"other" * 8)
    assert parse_refresh_token(text, KEY) is None


@pytest.mark.parametrize(
    ("generation", "seconds_since_renewal", "expected"),
    [
        (5, 0, Renewal.ROTATE),
        (5, 86_400, Renewal.ROTATE),
        (4, 10, Renewal.REPEAT),
        (4, 11, Renewal.REUSED),
        (3, 0, Renewal.REUSED),
        (6, 0, Renewal.ENDED),
    ],
)
def test_only_the_newest_token_renews_a_session(
    generation: int, seconds_since_renewal: int, expected: Renewal
) -> None:
    outcome = signing_in.renewal(
        generation,
        newest=5,
        renewed=NOW - timedelta(seconds=seconds_since_renewal),
        expires=NOW + timedelta(days=1),
        revoked=False,
        now=NOW,
    )
    assert outcome is expected


@pytest.mark.parametrize(("revoked", "expires_in_s"), [(True, 60), (False, 0)])
def test_an_ended_session_is_never_renewed(revoked: bool, expires_in_s: int) -> None:
    expires = NOW + timedelta(seconds=expires_in_s)
    outcome = signing_in.renewal(
        5, newest=5, renewed=NOW, expires=expires, revoked=revoked, now=NOW
    )
    assert outcome is Renewal.ENDED
