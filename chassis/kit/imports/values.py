"""Cells as values: dates, numbers, yes and no, and texts that a spreadsheet would take for a formula."""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from chassis.fold import search_key
from crm.common.v1 import imports_pb2 as pb

DMY = pb.ImportOptions.DATE_ORDER_DMY
MDY = pb.ImportOptions.DATE_ORDER_MDY
YMD = pb.ImportOptions.DATE_ORDER_YMD

_DATE = re.compile(
    r"(\d{1,4})\s*[-./ ]\s*(\d{1,2}|[^\W\d]{3,12})\.?\s*[-./ ,]\s*(\d{1,4})(?:[T ]\s*\d{1,2}:\d{2}.*)?"
)
_NUMBER = re.compile(r"[+-]?[\d\s.,'\u00a0\u202f]*\d")
_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;.]+(\.[^\s@<>,;.]+)+")
_PHONE = re.compile(r"[+(]?[\d\s()+/.\-\u00a0]{7,24}(\s*(ext|wew|x)\.?\s*\d+)?", re.IGNORECASE)
_YES = {"1", "true", "yes", "y", "tak", "t", "ya", "iya", "x", "ja", "da"}
_NO = {"0", "false", "no", "n", "nie", "tidak", "tdk", "bukan", "-"}
# English, Polish (nominative and genitive), Indonesian and Malay, by their first letters without accents.
_MONTHS = {
    "jan": 1, "sty": 1, "feb": 2, "lut": 2, "mar": 3, "mac": 3, "apr": 4, "kwi": 4, "may": 5, "maj": 5, "mei": 5,
    "jun": 6, "cze": 6, "jul": 7, "lip": 7, "aug": 8, "agu": 8, "ogo": 8, "sie": 8, "sep": 9, "wrz": 9, "oct": 10,
    "okt": 10, "paz": 10, "nov": 11, "lis": 11, "dec": 12, "des": 12, "dis": 12, "gru": 12,
}  # fmt: skip
# OWASP "CSV injection": a spreadsheet runs what begins with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


class WrongValue(ValueError):
    """Why a cell cannot be the value, as a sentence part."""


@lru_cache(maxsize=20_000)
def parse_date(text: str, order: int) -> tuple[int, int, int]:
    """(year, month, day) of a date in the given order; a year of four digits and a month's name speak for themselves.

    Raises WrongValue.
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise WrongValue(f"{text!r} is no date; write it like 2026-12-31")
    first, middle, last = match.groups()
    if not middle.isdigit():
        month = _MONTHS.get(search_key(middle)[:3], 0)
        year, day = (first, last) if len(first) == 4 else (last, first)
    elif len(first) == 4:
        year, month, day = first, int(middle), last
    elif order == MDY:
        year, month, day = last, int(first), middle
    elif order == YMD:
        year, month, day = first, int(middle), last
    else:
        year, month, day = last, int(middle), first
    try:
        made = date(_full_year(year), month, int(day))
    except ValueError:
        raise WrongValue(f"{text!r} is no day of the calendar") from None
    return made.year, made.month, made.day


def _full_year(text: str) -> int:
    """Two digits mean the hundred years that end ten years from the file's age: 35 is 2035, 36 is 1936."""
    year = int(text)
    if len(text) > 2:
        return year
    return 2000 + year if year <= 35 else 1900 + year


def date_order(samples: Sequence[str]) -> int:
    """The order that fits all dates; day first where both would."""
    for order in (DMY, MDY, YMD):
        if samples and all(_is_date(sample, order) for sample in samples if sample.strip()):
            return order
    return DMY


def _is_date(text: str, order: int) -> bool:
    try:
        parse_date(text, order)
    except WrongValue:
        return False
    return True


def parse_decimal(text: str, *, comma: bool) -> str:
    """`1 234,50` or `1,234.50` as `1234.50`; raises WrongValue."""
    bare = re.sub(r"[\s'\u00a0\u202f]", "", text)
    bare = bare.replace(".", "").replace(",", ".") if comma else bare.replace(",", "")
    if not re.fullmatch(r"[+-]?\d{1,30}(\.\d{1,10})?", bare):
        raise WrongValue(f"{text!r} is no number")
    return bare.removeprefix("+")


def parse_whole(text: str, *, comma: bool) -> int:
    """A whole number; raises WrongValue."""
    number = parse_decimal(text, comma=comma)
    whole, _, rest = number.partition(".")
    if rest.strip("0"):
        raise WrongValue(f"{text!r} is no whole number")
    return int(whole)


def parse_yes_no(text: str) -> bool:
    """Yes or no in the four languages; raises WrongValue."""
    folded = search_key(text)
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise WrongValue(f"{text!r} is neither yes nor no")


def looks_like(kind: str, text: str) -> bool | None:
    """Whether a value can be of this kind; None for kinds that any text can be."""
    text = text.strip()
    if kind == "email":
        return bool(_EMAIL.fullmatch(text))
    if kind == "phone":
        return bool(_PHONE.fullmatch(text)) and 7 <= sum(c.isdigit() for c in text) <= 17
    if kind == "date":
        return any(_is_date(text, order) for order in (DMY, MDY))
    if kind == "number":
        return bool(_NUMBER.fullmatch(text))
    return None


def guarded(text: str) -> str:
    """A text for a CSV cell that no spreadsheet runs: an apostrophe before what would begin a formula, or before one."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """What `guarded` was given: an import takes the apostrophe off."""
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in _FORMULA else text
