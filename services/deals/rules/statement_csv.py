"""Bank statements as tables of text: columns by name or as told, decimal commas, and the encodings that banks write. Pure."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from chassis.fold import search_key
from chassis.kit.imports import guessing, values
from crm.common.v1 import imports_pb2
from crm.deals.v1 import bank_statement_pb2
from services.deals.rules.statements import Entry, Statement, Unreadable

Layout = bank_statement_pb2.CsvLayout

_FIRST_ROWS = 30
"""Banks write some lines about the account above the table."""

_NAMES: dict[str, tuple[str, ...]] = {
    "date": ("booking date", "data ksiegowania", "data operacji", "data transakcji", "buchungstag", "buchungsdatum", "transaction date", "date", "data", "datum", "tanggal", "tarikh"),
    "amount": ("amount", "kwota", "kwota operacji", "kwota transakcji", "betrag", "umsatz", "jumlah", "montant"),
    "credit": ("credit", "uznania", "uznanie", "wplywy", "haben", "paid in", "kredit", "kredit masuk"),
    "debit": ("debit", "obciazenia", "obciazenie", "wyplywy", "soll", "paid out", "debet"),
    "currency": ("currency", "waluta", "wahrung", "mata uang", "mata wang", "devise"),
    "payer_name": ("payer", "payer name", "nadawca", "nadawca / odbiorca", "kontrahent", "dane kontrahenta", "nazwa nadawcy", "auftraggeber", "name", "nama", "nama pengirim"),
    "payer_account": ("payer account", "account number", "numer rachunku", "numer konta", "rachunek kontrahenta", "nr rachunku kontrahenta", "iban", "kontonummer", "rekening"),
    "reference": ("bank reference", "transaction id", "numer transakcji", "nr transakcji", "numer referencyjny", "referensi", "reference number", "id"),
    "text": ("text", "tytul", "tytulem", "opis", "opis operacji", "tytul operacji", "verwendungszweck", "details", "description", "keterangan", "berita", "remittance"),
}  # fmt: skip
"""How banks call their columns in English, Polish, German, Indonesian and Malay, without accents."""

_DATE_ORDERS = {
    Layout.DATE_ORDER_DMY: imports_pb2.ImportOptions.DATE_ORDER_DMY,
    Layout.DATE_ORDER_MDY: imports_pb2.ImportOptions.DATE_ORDER_MDY,
    Layout.DATE_ORDER_YMD: imports_pb2.ImportOptions.DATE_ORDER_YMD,
}
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ENDS_WITH_COMMA = re.compile(r",\d{1,2}-?\s*(?:[A-Z]{3})?\s*\Z")
_ENDS_WITH_POINT = re.compile(r"\.\d{1,2}-?\s*(?:[A-Z]{3})?\s*\Z")
_UNCERTAIN = re.compile(r"\A[^.,]*[.,]\d{3}\Z")
"""1,234 is a thousand and some in one country and one and some in another."""


def parse(content: bytes, layout: Layout, *, account: str, currency: str) -> Statement:
    """The movements of the table; Unreadable names the line and what is wrong with it."""
    rows = _rows(content, layout)
    header, columns = _columns(rows, layout)
    body = rows[header + 1 :]
    comma = _is_comma(body, columns, layout)
    dates = [_cell(cells, columns, "date") for _, cells in body]
    order = _DATE_ORDERS.get(layout.date_order) or values.date_order(
        [each for each in dates if each]
    )
    made = Statement(account=account, currency=currency)
    for line, cells in body:
        if not _cell(cells, columns, "date"):
            continue  # sums and remarks below the table
        made.entries.append(_entry(line, cells, columns, order, comma, account, currency))
    if not made.entries:
        raise Unreadable("the file holds no movements below its headers")
    made.currency = currency or made.entries[0].currency
    return made


def _rows(content: bytes, layout: Layout) -> list[tuple[int, list[str]]]:
    encoding = layout.encoding or guessing.encoding(content)
    try:
        text = content.decode(encoding)
    except (UnicodeError, LookupError):
        raise Unreadable(f"the file is not written in {encoding[:40]}; say another encoding, e.g. cp1250") from None  # fmt: skip
    separator = layout.separator or guessing.separator(text[: 256 << 10])
    try:
        lines = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator)
        return [(n, [c.strip() for c in cells]) for n, cells in enumerate(lines, 1) if any(cells)]
    except csv.Error as error:
        raise Unreadable(f"the file is no table with separators: {error}") from None


def _columns(
    rows: Sequence[tuple[int, list[str]]], layout: Layout
) -> tuple[int, dict[str, list[int]]]:
    """(index of the header among the rows, what is wanted -> its columns)."""
    told = {
        name: [search_key(each) for each in given]
        for name in _NAMES
        if (given := _told(layout, name))
    }
    for at, (_, cells) in enumerate(rows[:_FIRST_ROWS]):
        found = _matched([search_key(cell) for cell in cells], told)
        if "date" in found and found.keys() & {"amount", "credit", "debit"}:
            if lacking := [name for name in told if name not in found]:
                raise Unreadable(f"the file has no column {_told(layout, lacking[0])[0]!r}")
            return at, found
    raise Unreadable("no line names a column for the date and one for the amount; name them in csv.date_column and csv.amount_column")  # fmt: skip


def _told(layout: Layout, name: str) -> list[str]:
    value = getattr(layout, f"{name}_columns" if name == "text" else f"{name}_column")
    return list(value) if name == "text" else [value] if value else []


def _matched(headers: Sequence[str], told: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Columns as told, the others by the names that banks use; a column is one thing."""
    found: dict[str, list[int]] = {}
    taken: set[int] = set()
    for name, usual in [*told.items(), *((n, u) for n, u in _NAMES.items() if n not in told)]:
        at = [i for each in usual for i, header in enumerate(headers) if header == search_key(each) and i not in taken]  # fmt: skip
        if at:
            found[name] = list(dict.fromkeys(at)) if name == "text" else at[:1]
            taken.update(found[name])
    return found


