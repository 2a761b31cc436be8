"""Which paths guards may name, and when what they name is filled."""

import pytest

from crm.contacts.v1 import contact_pb2
from crm.deals.v1 import deal_pb2
from services.deals.rules import fields

KNOWN = [
    "deal.amount", "deal.promise.time", "deal.custom.colour", "deal.expected_close_date", "deal.lines",
    "contact", "company", "contact.phones", "contact.custom.size", "contact.birthday", "company.tax_numbers",
]  # fmt: skip
UNKNOWN = [
    "deal", "deal.", "deal.colour", "deal.custom", "deal.custom.size", "deal.can", "deal.lines.quantity",
    "contact.phones.number", "contact.custom.", "contact.custom.a b", "company.birthday", "task.subject", "",
]  # fmt: skip


@pytest.mark.parametrize("path", KNOWN)
def test_a_guard_may_name_fields_of_the_deal_and_its_customer(path: str) -> None:
    assert fields.is_known(path, {"colour"})


@pytest.mark.parametrize("path", UNKNOWN)
def test_a_guard_may_not_name_what_is_no_field(path: str) -> None:
    assert not fields.is_known(path, {"colour"})


def test_a_field_is_filled_if_it_holds_something() -> None:
    deal = deal_pb2.Deal(title="Windows", amount="0", probability=0)
    deal.promise.text = "soon"
    deal.custom["colour"].string_value = "white"
    deal.custom["wide"].bool_value = False
    deal.custom["empty"].string_value = "  "
    deal.custom["none"].null_value = 0  # type: ignore[assignment]
    deal.custom["many"].list_value.SetInParent()

    filled = set(fields.filled(deal))

    assert filled == {
        "title", "amount", "probability", "promise", "promise.text", "custom", "custom.colour", "custom.wide",
    }  # fmt: skip
    assert not fields.is_filled(deal, "promise.time")


def test_what_a_contact_has_is_told_by_its_fields_and_never_by_their_content() -> None:
    contact = contact_pb2.Contact(given_name="Ewa")
    contact.phones.add(number="+48123456789")
    contact.custom["size"].number_value = 0

    filled = set(fields.filled(contact))

    assert filled == {"given_name", "phones", "custom", "custom.size"}
