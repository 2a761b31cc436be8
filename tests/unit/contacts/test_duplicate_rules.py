"""How sure it is that two records are one, and under which keys they meet."""

from typing import Any

import pytest

from crm.contacts.v1.company_pb2 import Company
from crm.contacts.v1.contact_pb2 import Contact
from services.contacts.rules import duplicates as rules

PHONE = [{"number": "+48601234567"}]
EMAIL = [{"address": "jan@example.com"}]


def profile(**values: Any) -> rules.Profile:
    return rules.profile(Contact(id="x", **values))


def jan(**values: Any) -> rules.Profile:
    return profile(given_name="Jan", family_name="Kowalski", **values)


@pytest.mark.parametrize(
    ("one", "other", "score"),
    [
        (jan(), jan(), 45),
        (jan(phones=PHONE), jan(phones=PHONE), 85),
        (jan(phones=PHONE, emails=EMAIL), jan(phones=PHONE, emails=EMAIL), 100),
        (profile(phones=PHONE), jan(phones=PHONE), 40),
        (profile(given_name="Ewa", family_name="Lis", phones=PHONE), jan(phones=PHONE), 10),
        (profile(given_name="Ewa", family_name="Lis"), jan(), 0),
        (jan(birthday={"year": 1980, "month": 5, "day": 1}), jan(birthday={"year": 1981, "month": 5, "day": 1}), 15),
        (jan(birthday={"year": 1980, "month": 5, "day": 1}), jan(birthday={"year": 1980, "month": 5, "day": 1}), 60),
    ],
)  # fmt: skip
def test_scores(one: rules.Profile, other: rules.Profile, score: int) -> None:
    assert rules.score(one, other)[0] == rules.score(other, one)[0] == score


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Jan", "Kowalski"), ("Kowalski", "Jan")),
        (("Małgorzata", "Wiśniewska"), ("Malgorzata", "Wisniewsak")),
        (("Siti", "Nurhaliza"), ("SITI", "NURHALIZA")),
        (("Ярослав", "Мельник"), ("Ярослав", "Мельнык")),
    ],
)
def test_twins_with_a_slip_share_a_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = (
        profile(given_name=given, family_name=family) for given, family in (one, other)
    )
    assert rules.keys(first) & rules.keys(second)
    assert rules.NAME in rules.score(first, second)[1]


def test_an_extension_makes_a_switchboard_no_common_phone() -> None:
    one = jan(phones=[{"number": "+48221234567", "extension": "1"}])
    assert one.phones == frozenset()


def test_a_company_is_named_without_its_legal_form() -> None:
    first, second = (
        rules.profile(Company(id="x", name=name)) for name in ("Okna Sp. z o.o.", "OKNA S.A.")
    )
    assert (first.name, rules.profile(Company(id="x", name="Company")).name) == ("okna", "company")
    assert "okna" in second.name


def test_keys_are_numbers_that_say_nothing() -> None:
    found = rules.keys(jan(phones=PHONE, emails=EMAIL))
    assert all(-(1 << 63) <= key < 1 << 63 for key in found)
    assert len(found) >= 5


def test_pairs_hold_groups_together() -> None:
    assert rules.groups([("b", "c"), ("a", "b"), ("x", "y")]) == [["a", "b", "c"], ["x", "y"]]


def test_reasons_as_bits_and_back() -> None:
    assert rules.unmasked(rules.mask([rules.NAME, rules.PHONE])) == [rules.PHONE, rules.NAME]
