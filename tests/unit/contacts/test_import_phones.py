"""The short way of imports reads a number as the library does, whatever is written."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import phones
from services.contacts import import_phones

CODES = ("", "48", "62", "60", "65", "49", "1", "7", "39")
REGIONS = ("PL", "ID", "MY", "SG", "DE", "US", "RU", "IT", "GB", "AU", "CZ", "")
DIGITS = "0123456789"


def _written(start: str, first: str, digits: str, marks: str) -> str:
    """`start`, then `first`, then each digit behind its mark; "_" is no mark."""
    rest = (mark.strip("_") + digit for mark, digit in zip(marks, digits, strict=False))
    return start + first + "".join(rest)


written = st.builds(
    _written,
    st.sampled_from(["".join(parts) for parts in product(("", "+", "00", "0"), CODES, ("", " "), ("", "("))]),
    st.builds(str.__add__, st.text(DIGITS, min_size=1, max_size=4), st.sampled_from(["", ")"])),
    st.text(DIGITS, min_size=2, max_size=12),
    st.text("_ .-", min_size=12, max_size=12),
)  # fmt: skip


@pytest.mark.large
@settings(max_examples=300, deadline=None)
@given(text=written, region=st.sampled_from(REGIONS))
def test_plain_numbers_are_read_as_the_library_reads_them(text: str, region: str) -> None:
    assert import_phones.dialled(text, region) == phones.parse(text, region)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("601 234 567", "PL", "+48601234567"),
        ("+48 (601) 234-567", "pl", "+48601234567"),
        ("812.3456.7890", "ID", "+6281234567890"),
    ],
)
def test_the_short_way_is_taken(text: str, region: str, number: str) -> None:
    assert import_phones._plain(text, region) == phones.Dialled(number)


@pytest.mark.parametrize("text", ["0812 3456 7890", "48601234567", "601 234 567 ext. 5", "12"])
def test_what_needs_the_library_is_left_to_it(text: str) -> None:
    assert import_phones._plain(text, "PL") is None
