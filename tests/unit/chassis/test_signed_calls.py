"""Calls that others sign: by whom, and how long that is worth something."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis import signed_calls

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
CONTENT = b'{"id": "e1"}'
SECRET = "whsec_1"


def test_a_known_signature() -> None:
    """Worked out with another program: printf '1.{}' | openssl dgst -sha256 -hmac whsec_1."""
    known = "t=1,v1=f1ee2c2aeec54799513f774d06f9a665c3082cf76906ba81a8f7e543d31efaed"
    assert signed_calls.sign(SECRET, b"{}", 1) == known


def test_who_signs_says_when() -> None:
    header = signed_calls.sign(SECRET, CONTENT, AT)
    assert signed_calls.signed_at(SECRET, header, CONTENT) == AT
    assert signed_calls.signed_at(SECRET, header.replace(",", ", v0=older, "), CONTENT) == AT


@pytest.mark.parametrize(
    ("age", "fresh"), [(0, True), (300, True), (-30, True), (301, False), (-31, False)]
)
def test_what_is_signed_is_taken_for_five_minutes(age: int, fresh: bool) -> None:
    assert signed_calls.is_fresh(AT - age, NOW) is fresh


def test_the_age_counts_in_real_seconds_whatever_the_zone() -> None:
    assert signed_calls.is_fresh(AT, (NOW + timedelta(minutes=4)).astimezone())


@pytest.mark.parametrize(
    "header",
    [
        "", "t=,v1=", f"t={AT}", "v1=00", f"t={AT},v1=", f"t={AT},v1=ł",
        signed_calls.sign("whsec_2", CONTENT, AT),
        signed_calls.sign(SECRET, CONTENT + b" ", AT),
        signed_calls.sign(SECRET, CONTENT, AT).replace(f"t={AT}", f"t={AT + 1}"),
        signed_calls.sign(SECRET, CONTENT, AT)[:-1],
        signed_calls.sign(SECRET, CONTENT, -AT),
        signed_calls.sign(SECRET, CONTENT, 10**400),
    ],
    ids=[
        "empty", "nothing in it", "no code", "no time", "empty code", "letters", "another secret",
        "other bytes", "another time", "cut", "before 1970", "no time at all",
    ],
)  # fmt: skip
def test_what_this_secret_has_not_signed_is_nobodys(header: str) -> None:
    assert signed_calls.signed_at(SECRET, header, CONTENT) is None