def _cell(cells: Sequence[str], columns: Mapping[str, Sequence[int]], name: str) -> str:
    return " ".join(cells[at] for at in columns.get(name, ()) if at < len(cells) and cells[at])


def _is_comma(
    body: Sequence[tuple[int, list[str]]], columns: Mapping[str, Sequence[int]], layout: Layout
) -> bool:
    """Whether amounts have a decimal comma, as told, else as all of them show."""
    if layout.decimal != Layout.DECIMAL_UNSPECIFIED:
        return bool(layout.decimal == Layout.DECIMAL_COMMA)
    amounts = [
        text
        for _, cells in body
        for name in ("amount", "credit", "debit")
        if (text := _cell(cells, columns, name))
    ]
    commas = any(map(_ENDS_WITH_COMMA.search, amounts))
    points = any(map(_ENDS_WITH_POINT.search, amounts))
    if (commas and points) or (not (commas or points) and any(map(_UNCERTAIN.search, amounts))):
        raise Unreadable("amounts may have a decimal comma or a decimal point; say which in csv.decimal")  # fmt: skip
    return commas


def _entry(
    line: int, cells: Sequence[str], columns: Mapping[str, Sequence[int]], order: int, comma: bool, account: str, currency: str
) -> Entry:  # fmt: skip
    amount = _signed(line, cells, columns, comma)
    return Entry(
        booked=_day(line, _cell(cells, columns, "date"), order), amount=abs(amount), outgoing=amount < 0,
        currency=(_cell(cells, columns, "currency") or currency).upper()[:3],
        text=_cell(cells, columns, "text")[:2000], payer_name=_cell(cells, columns, "payer_name")[:200],
        payer_account=_cell(cells, columns, "payer_account").strip("'\"")[:64],
        bank_reference=_cell(cells, columns, "reference")[:100], account=account,
    )  # fmt: skip


def _signed(
    line: int, cells: Sequence[str], columns: Mapping[str, Sequence[int]], comma: bool
) -> Decimal:
    """Above zero for what came in, below for what went out."""
    if text := _cell(cells, columns, "amount"):
        return _number(line, text, comma)
    came = _cell(cells, columns, "credit")
    if came and (amount := abs(_number(line, came, comma))):
        return amount
    went = _cell(cells, columns, "debit")
    if went and (amount := abs(_number(line, went, comma))):
        return -amount
    raise Unreadable(f"line {line} has no amount")


def _number(line: int, text: str, comma: bool) -> Decimal:
    bare = re.sub(r"[A-Z]{3}\Z|\A[A-Z]{3}", "", text.strip().strip("'")).strip()
    sign = "-" if bare.endswith("-") else ""
    bare = bare.removesuffix("-").replace("\u2212", "-")
    try:
        return Decimal(sign + values.parse_decimal(bare, comma=comma))
    except (values.WrongValue, ArithmeticError):
        raise Unreadable(f"line {line}: {text[:60]!r} is no amount") from None


def _day(line: int, text: str, order: int) -> date:
    if compact := _COMPACT_DATE.fullmatch(text):
        text = "-".join(compact.groups())
    try:
        return date(*values.parse_date(text, order))
    except values.WrongValue:
        raise Unreadable(f"line {line}: {text[:60]!r} is no date") from None
