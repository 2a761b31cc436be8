"""Cells of tasks: moments in many spellings, headers in four languages, and by what a cell names a contact."""

from datetime import UTC, date, time
from typing import Any

import pytest

from chassis.kit.imports import guessing
from chassis.kit.imports.adapter import Terms
from chassis.kit.imports.values import DMY, MDY, WrongValue
from crm.common.v1 import imports_pb2
from services.tasks import import_cells, import_fields, import_keys
from services.tasks.import_cells import Draft, Said

ID = "0192f0c4-7b5e-7c3a-9a51-3b6a2f0d1e11"


@pytest.mark.parametrize(
    ("cell", "order", "day", "clock"),
    [
        ("31.12.2026", DMY, date(2026, 12, 31), None),
        ("12/31/2026 4:05 PM", MDY, date(2026, 12, 31), time(16, 5)),
        ("2026-12-31 12:00 am", DMY, date(2026, 12, 31), time(0, 0)),
        ("2026-12-31T23:59:58.123Z", DMY, date(2026, 12, 31), time(23, 59, 58)),
        ("3 maj 2026 08:30", DMY, date(2026, 5, 3), time(8, 30)),
    ],
)
def test_a_moment_is_read(cell: str, order: int, day: date, clock: time | None) -> None:
    said = import_cells.moment(cell, order)

    assert (said.day, said.clock) == (day, clock)


def test_an_offset_in_the_cell_counts_and_else_the_zone() -> None:
    told = import_cells.moment("2026-07-01T10:00:00+07:00", DMY)

    assert told.instant("Europe/Warsaw").isoformat() == "2026-07-01T03:00:00+00:00"
    at_ten = Said(date(2026, 7, 1), time(10))
    assert at_ten.instant("Europe/Warsaw").isoformat() == "2026-07-01T08:00:00+00:00"
    assert Said(date(2026, 7, 1)).instant("UTC").hour == 12
    assert told.instant("UTC").tzinfo == UTC


@pytest.mark.parametrize("cell", ["2026-12-31 25:00", "2026-12-31 10:61", "2026-02-30", "soon"])
def test_what_is_no_moment_is_refused(cell: str) -> None:
    with pytest.raises(WrongValue):
        import_cells.moment(cell, DMY)


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        (["Subject", "Type", "Status", "Due date", "Completed on", "Outcome", "Assigned to", "Customer number"],
         ["subject", "type", "state", "due", "done_time", "outcome", "owner", "contact.external_id"]),
        (["Temat", "Typ", "Stan", "Termin", "Data wykonania", "Wynik", "Opiekun", "Nr klienta"],
         ["subject", "type", "state", "due", "done_time", "outcome", "owner", "contact.external_id"]),
        (["Judul", "Jenis", "Status", "Tenggat", "Tanggal selesai", "Hasil", "Petugas", "Nomor pelanggan"],
         ["subject", "type", "state", "due", "done_time", "outcome", "owner", "contact.external_id"]),
        (["Tajuk", "Jenis tugas", "Keadaan", "Tarikh akhir", "Tarikh selesai", "Keputusan", "Pemunya", "Nombor pelanggan"],
         ["subject", "type", "state", "due", "done_time", "outcome", "owner", "contact.external_id"]),
    ],
)  # fmt: skip
def test_headers_are_understood(headers: list[str], fields: list[str]) -> None:
    guesses = guessing.columns(headers, [[] for _ in headers], import_fields.TASK)

    assert [guess.field for guess in guesses] == fields
    assert {guess.confidence for guess in guesses} == {1.0}


def test_no_header_means_two_fields() -> None:
    seen: dict[str, str] = {}
    for target in import_fields.TASK:
        for name in target.names:
            folded = guessing.fold(name)
            assert seen.setdefault(folded, target.path) == target.path, name


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ("601 234 567", "phone:+48601234567"),
        ("0048 601-234-567", "phone:+48601234567"),
        ("Ana@Example.COM", "email:ana@example.com"),
        (ID.upper(), f"id:{ID}"),
        ("K-7", "ext:oldcrm/K-7"),
        ("shop/12", "ext:shop/12"),
    ],
)
def test_a_contact_is_named_by_what_the_cell_looks_like(cell: str, key: str) -> None:
    options = imports_pb2.ImportOptions(external_system="oldcrm")
    terms: Any = Terms(imports_pb2.Import(options=options), (), "PL", "")
    draft = Draft()

    import_cells.fill(terms, draft, 0, "contact", cell)

    assert draft.contact == [key]


def test_equal_keys_of_two_companies_have_other_hashes() -> None:
    assert import_keys.hashed("a", "phone:+1") != import_keys.hashed("b", "phone:+1")
    assert len(import_keys.hashed("a", "phone:+1")) == 32
