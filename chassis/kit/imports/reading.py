"""The rows of a file as texts, in order and one by one, whatever its format."""

import csv
import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from chassis.kit.imports import guessing
from chassis.kit.imports.spreadsheet import MOST_COLUMNS, NoWorkbook, Workbook
from crm.common.v1 import imports_pb2 as pb

HEAD_ROWS = 60
_HEAD_BYTES = 256 << 10
csv.field_size_limit(1 << 20)

Row = tuple[int, list[str]]
"""The line's number in the file, from 1, and its cells."""
CardReader = Callable[[Path, str], Iterator[list[str]]]


class Unreadable(ValueError):
    """Why the file cannot be read, as a sentence."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file."""

    format: int
    encoding: str = ""
    separator: str = ""
    sheet: str = ""


@dataclass(slots=True)
class Head:
    """What the first lines tell."""

    layout: Layout
    header_row: int
    headers: list[str]
    rows: list[list[str]] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)


def read_head(path: Path, wanted: Layout, header_row: int, cards: CardReader | None) -> Head:
    """Format, encoding, separator, sheet and header as given, else as guessed; Unreadable if there is nothing to read."""
    with path.open("rb") as file:
        start = file.read(_HEAD_BYTES)
    format = wanted.format or guessing.file_format(start)
    if format != pb.FILE_FORMAT_XLSX:
        encoding = wanted.encoding or guessing.encoding(start)
        separator = wanted.separator or guessing.separator(_decoded(start, encoding))
        layout = Layout(format, encoding, separator if format == pb.FILE_FORMAT_CSV else "")
        sheets: list[str] = []
    else:
        with closing(_workbook(path)) as book:
            sheets = book.sheet_names
        layout = Layout(format, sheet=wanted.sheet or _first_filled(path, sheets))
    first = list(itertools.islice(rows(path, layout, cards), HEAD_ROWS))
    if not first:
        raise Unreadable("the file has no lines; choose one that has")
    if format == pb.FILE_FORMAT_VCARD:
        header_row = 1
    number = header_row or guessing.header_row(first)
    headers = next((cells for line, cells in first if line == number), [])
    width = max(len(cells) for _, cells in first)
    headers = headers + [""] * (width - len(headers))
    below = [cells for line, cells in first if line > max(number, 0)]
    return Head(layout, number, headers, below, sheets)


def rows(path: Path, layout: Layout, cards: CardReader | None = None) -> Iterator[Row]:
    """Every line that has something, from the first; Unreadable where the file breaks off."""
    if layout.format == pb.FILE_FORMAT_XLSX:
        yield from _sheet_rows(path, layout.sheet)
    elif layout.format == pb.FILE_FORMAT_VCARD:
        if cards is None:
            raise Unreadable("these records are not taken from vCards; send CSV or XLSX")
        yield from enumerate(cards(path, layout.encoding), 1)
    else:
        yield from _csv_rows(path, layout)


def _csv_rows(path: Path, layout: Layout) -> Iterator[Row]:
    try:
        with path.open(encoding=layout.encoding or "utf-8", newline="", errors="strict") as file:
            lines = csv.reader(file, delimiter=layout.separator or ",")
            for number, cells in enumerate(lines, 1):
                if any(cells):
                    yield number, cells[:MOST_COLUMNS]
    except (UnicodeError, LookupError) as error:
        raise Unreadable(
            f"the file is not written in {layout.encoding}; choose another encoding"
        ) from error
    except csv.Error as error:
        raise Unreadable(f"the file is no table with separators: {error}") from error


def _sheet_rows(path: Path, sheet: str) -> Iterator[Row]:
    with closing(_workbook(path)) as book:
        try:
            yield from book.rows(sheet)
        except NoWorkbook as error:
            raise Unreadable(f"the file cannot be read: {error}") from error


def _workbook(path: Path) -> Workbook:
    try:
        return Workbook(str(path))
    except NoWorkbook as error:
        raise Unreadable(f"the file cannot be read: {error}") from error


def _first_filled(path: Path, sheets: list[str]) -> str:
    """The first sheet with a line; else the first."""
    for name in sheets:
        if next(_sheet_rows(path, name), None) is not None:
            return name
    return sheets[0]


def _decoded(start: bytes, encoding: str) -> str:
    try:
        return start.decode(encoding, errors="ignore")
    except LookupError:
        raise Unreadable(f"there is no encoding {encoding!r}; e.g. utf-8 or cp1250") from None
