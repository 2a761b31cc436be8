"""What a file is and holds: formats, encodings, separators, headers, values; workbooks as other programs write them."""

import io
import tracemalloc
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from chassis.kit.imports import guessing, reading, values
from chassis.kit.imports.files import csv_lines
from chassis.kit.imports.spreadsheet import NoWorkbook, Workbook, number_text
from chassis.kit.imports.workbook_writer import WorkbookWriter
from crm.common.v1 import imports_pb2 as pb
from services.contacts import import_fields

POLISH = "Imię;Nazwisko\nŁukasz;Żółć\nMałgorzata;Święcicka\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1250"]
)
def test_polish_text_is_read_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(POLISH.encode(encoding))

    head = reading.read_head(path, reading.Layout(0), 0, None)

    assert head.headers == ["Imię", "Nazwisko"]
    assert head.rows == [["Łukasz", "Żółć"], ["Małgorzata", "Święcicka"]]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Имя;Фамилия\nИван;Петров\n"),
        ("cp1252", "Prénom;Nom\nJosé;Müller\nZoë;Gonçalves\n"),
    ],
)
def test_eight_bit_encodings_are_told_apart(encoding: str, text: str) -> None:
    assert guessing.encoding(text.encode(encoding)) == encoding


def test_encoding_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(POLISH.encode("cp1250"))
    layout = reading.Layout(pb.FILE_FORMAT_CSV, "utf-8", ";")

    with pytest.raises(reading.Unreadable, match="not written in utf-8; choose another"):
        list(reading.rows(path, layout))


@pytest.mark.parametrize("separator", list(",;\t|"))
def test_separator_is_the_one_that_splits_steadily(separator: str) -> None:
    text = f"a{separator}b{separator}c\n" + f'1{separator}"x, y; z"{separator}3\n' * 3
    assert guessing.separator(text) == separator


def test_title_above_the_table_is_no_header() -> None:
    first = [
        (1, ["Customers of 2026"]),
        (3, ["Name", "Phone", "City"]),
        (4, ["Ana", "601234567", "X"]),
    ]
    assert guessing.header_row(first) == 3


def test_table_without_headers_is_seen() -> None:
    first = [(1, ["Ana", "601234567", "ana@example.com"]), (2, ["Budi", "602", "b@example.com"])]
    assert guessing.header_row(first) == -1


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        (["First name", "Surname", "Mobile phone", "E-mail", "Company", "City"],
         ["given_name", "family_name", "phones", "emails", "company.name", "address.city"]),
        (["Imię", "Nazwisko", "Nr tel.", "Adres e-mail", "Nazwa firmy", "Miejscowość"],
         ["given_name", "family_name", "phones", "emails", "company.name", "address.city"]),
        (["Nama Depan", "Nama Belakang", "No. HP", "Alamat Email", "Nama Perusahaan", "Kota"],
         ["given_name", "family_name", "phones", "emails", "company.name", "address.city"]),
        (["Nama Penuh", "Tarikh Lahir", "No. Tel", "Emel", "Nama Syarikat", "Bandar"],
         ["display_name", "birthday", "phones", "emails", "company.name", "address.city"]),
        (["Telefon 1", "Telefon 2", "Data urodzenia", "Kod pocztowy", "NIP", "Opiekun"],
         ["phones", "phones", "birthday", "address.postal_code", "company.tax_number", "owner"]),
    ],
)  # fmt: skip
def test_headers_are_understood_in_four_languages(headers: list[str], fields: list[str]) -> None:
    guesses = guessing.columns(headers, [[] for _ in headers], import_fields.CONTACT)

    assert [guess.field for guess in guesses] == fields
    assert all(guess.confidence >= 0.8 for guess in guesses)


def test_values_decide_where_headers_do_not_tell() -> None:
    samples = [
        ["601 234 567", "+48 602 111 222"],
        ["a@example.com", "b@example.com"],
        ["red", "blue"],
    ]
    guesses = guessing.columns(["A", "B", "Ulubiony kolor"], samples, import_fields.CONTACT)

    assert [guess.field for guess in guesses] == ["phones", "emails", ""]
    assert all(0.5 <= guess.confidence < 0.8 for guess in guesses[:2])


def test_values_that_do_not_fit_lower_the_confidence() -> None:
    (right,) = guessing.columns(["Telefon"], [["601 234 567"]], import_fields.CONTACT)
    (wrong,) = guessing.columns(["Telefon"], [["none", "unknown"]], import_fields.CONTACT)

    assert (right.confidence, wrong.confidence) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("31.12.2026", values.DMY, (2026, 12, 31)), ("12/31/2026", values.MDY, (2026, 12, 31)),
        ("2026-12-31", values.DMY, (2026, 12, 31)), ("3 maja 1985", values.DMY, (1985, 5, 3)),
        ("17 Agustus 1945", values.DMY, (1945, 8, 17)), ("1.2.85", values.DMY, (1985, 2, 1)),
        ("2026-12-31 00:00:00", values.YMD, (2026, 12, 31)), ("26/12/31", values.YMD, (2026, 12, 31)),
    ],
)  # fmt: skip
def test_dates(text: str, order: int, expected: tuple[int, int, int]) -> None:
    assert values.parse_date(text, order) == expected


