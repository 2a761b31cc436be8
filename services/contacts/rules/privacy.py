"""What is personal in a record: the values by which somebody is found again, and what a request is without them."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from chassis.fold import phone_digits, search_key
from crm.contacts.v1 import contact_pb2, party_pb2, request_pb2

_KEPT = (
    "id", "etag", "create_time", "update_time", "delete_time", "state", "close_reason", "channel", "form_id", "source_id",
    "company_id", "owner_id", "department_id", "follower_ids", "label_ids", "deal_ids", "assign_time", "start_time",
    "first_response_time", "first_response_by", "close_time", "honeypot_filled", "call_id", "missed_spell_id",
)  # fmt: skip
"""Of a request: where from, by which way, when, who answered and what became of it. So every count stays what it was."""
_KEPT_OF_TOUCH = ("time", "utm_source", "utm_medium", "utm_campaign")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s()./\-\u00a0]+(?=\d)")
_LEAST = 5
"""Shorter texts, such as a surname of four letters, are looked for as whole words of a name only."""


def anonymised(request: request_pb2.Request) -> request_pb2.Request:
    """The request without anything that tells who asked; a field that is added later is left out until it is named here."""
    bare = _only(request, _KEPT)
    for name in ("first_touch", "last_touch"):
        if request.HasField(name):
            getattr(bare, name).CopyFrom(_only(getattr(request, name), _KEPT_OF_TOUCH))
    return bare  # type: ignore[no-any-return]


def _only(message: Any, names: Iterable[str]) -> Any:
    bare = type(message)()
    for name in names:
        value = getattr(message, name)
        if message.DESCRIPTOR.fields_by_name[name].is_repeated:
            getattr(bare, name).extend(value)
        elif message.DESCRIPTOR.fields_by_name[name].message_type is not None:
            if message.HasField(name):
                getattr(bare, name).CopyFrom(value)
        else:
            setattr(bare, name, value)
    return bare


def mentions(said: str, texts: Collection[str]) -> bool:
    """True if one of the texts, all in small letters, stands in it; numbers in any spelling."""
    low = said.casefold()
    joined = _BETWEEN_DIGITS.sub("", low)  # +48 601-234-567 as +48601234567
    return any(text in low or text in joined for text in texts)


def scrub(message: Any, texts: Collection[str]) -> bool:
    """Empties every text of the message, at any depth, in which one of these stands; True if there was one."""
    wanted, changed = {text.casefold() for text in texts}, False
    for field_, value in list(message.ListFields()):
        if field_.message_type is not None and not field_.message_type.GetOptions().map_entry:
            parts = list(value) if field_.is_repeated else [value]
            changed |= any([scrub(part, wanted) for part in parts])
        elif field_.type == field_.TYPE_STRING and field_.is_repeated:
            kept = ["" if mentions(each, wanted) else each for each in value]
            if kept != list(value):
                value[:] = kept
                changed = True
        elif field_.type == field_.TYPE_STRING and mentions(value, wanted):
            setattr(message, field_.name, "")
            changed = True
    return changed


def without(record: Any, ids: Collection[str]) -> bool:
    """Takes out of another person's or company's record what refers to these contacts; True if there was something."""
    changed = False
    if record.referrer.contact_id in ids and record.referrer.contact_id:
        record.ClearField("referrer")
        changed = True
    kept = [r for r in record.relations if not (r.contact_id and r.contact_id in ids)]
    if len(kept) != len(record.relations):
        changed = True
        copies = [party_pb2.Relation.FromString(r.SerializeToString()) for r in kept]
        del record.relations[:]
        record.relations.extend(copies)
    return changed


@dataclass(slots=True)
class Traits:
    """By what somebody is found again, over all versions of all records. Lives in memory only, while he is being erased."""

    phones: set[str] = field(default_factory=set)
    """E.164."""
    emails: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """As written: surnames, and whole names."""
    numbers: set[str] = field(default_factory=set)
    """Tax numbers and ids in other systems."""
    visitors: set[str] = field(default_factory=set)
    """Under which the site's snippet counted the visits that led to requests."""

    def add_contact(self, contact: contact_pb2.Contact) -> None:
        """One version of his record."""
        self.phones |= {phone.number for phone in contact.phones}
        self.emails |= {email.address for email in contact.emails}
        self.names |= {contact.family_name, contact.display_name}
        self.numbers |= {tax.number for tax in contact.tax_numbers}
        self.numbers |= {each.id for each in contact.external_ids}

    def add_request(self, request: request_pb2.Request) -> None:
        """One version of what he asked; a name there may be one word, which many have."""
        self.phones |= {request.phone}
        self.visitors |= {request.visitor_id} - {""}
        self.emails |= {request.email.lower()}
        if len(request.name.split()) > 1:
            self.names.add(request.name)

    @property
    def digits(self) -> set[str]:
        """The phones as lists keep them."""
        return {digits for phone in self.phones if (digits := phone_digits(phone))}

    @property
    def folded_names(self) -> set[str]:
        """Whole names as lists compare them."""
        return {search_key(name) for name in self.names if " " in name}

    def texts(self) -> set[str]:
        """What to look for in stored answers, operations and files: each value as it may be spelled there."""
        found = {each for each in (*self.emails, *self.numbers, *self.names) if len(each) >= _LEAST}
        found |= {search_key(name) for name in self.names if len(name) >= _LEAST}
        found |= {each.lower() for each in found} | {each.upper() for each in found}
        for digits in self.digits:
            found |= {digits, digits[-9:]} if len(digits) > 9 else {digits}
        return {each for each in found if len(each) >= _LEAST}
