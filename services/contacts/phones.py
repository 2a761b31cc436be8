"""Telephone numbers: any spelling in, E.164 out (ITU-T E.164, metadata by libphonenumber)."""

from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat


@dataclass(frozen=True, slots=True)
class Dialled:
    """A number as it is kept: E.164 and the digits of the extension (empty if none)."""

    number: str
    extension: str = ""


def parse(text: str, region: str) -> Dialled | None:
    """The number that `text` means; national spellings are read in `region` (ISO 3166-1 alpha-2, or empty).

    None if no telephone can have this number. The length is checked, not whether the prefix is in use: numbering plans
    open new prefixes before any library knows them, and a real customer must not be refused.
    """
    candidate = text.strip()
    if candidate.startswith("00") and not candidate.startswith("000"):
        candidate = "+" + candidate[2:]  # how most of the world dials a country code
    try:
        number = phonenumbers.parse(candidate, region.upper() or None)
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return Dialled(
        phonenumbers.format_number(number, PhoneNumberFormat.E164), number.extension or ""
    )
