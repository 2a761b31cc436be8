"""By what a file names a record of another service (named.py): its id, its id in another system, a phone, an e-mail; in normal form."""

from functools import lru_cache
from typing import Any
from uuid import UUID

import phonenumbers

from chassis.kit.imports import values
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.custom_cells import DEFAULT_SYSTEM
from chassis.kit.imports.named import ID
from chassis.kit.imports.values import WrongValue

EXTERNAL, PHONE, EMAIL = "ext", "phone", "email"


def keys_of(record: Any) -> list[str]:
    """The keys by which files may name the record; its own fields hold normal forms."""
    return [
        *(f"{EXTERNAL}:{each.system}/{each.id}" for each in record.external_ids),
        *(f"{PHONE}:{each.number}" for each in record.phones),
        *(f"{EMAIL}:{each.address.lower()}" for each in record.emails),
    ]


def key_of_cell(terms: Terms, cell: str, kind: str = "") -> str:
    """The key that a cell says; its kind is told by the cell where the header does not tell. WrongValue."""
    kind = kind or _kind_of(cell)
    if kind == EXTERNAL:
        system = terms.imported.options.external_system or DEFAULT_SYSTEM
        return f"{kind}:{cell if '/' in cell else f'{system}/{cell}'}"
    if kind == PHONE:
        number = _phone(cell, terms.region)
        if not number:
            raise WrongValue(
                f"{cell!r} cannot be a phone; write it with the country code, e.g. +48 601 234 567"
            )
        return f"{kind}:{number}"
    return f"{kind}:{cell.strip().lower()}"


def is_id(cell: str) -> bool:
    """True for an id of this installation."""
    try:
        UUID(cell)
    except ValueError:
        return False
    return True


def _kind_of(cell: str) -> str:
    if not is_id(cell):
        if values.looks_like("email", cell):
            return EMAIL
        return PHONE if values.looks_like("phone", cell) else EXTERNAL
    return ID


@lru_cache(maxsize=20_000)
def _phone(text: str, region: str) -> str:
    """The number as E.164; empty if no telephone can have it."""
    written = f"+{text[2:]}" if text.startswith("00") else text
    try:
        number = phonenumbers.parse(written, region.upper() or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    number.extension = None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
