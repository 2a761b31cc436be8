"""Numbers of invoices: how a series writes them. Pure."""

import re
from datetime import date

from chassis.errors import Violation
from crm.deals.v1 import invoice_party_pb2, legal_entity_pb2
from services.deals import errors

LegalEntity = legal_entity_pb2.LegalEntity
InvoiceType = invoice_party_pb2.InvoiceType

_PART = re.compile(r"{(number)(?::0([1-9]))?}|{(year|yy|month)}")
_LONGEST_NUMBER = 9
"""Digits that a pattern may ask for: more invoices than that nobody issues in a year."""
_USUAL = {
    InvoiceType.INVOICE_TYPE_INVOICE: "INV", InvoiceType.INVOICE_TYPE_PROFORMA: "PF",
    InvoiceType.INVOICE_TYPE_CREDIT_NOTE: "CN", InvoiceType.INVOICE_TYPE_ADVANCE: "ADV",
}  # fmt: skip
_USUAL_IN = {
    "PL": {
        InvoiceType.INVOICE_TYPE_INVOICE: "FV", InvoiceType.INVOICE_TYPE_PROFORMA: "PRO",
        InvoiceType.INVOICE_TYPE_CREDIT_NOTE: "FK", InvoiceType.INVOICE_TYPE_ADVANCE: "FZ",
    },
}  # fmt: skip
"""What accountants of a country are used to."""


def complete(entity: LegalEntity, country: str) -> None:
    """Each kind of invoice has a series, in the order of kinds; those left out get the usual one."""
    given = {series.type: series.pattern.strip() for series in entity.series}
    wrong = _wrong(entity)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    words = _USUAL_IN.get(country, _USUAL)
    del entity.series[:]
    for type, word in words.items():
        entity.series.add(type=type, pattern=given.get(type) or f"{word}/{{year}}/{{number:04}}")
    twins = _twins(entity)
    if twins:
        raise errors.ValuesInvalid(twins)


def _wrong(entity: LegalEntity) -> list[Violation]:
    found, known = [], set()
    for at, series in enumerate(entity.series):
        if not series.type:
            found.append(Violation(f"series[{at}].type", "must say which kind of invoice"))
        if series.type in known:
            found.append(Violation(f"series[{at}].type", "stands twice; one series for each kind"))
        known.add(series.type)
        if why := unusable(series.pattern.strip()):
            found.append(Violation(f"series[{at}].pattern", why))
    return found


def _twins(entity: LegalEntity) -> list[Violation]:
    """Two kinds that write their numbers alike would give the same number twice."""
    seen: dict[str, int] = {}
    found = []
    for at, series in enumerate(entity.series):
        if (first := seen.setdefault(_bare(series.pattern), at)) != at:
            other = entity.series[first].pattern
            found.append(Violation(f"series[{at}].pattern", f"{series.pattern!r} gives the same numbers as {other!r}; each kind needs its own"))  # fmt: skip
    return found


def _bare(pattern: str) -> str:
    return re.sub(r"{number:0\d}", "{number}", pattern).replace("{yy}", "{year}").casefold()


def unusable(pattern: str) -> str:
    """Why the pattern cannot number invoices; empty if it can."""
    rest = _PART.sub("", pattern)
    if "{" in rest or "}" in rest:
        return f"{pattern!r} has a part that is not known; known are {{number}}, {{number:04}}, {{year}}, {{yy}} and {{month}}"
    names = [found[1] or found[3] for found in _PART.finditer(pattern)]
    if names.count("number") != 1:
        return f"{pattern!r} must have {{number}} once, e.g. FV/{{year}}/{{number:04}}"
    if "year" not in names and "yy" not in names:
        return f"{pattern!r} must have {{year}} or {{yy}}: numbers begin with 1 each year"
    return ""


def pattern_of(entity: LegalEntity, type: int) -> str:
    """How the entity writes numbers of this kind."""
    return next(series.pattern for series in entity.series if series.type == type)


def written(pattern: str, number: int, day: date) -> str:
    """The number as it stands on the invoice."""

    def part(found: re.Match[str]) -> str:
        match found[1] or found[3]:
            case "number":
                return f"{number:0{min(int(found[2] or 1), _LONGEST_NUMBER)}d}"
            case "year":
                return f"{day.year:04d}"
            case "yy":
                return f"{day.year % 100:02d}"
            case _:
                return f"{day.month:02d}"

    return _PART.sub(part, pattern)
