"""Page tokens carry typed values, and are good for one list only."""

import string
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kit.page_token import PageTokenError, PageTokens, Token, Value

TOKENS = PageTokens(b"0123456789abcdef0123456789abcdef")
VALUES: list[Value] = [
    "l{ukasz\t04", "", 42, -(2**63), True, False, None, Decimal("10.50"),
    datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC), date(2026, 1, 31),
    UUID("01890000-0000-7000-8000-000000000001"),
]  # fmt: skip

values = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=50),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.uuids(),
)


def test_values_survive_with_their_types() -> None:
    token = TOKENS.read(TOKENS.make(VALUES, True, "shape"), shape="shape")
    assert token == Token(tuple(VALUES), descending=True)
    assert [type(value) for value in token.values] == [type(value) for value in VALUES]


@given(st.lists(values, max_size=5), st.booleans(), st.binary())
def test_every_token_reads_back(row: list[Value], descending: bool, shape: bytes) -> None:
    token = TOKENS.read(TOKENS.make(row, descending, shape), shape=shape)
    assert token == Token(tuple(row), descending)
    assert [type(value) for value in token.values] == [type(value) for value in row]


def test_a_token_is_short_and_needs_no_quoting_in_a_url() -> None:
    token = TOKENS.make(["l{ukasz", UUID(int=7)], False, "shape")
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert len(token) < 120


def test_text_and_bytes_of_a_shape_are_the_same_shape() -> None:
    assert TOKENS.read(TOKENS.make([1], False, "ż"), shape="ż".encode()).values == (1,)


def test_changing_any_character_is_refused() -> None:
    token = TOKENS.make(["Anna", 7], False, "shape")
    for position in range(len(token)):
        for other in (string.ascii_letters + string.digits + "-_=+/ é").replace(
            token[position], ""
        ):
            forged = token[:position] + other + token[position + 1 :]
            with pytest.raises(PageTokenError):
                TOKENS.read(forged, shape="shape")


@pytest.mark.parametrize("extra", ["=", "==", "A", "\n", " ", "."])
def test_a_token_has_one_spelling(extra: str) -> None:
    token = TOKENS.make(["Anna"], False, "shape")
    for forged in (token + extra, extra + token):
        with pytest.raises(PageTokenError):
            TOKENS.read(forged, shape="shape")


def test_a_cut_token_is_refused() -> None:
    token = TOKENS.make(["Anna"], False, "shape")
    for length in range(len(token)):
        with pytest.raises(PageTokenError):
            TOKENS.read(token[:length], shape="shape")


def test_a_token_of_another_list_or_installation_is_refused_with_the_way_out() -> None:
    token = TOKENS.make(["Anna"], False, "filter|order|q|tenant")
    others = PageTokens(b"another secret of 32 bytes or more")
    for reader, shape in ((TOKENS, "filter|order|q|other"), (others, "filter|order|q|tenant")):
        with pytest.raises(PageTokenError, match="start again without page_token"):
            reader.read(token, shape=shape)


@given(st.text(max_size=60))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(PageTokenError):
        TOKENS.read(text, shape="shape")


def test_an_overlong_token_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(PageTokenError):
        TOKENS.read("A" * 1_000_000, shape="shape")


def test_times_of_other_zones_keep_their_instant() -> None:
    warsaw = datetime(2026, 1, 31, 9, tzinfo=timezone(timedelta(hours=1)))
    assert TOKENS.read(TOKENS.make([warsaw], False, ""), shape="").values == (warsaw,)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (1.5, TypeError),
        (b"x", TypeError),
        (["t", "x"], TypeError),
        (datetime(2026, 1, 31, 8, 0), ValueError),  # without a zone
        (2**64, ValueError),
        ("x" * 9000, ValueError),
    ],
)
def test_a_value_that_cannot_travel_is_the_makers_error(
    value: Value, error: type[Exception]
) -> None:
    with pytest.raises(error):
        TOKENS.make([value], False, "shape")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PageTokens(b"short")
