"""What a contact and a company must be to be kept."""

import calendar
from datetime import date

from chassis.errors import Violation
from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from services.contacts import errors, names
from services.contacts.rules import parties


def normalise_contact(
    contact: contact_pb2.Contact,
    *,
    region: str,
    today: date,
    old: contact_pb2.Contact | None = None,
) -> None:
    """Brings a contact into the form in which it is kept, or refuses with everything that is wrong."""
    for field in ("given_name", "family_name", "display_name", "salutation", "position"):
        text = getattr(contact, field)
        if text and (clean := " ".join(text.split())) != text:
            setattr(contact, field, clean)
    wrong = parties.normalise(contact, region=region, old=old)
    if contact.HasField("birthday"):
        _check_birthday(contact, today, wrong)
    parties.refuse(wrong)
    if not contact.display_name:
        contact.display_name = _display_name(contact)
    if not contact.display_name:
        raise errors.ContactEmpty


def rename(contact: contact_pb2.Contact, old: contact_pb2.Contact) -> None:
    """Lets the display name follow the names, unless somebody had given it a form of its own or does so now."""
    follows = old.display_name == _display_name(old)
    if follows and contact.display_name == old.display_name:
        contact.display_name = _display_name(contact)


def normalise_company(
    company: company_pb2.Company, *, region: str, old: company_pb2.Company | None = None
) -> None:
    """Brings a company into the form in which it is kept, or refuses with everything that is wrong."""
    company.name = " ".join(company.name.split())
    wrong = parties.normalise(company, region=region, old=old)
    if not company.name:
        wrong.append(
            (
                errors.ValuesInvalid,
                Violation("name", "must have at least one character that is not a blank"),
            )
        )
    for at, domain in enumerate(company.domains):
        company.domains[at] = domain.strip().lower().removeprefix("www.")
        if (
            "." not in company.domains[at]
            or "@" in domain
            or "/" in domain
            or " " in domain.strip()
        ):
            wrong.append(
                (
                    errors.ValuesInvalid,
                    Violation(f"domains[{at}]", f"{domain!r} is no domain like example.com"),
                )
            )
    parties.replace(company.domains, parties.unique(company.domains))
    parties.refuse(wrong)


def stranger(
    id: str,
    *,
    name: str,
    phone: str,
    extension: str = "",
    email: str,
    source_id: str,
    department_id: str,
    language: str,
) -> contact_pb2.Contact:
    """A contact made of what a request says; phone and e-mail are in their normal form, or empty."""
    given, family = names.split(name)
    contact = contact_pb2.Contact(
        id=id, given_name=given[:100], family_name=family[:100], source_id=source_id, department_id=department_id,
        language=language, party_roles=[party_pb2.PARTY_ROLE_CUSTOMER],
        lifecycle_stage=party_pb2.LIFECYCLE_STAGE_LEAD,
    )  # fmt: skip
    if phone:
        contact.phones.add(number=phone, extension=extension[:12])
    if email:
        contact.emails.add(address=email)
    contact.display_name = _display_name(contact)
    return contact


def known_name(contact: contact_pb2.Contact) -> str:
    """The person's name as we know it; empty where only a phone or e-mail is known."""
    written = names.display(contact.given_name, contact.family_name)
    return written or (
        "" if contact.display_name == _display_name(contact) else contact.display_name
    )


def _display_name(contact: contact_pb2.Contact) -> str:
    written = names.display(contact.given_name, contact.family_name)
    if written:
        return written[:200]
    if contact.phones:
        return contact.phones[0].number
    return contact.emails[0].address if contact.emails else ""


def _check_birthday(contact: contact_pb2.Contact, today: date, wrong: parties.Wrong) -> None:
    born = contact.birthday
    year = born.year or 2000  # a leap year, so that 29 February without a year is a day
    if not (1 <= born.month <= 12 and 1 <= born.day <= _days(year, born.month)):
        wrong.append(
            (
                errors.ValuesInvalid,
                Violation("birthday", "is not a day of the calendar; the year may be 0"),
            )
        )
    elif born.year and not (born.year >= 1850 and date(born.year, born.month, born.day) <= today):
        wrong.append(
            (errors.ValuesInvalid, Violation("birthday", "must be between 1850 and today"))
        )


def _days(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1] if 1 <= year <= 9999 else 0
