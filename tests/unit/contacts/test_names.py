"""Names are compared as people would."""

import pytest

from services.contacts import names


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("Jan Kowalski", ("Jan", "Kowalski")),
        ("Suharto", ("Suharto", "")),
        ("", ("", "")),
        ("  Siti  Nur Haliza ", ("Siti Nur", "Haliza")),
    ],
)
def test_split(written: str, parts: tuple[str, str]) -> None:
    assert names.split(written) == parts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jan Kowalski", "Kowalski Jan"),
        ("JAN KOWALSKI", "Jan Kowalski"),
        ("Zofia Wisniewska", "Zofia Wiśniewska"),
        ("Jan", "Jan Kowalski"),
        ("", "Jan"),
        ("Jan", ""),
        ("Anna Nowak-Lis", "Anna Nowak"),
    ],
)
def test_the_same_person(one: str, other: str) -> None:
    assert not names.differ(one, other)
    assert not names.differ(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Jan Kowalski", "Anna Kowalska"), ("Budi", "Siti"), ("Jan Lis", "Jan Nowak")],
)
def test_another_person(one: str, other: str) -> None:
    assert names.differ(one, other)


def test_sorted_by_family_name_where_there_is_one() -> None:
    assert names.sort_text("Jan", "Kowalski", "Jan Kowalski") == "Kowalski Jan"
    assert names.sort_text("Suharto", "", "Suharto") == "Suharto"
