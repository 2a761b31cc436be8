"""Cells of tasks: headers in four languages, and by what a cell names a contact."""

from typing import Any

import pytest

from chassis.kit.imports import guessing
from chassis.kit.imports.adapter import Terms
from crm.common.v1 import imports_pb2
from services.tasks import import_cells, import_fields
from services.tasks.import_cells import Draft

ID = "0192f0c4-7b5e-7c3a-9a51-3b6a2f0d1e11"


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
