"""Excel workbooks (ECMA-376), read row by row with memory that does not grow with the rows.

Of our own, because no kept library does both: calamine reads a whole sheet into memory, openpyxl all shared texts, and neither
tells of merged cells while it streams. Only values are read: no formulas, links, macros or external parts; documents with a
DTD are refused.
"""

import re
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from tempfile import TemporaryFile
from typing import IO, Any
from xml.parsers import expat

_CHUNK = 1 << 16
_MOST_EXPANDED = 200
"""A part that grows more than so many times when unpacked, beyond a megabyte, is no workbook that a person made."""
MOST_COLUMNS = 500
_COLUMN = re.compile(r"[A-Z]{1,3}")
_RANGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)"')
_DATE_STYLES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)  # a cell's time has no zone; this one is never shown
_EPOCH_1904 = datetime(1904, 1, 1, tzinfo=UTC)
_NOT_CODE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')


class NoWorkbook(ValueError):
    """Why a file cannot be read as a workbook, as a sentence part."""


class Workbook:
    """A workbook open for reading; close it when done."""

    def __init__(self, path: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError):
            raise NoWorkbook("it is no Excel workbook (.xlsx)") from None
        self._sheets, self._since_1904 = self._read_sheets()
        self._date_styles = self._read_styles()
        self._texts: _SharedTexts | None = None

    def close(self) -> None:
        """Lets the file go."""
        self._zip.close()
        if self._texts is not None:
            self._texts.close()

    @property
    def sheet_names(self) -> list[str]:
        """In the order of the tabs."""
        return list(self._sheets)

    def rows(self, sheet: str = "") -> Iterator[tuple[int, list[str]]]:
        """(line from 1, cells as text) of a sheet, the first one where none is named; empty lines are left out.

        A merged range shows its value in each of its cells. Numbers are plain, dates are ISO 8601.
        """
        name = sheet or next(iter(self._sheets), "")
        if name not in self._sheets:
            raise NoWorkbook(f"it has no sheet {name!r}; it has {', '.join(self._sheets)}")
        if self._texts is None:
            self._texts = _SharedTexts(self._part("xl/sharedStrings.xml"))
        part = self._sheets[name]
        merged = _Merged(self._merged_ranges(part))
        for line, cells in _SheetReader(self).rows(self._part(part)):
            merged.fill(line, cells)
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield line, cells

    def text(self, index: int) -> str:
        """A shared text."""
        assert self._texts is not None
        return self._texts[index]

    def number(self, raw: str, style: int) -> str:
        """A number as people write it, or the date that its style makes of it."""
        if style in self._date_styles:
            return _date_text(raw, since_1904=self._since_1904)
        return number_text(raw)

    # -- parts --------------------------------------------------------------------------------

    def _part(self, name: str) -> Iterator[bytes]:
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            return
        if info.file_size > (1 << 20) and info.file_size > info.compress_size * _MOST_EXPANDED:
            raise NoWorkbook("it unpacks to far more than a workbook does")
        try:
            with self._zip.open(info) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
            raise NoWorkbook(f"it is damaged ({type(error).__name__})") from None

    def _read_sheets(self) -> tuple[dict[str, str], bool]:
        targets: dict[str, str] = {}
        for tag, attributes in _elements(self._part("xl/_rels/workbook.xml.rels")):
            if tag == "Relationship":
                target = attributes.get("Target", "")
                target = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
                targets[attributes.get("Id", "")] = target
        sheets, since_1904 = {}, False
        for tag, attributes in _elements(self._part("xl/workbook.xml")):
            if tag == "sheet":
                relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
                if "worksheets/" in targets.get(relation, ""):
                    sheets[attributes.get("name", "")] = targets[relation]
            elif tag == "workbookPr":
                since_1904 = attributes.get("date1904") in ("1", "true")
        if not sheets:
            raise NoWorkbook("it has no sheet with cells")
        return sheets, since_1904

    def _read_styles(self) -> frozenset[int]:
        own: dict[int, str] = {}
        dates, at, inside = set(), 0, False
        for tag, attributes in _elements(self._part("xl/styles.xml"), ends=True):
            if tag == "numFmt":
                own[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")
            elif tag in ("cellXfs", "/cellXfs"):
                inside = tag == "cellXfs"
            elif tag == "xf" and inside:
                number = int(attributes.get("numFmtId", 0))
                if number in _DATE_STYLES or _is_date_code(own.get(number, "")):
                    dates.add(at)
                at += 1
        return frozenset(dates)

    def _merged_ranges(self, part: str) -> list[tuple[int, int, int, int]]:
        """(first row, first column, last row, last column) of each; they stand behind the cells, which are only unpacked here."""
        found, tail = [], b""
        for chunk in self._part(part):
            text = tail + chunk
            end = 0
            for match in _RANGE.finditer(text):
                first, top, last, bottom = match.groups()
                found.append((int(top), _index(first.decode()), int(bottom), _index(last.decode())))
                end = match.end()
            tail = text[max(end, len(text) - 200) :]
        return found


class _SheetReader:
    """Turns a sheet's XML into rows as it comes."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._ready: list[tuple[int, list[str]]] = []
        self._cells: list[str] = []
        self._line = self._column = self._style = 0
        self._kind, self._text, self._takes = "", "", False

    def rows(self, chunks: Iterator[bytes]) -> Iterator[tuple[int, list[str]]]:
        """The rows that have something."""
        parser = _parser()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        for chunk in chunks:
            _feed(parser, chunk)
            yield from self._ready
            self._ready.clear()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            reference = attributes.get("r", "")
            column = _COLUMN.match(reference)
            self._column = _index(column.group()) if column else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), int(attributes.get("s", 0))
            self._text = ""
        elif tag == "row":
            self._line = int(attributes.get("r", self._line + 1))
            self._cells, self._column = [], -1
        elif tag == "v" or (tag == "t" and self._kind == "inlineStr"):
            self._takes = True

    def _characters(self, text: str) -> None:
        if self._takes:
            self._text += text

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag in ("v", "t"):
            self._takes = False
        elif tag == "c":
            if self._text and self._column < MOST_COLUMNS:
                self._cells.extend([""] * (self._column + 1 - len(self._cells)))
                self._cells[self._column] = self._value()
        elif tag == "row":
            self._ready.append((self._line, self._cells))

    def _value(self) -> str:
        kind = self._kind
        if kind == "s":
            return self._book.text(int(self._text))
        if kind == "n":
            return self._book.number(self._text, self._style)
        if kind == "b":
            return "TRUE" if self._text == "1" else "FALSE"
        return "" if kind == "e" else self._text  # an error of a formula is no value


class _Merged:
    """Puts the value of each merged range into all its cells while rows come by."""

    def __init__(self, ranges: Sequence[tuple[int, int, int, int]]) -> None:
        self._waiting = sorted(ranges, reverse=True)
        self._open: list[tuple[int, int, int, str]] = []  # last row, first and last column, value

    def fill(self, line: int, cells: list[str]) -> None:
        """Completes a row, which must come in order."""
        self._open = [one for one in self._open if one[0] >= line]
        while self._waiting and self._waiting[-1][0] <= line:
            top, first, bottom, last = self._waiting.pop()
            if top == line and first < len(cells) and cells[first]:
                self._open.append((bottom, first, min(last, MOST_COLUMNS - 1), cells[first]))
        for _, first, last, value in self._open:
            cells.extend([""] * (last + 1 - len(cells)))
            for at in range(first, last + 1):
                cells[at] = value


class _SharedTexts:
    """The workbook's shared texts in a file, found by number: only eight bytes of each are in memory."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._file: IO[bytes] = TemporaryFile(buffering=1 << 20)  # noqa: SIM115 - closed by close()
        self._ends = array("Q", [0])
        self._parts: list[str] = []
        self._takes = self._phonetic = False
        self._recent: dict[int, str] = {}
        parser = _parser()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        for chunk in chunks:
            _feed(parser, chunk)
        self._file.flush()

    def close(self) -> None:
        """Removes the file."""
        self._file.close()

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise NoWorkbook("it refers to a text that it does not have")
        if index not in self._recent:
            if len(self._recent) > 10_000:
                self._recent.clear()
            start = self._ends[index]
            self._file.seek(start)
            self._recent[index] = self._file.read(self._ends[index + 1] - start).decode()
        return self._recent[index]

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "t":
            self._takes = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True

    def _characters(self, text: str) -> None:
        if self._takes:
            self._parts.append(text)

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "t":
            self._takes = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            raw = "".join(self._parts).encode()
            self._parts.clear()
            self._file.write(raw)
            self._ends.append(self._ends[-1] + len(raw))


def _parser() -> Any:
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise NoWorkbook("it has a document type declaration")

    parser.StartDoctypeDeclHandler = refuse  # no entities, so none can grow or reach out
    return parser


def _feed(parser: Any, chunk: bytes) -> None:
    try:
        parser.Parse(chunk)
    except expat.ExpatError as error:
        raise NoWorkbook(f"its XML is broken (line {error.lineno})") from None


def _elements(
    chunks: Iterator[bytes], *, ends: bool = False
) -> Iterator[tuple[str, dict[str, str]]]:
    """Every element of a small part: its name without prefix, and its attributes; with `ends`, also `/name`."""
    parser, found = _parser(), []
    parser.StartElementHandler = lambda tag, a: found.append((tag.rpartition(":")[2], dict(a)))
    if ends:
        parser.EndElementHandler = lambda tag: found.append((f"/{tag.rpartition(':')[2]}", {}))
    for chunk in chunks:
        _feed(parser, chunk)
    yield from found


def _index(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _is_date_code(code: str) -> bool:
    return any(letter in "dmyh" for letter in _NOT_CODE.sub("", code.lower()))


def number_text(raw: str) -> str:
    """`4.8601234567E10` as `48601234567`: all digits, no exponent, no needless zeros."""
    if raw.isdigit():
        return raw
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return raw
    if not number.is_finite() or number.adjusted() > 40:
        return raw
    if "." in raw and len(number.as_tuple().digits) > 15:
        number = Decimal(f"{float(raw):.15g}")  # Excel shows 15 digits of what is 0.1 + 0.2
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _date_text(raw: str, *, since_1904: bool) -> str:
    try:
        serial = float(raw)
        begin = _EPOCH_1904 if since_1904 else _EPOCH
        moment = begin + timedelta(seconds=round(serial * 86_400))
    except (ValueError, OverflowError):
        return raw
    if serial < 1 and not since_1904:
        return moment.strftime("%H:%M")  # a time of day
    return moment.date().isoformat() if serial == int(serial) else f"{moment:%Y-%m-%d %H:%M:%S}"
