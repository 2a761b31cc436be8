"""Telephone numbers: any spelling in, E.164 out (ITU-T E.164, metadata by libphonenumber)."""

import re
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat


@dataclass(frozen=True, slots=True)
class Dialled:
    """A number as it is kept: E.164 and the digits of the extension (empty if none)."""

    number: str
    extension: str = ""


# Without a zero behind the country code, which some countries' people write and libphonenumber takes off.
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@cache
def _possible_lengths(country_code: int) -> frozenset[int]:
    """How long the national number may be; empty where regions of one code differ, or the code is nobody's."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(country_code, ())
    if len(regions) != 1:
        return frozenset()
    metadata = PhoneMetadata.metadata_for_region(regions[0], None)
    if metadata is None or metadata.national_prefix_for_parsing not in (None, "0"):
        return frozenset()
    general = metadata.general_desc
    return frozenset(general.possible_length if general is not None else ())


def _has_possible_length(number: str) -> bool:
    """True for a number in E.164 that `parse` would give back as it is: a tenth of the library's time."""
    for digits in (1, 2, 3):
        if lengths := _possible_lengths(int(number[1 : 1 + digits])):
            return len(number) - 1 - digits in lengths and number[1 + digits] != "0"
    return False


def parse(text: str, region: str) -> Dialled | None:
    """The number that `text` means; national spellings are read in `region` (ISO 3166-1 alpha-2, or empty).

    None if no telephone can have this number. The length is checked, not whether the prefix is in use: numbering plans
    open new prefixes before any library knows them, and a real customer must not be refused.
    """
    if _E164.fullmatch(text) and _has_possible_length(text):
        return Dialled(text)
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
