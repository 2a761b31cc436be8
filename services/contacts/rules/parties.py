"""What holds for persons and companies alike: one spelling of each value, nothing twice, nothing impossible.

Every function changes the message in place and adds to `wrong`; the caller raises once, with everything that is wrong.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from chassis import phones
from chassis.errors import Violation
from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from services.contacts import errors, tax_numbers
from services.contacts.rules import days

Party = contact_pb2.Contact | company_pb2.Company
T = TypeVar("T")
_LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1
# As loose as the contract's own check of addresses: the mail itself is the real test.
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;.]+(\.[^\s@<>,;.]+)+")
Wrong = list[tuple[type[errors.ValuesInvalid], Violation]]


def normalise(party: Party, *, region: str, old: Party | None = None) -> Wrong:
    """Brings all shared values into their one spelling; returns what is wrong. `region` is the tenant's country."""
    wrong: Wrong = []
    normalise_phones(party, region, wrong)
    normalise_emails(party)
    if (
        party.tax_numbers
    ):  # asked first where most records have nothing: imports normalise thousands
        normalise_tax_numbers(party, region, wrong)
    if party.external_ids:
        check_external_ids(party, wrong, old)
    if party.relations or party.HasField("referrer"):
        check_relations(party, wrong)
    check_needs(party, wrong)
    if party.HasField("next_contact_date") and days.day_of(party.next_contact_date) is None:
        wrong.append(_value("next_contact_date", "must be a day of the calendar, with its year"))
    if party.party_roles:
        replace(party.party_roles, unique(role for role in party.party_roles if role))
    drop_repeats(party.label_ids)
    if party.follower_ids:
        replace(party.follower_ids, unique(id for id in party.follower_ids if id != party.owner_id))
    return wrong


def refuse(wrong: Wrong) -> None:
    """Raises for what is wrong, with the most telling class; does nothing if all is right."""
    if wrong:
        kinds = {kind for kind, _ in wrong}
        kind = kinds.pop() if len(kinds) == 1 else errors.ValuesInvalid
        raise kind([violation for _, violation in wrong])


def normalise_phones(party: Party, region: str, wrong: Wrong) -> None:
    """E.164 with extension apart; a number that is given twice stays once."""
    for at, phone in enumerate(party.phones):
        dialled = phones.parse(phone.number, region)
        if dialled is None:
            advice = f"{phone.number!r} cannot be a phone; write it with the country code, e.g. +48 601 234 567"
            wrong.append((errors.PhoneInvalid, Violation(f"phones[{at}].number", advice)))
            continue
        phone.number = dialled.number
        phone.extension = phone.extension or dialled.extension
    drop_repeats(party.phones, key=lambda p: (p.number, p.extension))


def normalise_emails(party: Party) -> None:
    """Lower case without blanks; an address that is given twice stays once."""
    for email in party.emails:
        email.address = normal_email(email.address)
    drop_repeats(party.emails, key=lambda e: e.address)


def normal_email(address: str) -> str:
    """The one spelling under which an address is kept and found."""
    return address.strip().lower()


def plausible_email(address: str) -> str:
    """The address in its one spelling if it can be one, else nothing."""
    normal = normal_email(address)
    return normal if len(normal) <= _LONGEST_EMAIL and _EMAIL.fullmatch(normal) else ""


def normalise_tax_numbers(party: Party, region: str, wrong: Wrong) -> None:
    """Compact form with verified check digits; country and kind are filled where left empty."""
    for at, tax in enumerate(party.tax_numbers):
        country = tax.country or region
        try:
            checked = tax_numbers.check(country, tax.kind, tax.number)
        except tax_numbers.WrongTaxNumber as error:
            advice = f"{tax.number!r} is no {tax.kind or 'tax number'} of {country}: {error}"
            wrong.append((errors.TaxNumberInvalid, Violation(f"tax_numbers[{at}].number", advice)))
            continue
        tax.country, tax.kind, tax.number = checked.country, checked.kind, checked.number
    drop_repeats(party.tax_numbers, key=lambda t: (t.country, t.kind, t.number))


def check_external_ids(party: Party, wrong: Wrong, old: Party | None = None) -> None:
    """One id per system, or it would be unclear which record of that system is meant; a merged record keeps all it has."""
    drop_repeats(party.external_ids, key=lambda e: (e.system, e.id))
    known = {(e.system, e.id) for e in old.external_ids} if old is not None else set()
    if {(e.system, e.id) for e in party.external_ids} - known:
        _once(party.external_ids, "external_ids", "system", wrong)


def check_relations(party: Party, wrong: Wrong) -> None:
    """Each relation has another end, and the end is another record."""
    for at, relation in enumerate(party.relations):
        target = target_of(relation)
        if not target:
            wrong.append(_value(f"relations[{at}]", "needs a contact_id or a company_id"))
        elif target == party.id:
            wrong.append(_value(f"relations[{at}]", "cannot lead to the record itself"))
    drop_repeats(party.relations, key=lambda r: (target_of(r), r.kind))
    end = party.referrer.WhichOneof("target")
    if party.HasField("referrer") and end not in ("contact_id", "company_id", "user_id"):
        wrong.append(_value("referrer", "must be a contact, a company or a user"))
    elif party.id and end and getattr(party.referrer, end) == party.id:
        wrong.append(_value("referrer", "nobody brings himself"))


def check_needs(party: Party, wrong: Wrong) -> None:
    """Each need once: its strength changes, it does not repeat."""
    _once(party.needs, "needs", "need_id", wrong)


def target_of(relation: party_pb2.Relation) -> str:
    """The id at the other end."""
    return relation.contact_id or relation.company_id


def unique(items: Iterable[T], key: Callable[[T], Any] = lambda item: item) -> list[T]:
    """The items without repetitions, the first of each kept, in order."""
    first: dict[Any, T] = {}
    for item in items:
        first.setdefault(key(item), item)
    return list(first.values())


def drop_repeats(field: Any, key: Callable[[Any], Any] = lambda item: item) -> None:
    """Takes the repetitions out of a repeated field; the first of each stays."""
    if len(field) > 1:
        replace(field, unique(field, key))


def replace(field: Any, items: list[Any]) -> None:
    """Puts `items` in the place of a repeated field's content; does nothing when nothing was dropped."""
    if len(items) != len(field):
        kept = [_copied(item) for item in items]
        del field[:]
        field.extend(kept)


def _copied(item: Any) -> Any:
    if not hasattr(item, "CopyFrom"):
        return item
    copied = type(item)()
    copied.CopyFrom(item)
    return copied


def _once(items: Iterable[Any], field: str, key: str, wrong: Wrong) -> None:
    seen: set[str] = set()
    for at, item in enumerate(items):
        value = getattr(item, key)
        if value in seen:
            wrong.append(_value(f"{field}[{at}].{key}", f"{value!r} is given twice"))
        seen.add(value)


def _value(field: str, description: str) -> tuple[type[errors.ValuesInvalid], Violation]:
    return errors.ValuesInvalid, Violation(field, description)
