"""Tax numbers of the countries our users live in."""

import pytest

from services.contacts import tax_numbers
from services.contacts.tax_numbers import Checked, WrongTaxNumber


@pytest.mark.parametrize(
    ("country", "kind", "written", "checked"),
    [
        ("PL", "", "526-025-09-95", Checked("PL", "nip", "5260250995", True)),
        ("pl", "NIP", "5260250995", Checked("PL", "nip", "5260250995", True)),
        ("PL", "regon", "192598184", Checked("PL", "regon", "192598184", True)),
        ("ID", "", "01.312.166.0-091.000", Checked("ID", "npwp", "013121660091000", True)),
        ("DE", "vat", "DE136695976", Checked("DE", "vat", "136695976", True)),
    ],
)
def test_a_right_number_is_kept_compact(
    country: str, kind: str, written: str, checked: Checked
) -> None:
    assert tax_numbers.check(country, kind, written) == checked


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("5260250994", "check digits"),
        ("526025099", "number of digits"),
        ("52602509A5", "characters"),
    ],
)
def test_a_wrong_number_says_why(written: str, why: str) -> None:
    with pytest.raises(WrongTaxNumber, match=why):
        tax_numbers.check("PL", "", written)


@pytest.mark.parametrize(
    ("country", "kind"), [("XK", ""), ("PL", "loyalty_card"), ("PL", "../os"), ("", "")]
)
def test_without_a_known_rule_the_number_is_kept_unverified(country: str, kind: str) -> None:
    checked = tax_numbers.check(country, kind, " 12-34 ab ")
    assert (checked.number, checked.verified) == ("1234AB", False)
