"""What a contact and a company must be to be kept."""

from datetime import date

import pytest
from google.type.date_pb2 import Date

from crm.common.v1.common_pb2 import Link
from crm.contacts.v1.company_pb2 import Company
from crm.contacts.v1.contact_pb2 import Contact
from crm.contacts.v1.party_pb2 import Email, ExternalId, PartyNeed, Phone, Relation, TaxNumber
from services.contacts import errors
from services.contacts.rules import contacts as rules

TODAY = date(2026, 5, 4)
ID, OTHER = "0197c1aa-0000-7000-8000-000000000001", "0197c1aa-0000-7000-8000-000000000002"


def normal(contact: Contact, region: str = "PL") -> Contact:
    rules.normalise_contact(contact, region=region, today=TODAY)
    return contact


def fields_of(error: pytest.ExceptionInfo[errors.ValuesInvalid]) -> list[str]:
    return [violation.field for violation in error.value.violations]


def test_phones_and_emails_are_kept_once_in_one_spelling() -> None:
    contact = normal(
        Contact(
            phones=[
                Phone(number="601 234 567"),
                Phone(number="+48 601-234-567"),
                Phone(number="22 123 45 67 ext 8"),
            ],
            emails=[Email(address="Jan@Example.PL "), Email(address="jan@example.pl")],
        )
    )
    assert [(p.number, p.extension) for p in contact.phones] == [
        ("+48601234567", ""),
        ("+48221234567", "8"),
    ]
    assert [e.address for e in contact.emails] == ["jan@example.pl"]


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        (Contact(given_name=" Jan ", family_name="Kowalski"), "Jan Kowalski"),
        (Contact(given_name="Suharto"), "Suharto"),
        (Contact(given_name="Jan", display_name="Janek  od okien"), "Janek od okien"),
        (Contact(phones=[Phone(number="601234567")]), "+48601234567"),
        (Contact(emails=[Email(address="a@b.pl")]), "a@b.pl"),
    ],
)
def test_every_contact_has_a_name_to_show(contact: Contact, shown: str) -> None:
    assert normal(contact).display_name == shown


@pytest.mark.parametrize("contact", [Contact(), Contact(given_name="  "), Contact(position="head")])
def test_a_contact_that_nobody_could_recognise_or_reach_is_refused(contact: Contact) -> None:
    with pytest.raises(errors.ContactEmpty):
        normal(contact)


def test_everything_wrong_is_named_at_once() -> None:
    contact = Contact(
        id=ID, given_name="Jan", phones=[Phone(number="601234567"), Phone(number="12")],
        tax_numbers=[TaxNumber(number="5260250994")],
        external_ids=[ExternalId(system="shop", id="1"), ExternalId(system="shop", id="2")],
        relations=[Relation(kind="spouse"), Relation(kind="self", contact_id=ID)],
        needs=[PartyNeed(need_id=OTHER), PartyNeed(need_id=OTHER, strength=2)],
        referrer=Link(contact_id=ID), birthday=Date(month=2, day=30),
    )  # fmt: skip
    with pytest.raises(errors.ValuesInvalid) as refused:
        normal(contact)
    assert refused.value.reason == "VALUES_INVALID"
    assert fields_of(refused) == [
        "phones[1].number", "tax_numbers[0].number", "external_ids[1].system", "relations[0]", "relations[1]", "referrer",
        "needs[1].need_id", "birthday",
    ]  # fmt: skip


def test_wrong_phones_alone_have_their_own_reason() -> None:
    with pytest.raises(errors.PhoneInvalid) as refused:
        normal(Contact(phones=[Phone(number="12")]))
    assert (refused.value.reason, fields_of(refused)) == ("PHONE_INVALID", ["phones[0].number"])


def test_wrong_tax_numbers_alone_have_their_own_reason() -> None:
    with pytest.raises(errors.TaxNumberInvalid) as refused:
        normal(Contact(given_name="Jan", tax_numbers=[TaxNumber(country="PL", number="1")]))
    assert refused.value.reason == "TAX_NUMBER_INVALID"


def test_tax_number_takes_the_tenants_country() -> None:
    contact = normal(Contact(given_name="Jan", tax_numbers=[TaxNumber(number="526-025-09-95")]))
    assert contact.tax_numbers[0] == TaxNumber(country="PL", kind="nip", number="5260250995")


@pytest.mark.parametrize(
    "born",
    [Date(month=2, day=29), Date(year=2024, month=2, day=29), Date(year=1931, month=12, day=1)],
)
def test_birthdays_with_and_without_a_year(born: Date) -> None:
    assert normal(Contact(given_name="A", birthday=born)).birthday == born


@pytest.mark.parametrize(
    "born",
    [
        Date(year=2023, month=2, day=29),
        Date(year=1800, month=1, day=1),
        Date(year=2026, month=5, day=5),
        Date(year=2000),
        Date(month=13, day=1),
        Date(year=-5, month=1, day=1),
        Date(year=99999, month=1, day=1),
    ],
)
def test_impossible_birthdays_are_refused(born: Date) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        normal(Contact(given_name="A", birthday=born))
    assert fields_of(refused) == ["birthday"]


def test_the_owner_is_no_follower() -> None:
    contact = normal(Contact(given_name="A", owner_id=ID, follower_ids=[OTHER, ID, OTHER]))
    assert list(contact.follower_ids) == [OTHER]


def test_display_name_follows_the_names_unless_it_has_a_form_of_its_own() -> None:
    old = Contact(given_name="Jan", family_name="Nowak", display_name="Jan Nowak")
    married = Contact(given_name="Jan", family_name="Lis", display_name="Jan Nowak")
    rules.rename(married, old)
    assert married.display_name == "Jan Lis"

    old.display_name = married.display_name = "Janek"
    rules.rename(married, old)
    assert married.display_name == "Janek"


def test_normalising_twice_changes_nothing_more() -> None:
    contact = normal(
        Contact(
            given_name="Jan",
            phones=[Phone(number="601 234 567")],
            tax_numbers=[TaxNumber(number="5260250995")],
        )
    )
    again = Contact.FromString(contact.SerializeToString())
    assert normal(again, region="ID") == contact


def test_companys_domains() -> None:
    company = Company(name="  Okna  Sp. z o.o. ", domains=["WWW.Okna.PL", "okna.pl"])
    rules.normalise_company(company, region="PL")
    assert (company.name, list(company.domains)) == ("Okna Sp. z o.o.", ["okna.pl"])


def test_a_company_of_blanks_and_addresses_as_domains_are_refused() -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.normalise_company(Company(name="  ", domains=["jan@okna.pl", "okna"]), region="PL")
    assert fields_of(refused) == ["name", "domains[0]", "domains[1]"]


def test_a_stranger_becomes_a_lead() -> None:
    contact = rules.stranger(
        ID,
        name="Siti Nur Haliza",
        phone="+60123456789",
        email="",
        source_id=OTHER,
        department_id="",
        language="ms",
    )
    assert (contact.given_name, contact.family_name, contact.display_name) == (
        "Siti Nur",
        "Haliza",
        "Siti Nur Haliza",
    )
    assert [p.number for p in contact.phones] == ["+60123456789"]
    assert not contact.emails
