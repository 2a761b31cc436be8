"""Numbers in every spelling people use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import phones


@pytest.mark.parametrize(
    ("written", "region", "kept"),
    [
        ("601 234 567", "PL", "+48601234567"),
        ("+48 601-234-567", "ID", "+48601234567"),
        ("0048601234567", "PL", "+48601234567"),
        ("(0812) 3456-7890", "ID", "+6281234567890"),
        ("+62 812 3456 7890", "PL", "+6281234567890"),
        ("012-345 6789", "MY", "+60123456789"),
        ("+44 20 7946 0958", "", "+442079460958"),
    ],
)
def test_every_spelling_is_kept_in_one_form(written: str, region: str, kept: str) -> None:
    assert phones.parse(written, region) == phones.Dialled(kept)


def test_extension_is_kept_apart() -> None:
    assert phones.parse("22 123 45 67 ext. 15", "PL") == phones.Dialled("+48221234567", "15")


@pytest.mark.parametrize(
    "written", ["", "   ", "call me", "123", "+48 1", "+999 123 456 789", "0" * 40]
)
def test_what_no_telephone_can_have_is_none(written: str) -> None:
    assert phones.parse(written, "PL") is None


def test_national_spelling_without_country_is_none() -> None:
    assert phones.parse("601 234 567", "") is None


@given(st.text(max_size=40), st.sampled_from(["PL", "ID", "MY", "GB", "", "XX"]))
def test_parsing_never_raises_and_repeats_itself(written: str, region: str) -> None:
    dialled = phones.parse(written, region)
    if dialled is not None:
        assert dialled.number.startswith("+")
        assert phones.parse(dialled.number, "PL") == phones.Dialled(dialled.number)
