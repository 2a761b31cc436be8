"""The short way of imports reads a number as the library does, whatever is written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contacts import import_phones, phones

REGIONS = ("PL", "ID", "MY", "SG", "DE", "US", "RU", "IT", "GB", "AU", "CZ", "")
written = st.from_regex(r"(\+|00|0)?(48|62|60|65|49|1|7|39)?[ ]?\(?[0-9]{1,4}\)?([ .\-]?[0-9]){2,12}", fullmatch=True)  # fmt: skip


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