@pytest.mark.parametrize("text", ["31.02.2026", "yesterday", "13/13/2026"])
def test_no_date(text: str) -> None:
    with pytest.raises(values.WrongValue):
        values.parse_date(text, values.DMY)


def test_order_of_dates_is_the_one_that_fits_all() -> None:
    assert values.date_order(["03/04/2026", "12/31/2026"]) == values.MDY
    assert values.date_order(["03/04/2026", "31/12/2026"]) == values.DMY


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [("1 234,50", True, "1234.50"), ("1.234,50", True, "1234.50"), ("1,234.50", False, "1234.50"), ("-7", False, "-7")],
)  # fmt: skip
def test_numbers(text: str, comma: bool, expected: str) -> None:
    assert values.parse_decimal(text, comma=comma) == expected


HOSTILE = ["=1+1", "+48601", "-2", "@SUM(A1)", "\t=1", "'=1", "''", "007", "12345678901234567890", "a\nb", '"x", y; z', "2026-01-02"]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_guarded_text_comes_back_and_begins_no_formula(text: str) -> None:
    guarded = values.guarded(text)

    assert values.unguarded(guarded) == text
    assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_csv_gives_hostile_values_back(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_lines([HOSTILE]))
    layout = reading.Layout(pb.FILE_FORMAT_CSV, "utf-8", ",")

    ((_, cells),) = reading.rows(path, layout)

    assert [values.unguarded(cell) for cell in cells] == HOSTILE


# -- workbooks -----------------------------------------------------------------------------------


def test_workbook_of_another_program_is_read_as_people_see_it(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Name", "Phone", "Born", "Long", "Share", "Yes", "At"])
    sheet.append(["Łukasz", 48601234567, date(1985, 4, 3), "00123456789012345678", 0.1 + 0.2, True, datetime(2026, 1, 2, 3, 4)])  # fmt: skip
    sheet.append(["Łukasz", "0812 3456", None, None, 12.5])
    book.create_sheet("Empty")
    book.save(tmp_path / "a.xlsx")

    read = Workbook(str(tmp_path / "a.xlsx"))

    assert read.sheet_names == ["Sheet", "Empty"]
    assert list(read.rows("Sheet")) == [
        (1, ["Name", "Phone", "Born", "Long", "Share", "Yes", "At"]),
        (2, ["Łukasz", "48601234567", "1985-04-03", "00123456789012345678", "0.3", "TRUE", "2026-01-02 03:04:00"]),
        (3, ["Łukasz", "0812 3456", "", "", "12.5"]),
    ]  # fmt: skip
    read.close()


def test_merged_cells_show_their_value_everywhere(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Company", "Name", "Extra"],
        ["Okna", "Ana"],
        [None, "Budi"],
        ["Drzwi", "Cici"],
        ["wide"],
    ):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("A5:B5")
    book.save(tmp_path / "a.xlsx")

    read = Workbook(str(tmp_path / "a.xlsx"))

    assert [cells for _, cells in read.rows()] == [
        ["Company", "Name", "Extra"], ["Okna", "Ana"], ["Okna", "Budi"], ["Drzwi", "Cici"], ["wide", "wide"],
    ]  # fmt: skip
    read.close()


def test_our_workbooks_are_read_by_another_program_as_texts(tmp_path: Path) -> None:
    rows = [["Name", "=1+1", "", "007"], ["żółć <&>", "a\nb", "12345678901234567890", "2026-01-02"]]
    with (tmp_path / "a.xlsx").open("wb") as file:
        writer = WorkbookWriter(file)
        writer.write(rows)
        writer.close()

    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    read = Workbook(str(tmp_path / "a.xlsx"))

    assert [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)] == rows
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    assert [cells for _, cells in read.rows()] == rows
    read.close()


@pytest.mark.large
def test_memory_does_not_grow_with_the_rows_of_a_workbook(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.xlsx"
        with path.open("wb") as file:
            writer = WorkbookWriter(file)
            for start in range(0, rows, 500):
                writer.write([[f"name {n}", f"{n}@example.com"] for n in range(start, start + 500)])
            writer.close()
        tracemalloc.start()
        read = Workbook(str(path))
        assert sum(1 for _ in read.rows()) == rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        read.close()
        return found

    assert peak(8_000) < peak(1_000) * 1.5


def _zip(**parts: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return made.getvalue()


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook/>'
    for content, why in (
        (b"PK\x03\x04 nothing", "no Excel workbook"),
        (_zip(other_xml="<a/>"), "no sheet with cells"),
        (_zip(xl__workbook_xml=bomb), "document type"),
        (_zip(xl__workbook_xml="<workbook"), "no sheet with cells"),
        (_zip(xl__workbook_xml="<a/>" + " " * (3 << 20)), "far more than a workbook"),
    ):
        path = tmp_path / "a.xlsx"
        path.write_bytes(content)
        with pytest.raises(NoWorkbook, match=why):
            Workbook(str(path))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("4.8601234567E10", "48601234567"), ("601234567", "601234567"), ("1.50", "1.5"), ("0.30000000000000004", "0.3"), ("5.0", "5")],
)  # fmt: skip
def test_numbers_of_cells_are_plain(raw: str, expected: str) -> None:
    assert number_text(raw) == expected
