"""Imports from the file to the records: guessed, planned, run, run again, undone."""

import csv
import io
from typing import Any

import pytest

from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import company_pb2, contact_pb2, label_pb2, request_pb2
from crm.contacts.v1.party_pb2 import Email, ExternalId, Phone
from tests.service.contacts.files import (
    FILL,
    OVERWRITE,
    SKIP,
    Clerk,
    Import,
    Options,
    counts,
    state_of,
)
from tests.service.contacts.world import World
from tests.service.kit.support import until

PEOPLE = """\
Imię;Nazwisko;Telefon;E-mail;Firma;NIP;Data urodzenia;Uwagi
Łukasz;Żak;601 234 567;lukasz@example.pl;Okna Żak;5260250274;03.04.1985;=1+1
Zofia;Wiśniewska;+48 602 000 111;Zofia@Example.PL;Okna Żak;5260250274;;
Budi;Santoso;0048 603 111 222;;;;12.12.1990;007
Nikt;;12;;;;;
"""


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


async def people(world: World) -> dict[str, contact_pb2.Contact]:
    """The living contacts by name."""
    answer = await world.admin.ListContacts(contact_pb2.ListContactsRequest(page_size=200))
    return {contact.display_name: contact for contact in answer.contacts}


async def firms(world: World) -> dict[str, company_pb2.Company]:
    answer = await world.admin.ListCompanies(company_pb2.ListCompaniesRequest(page_size=200))
    return {company.name: company for company in answer.companies}


async def test_a_polish_file_is_guessed_planned_run_and_undone(world: World, clerk: Clerk) -> None:
    before = await state_of(world)
    begun = await clerk.begin(PEOPLE.encode("cp1250"), "klienci.csv")

    assert (begun.encoding, begun.separator, begun.header_row) == ("cp1250", ";", 1)
    assert (begun.file_name, begun.options.date_example) == (
        "klienci.csv",
        "03.04.1985 is 1985-04-03",
    )
    assert [column.field for column in begun.columns] == [
        "given_name", "family_name", "phones", "emails", "company.name", "company.tax_number", "birthday", "",
    ]  # fmt: skip

    planned = await clerk.plan(begun)
    assert counts(planned.plan) == {"created": 3, "failed": 1, "linked_created": 1}
    assert await state_of(world) == before

    done = await clerk.run(planned)
    assert (done.state, done.outcome) == (Import.STATE_DONE, planned.plan)
    found, companies = await people(world), await firms(world)
    zak = found["Łukasz Żak"]
    assert (zak.phones[0].number, zak.emails[0].address) == ("+48601234567", "lukasz@example.pl")
    assert (zak.birthday.year, zak.birthday.month, zak.birthday.day) == (1985, 4, 3)
    assert zak.company_id == found["Zofia Wiśniewska"].company_id == companies["Okna Żak"].id
    assert companies["Okna Żak"].tax_numbers[0].number == "5260250274"
    assert (zak.owner_id, zak.etag) == (world.tenant.admin.id, "1")

    undone = await clerk.undo(done)
    assert (undone.state, counts(undone.undo)) == (Import.STATE_UNDONE, {"deleted": 4})
    assert await state_of(world) == before


async def test_the_same_file_twice_makes_nothing_new(world: World, clerk: Clerk) -> None:
    await clerk.imported(PEOPLE + "Tylko Imię;;;;;;;\n")
    before = await state_of(world)

    again = await clerk.imported(PEOPLE + "Tylko Imię;;;;;;;\n")

    assert counts(again.outcome) == {"unchanged": 4, "failed": 1}
    assert await state_of(world) == before


async def test_twins_within_the_file_become_one_record(world: World, clerk: Clerk) -> None:
    text = "First name,Last name,Phone,E-mail\nAna,Nowak,601234567,\nAna,Nowak,+48 601-234-567,\n,,601 234 567,ana@example.com\n"

    done = await clerk.imported(text)

    assert done.plan == done.outcome
    assert counts(done.outcome) == {"created": 1, "duplicate": 1, "updated": 1}
    found = await people(world)
    assert list(found) == ["Ana Nowak"]
    assert [email.address for email in found["Ana Nowak"].emails] == ["ana@example.com"]
    assert found["Ana Nowak"].etag == "1"


@pytest.mark.parametrize(
    ("on_match", "outcome", "position", "city", "emails"),
    [
        (SKIP, "duplicate", "Boss", "", ["old@example.com"]),
        (FILL, "updated", "Boss", "Łódź", ["old@example.com", "new@example.com"]),
        (OVERWRITE, "updated", "Chief", "Łódź", ["old@example.com", "new@example.com"]),
    ],
)
async def test_what_happens_to_a_record_that_a_line_finds(
    world: World,
    clerk: Clerk,
    on_match: Any,
    outcome: str,
    position: str,
    city: str,
    emails: list[str],
) -> None:
    known = await world.contact(
        given_name="Ana", position="Boss", phones=[Phone(number="+48601234567")], emails=[Email(address="old@example.com")]
    )  # fmt: skip
    before = await state_of(world)

    done = await clerk.imported(
        "Name,Phone,Position,City,E-mail\nAnna Maria,601234567,Chief,Łódź,new@example.com\n",
        options=Options(on_match=on_match),
    )

    kept = await world.contact(known.id)
    assert counts(done.outcome) == {outcome: 1}
    assert (kept.position, [e.address for e in kept.emails]) == (position, emails)
    assert (kept.addresses[0].city if kept.addresses else "") == city
    await clerk.undo(done)
    assert await state_of(world) == before


async def test_an_id_of_another_system_finds_its_record_first(world: World, clerk: Clerk) -> None:
    by_id = await world.contact(
        given_name="A", external_ids=[ExternalId(system="oldcrm", id="007")]
    )
    await world.contact(given_name="B", phones=[Phone(number="+48601234567")])

    done = await clerk.imported(
        "Customer number,Name,Phone\n007,Ana Lis,601234567\n008,Jan Lis,\n",
        options=Options(external_system="oldcrm", on_match=OVERWRITE),
    )

    assert counts(done.outcome) == {"created": 1, "updated": 1}
    assert (await world.contact(by_id.id)).phones[0].number == "+48601234567"
    assert (await people(world))["Jan Lis"].external_ids[0].id == "008"
    again = await clerk.imported(
        "Customer number,Name\n008,Jan Lis\n", options=Options(external_system="oldcrm")
    )
    assert counts(again.outcome) == {"unchanged": 1}


async def test_match_by_leaves_out_what_is_not_named(world: World, clerk: Clerk) -> None:
    await world.contact(given_name="A", phones=[Phone(number="+48601234567")])

    done = await clerk.imported(
        "Name,Phone\nAna,601234567\n", options=Options(match_by=[Options.MATCH_BY_EMAIL])
    )

    assert counts(done.outcome) == {"created": 1}


async def test_a_company_of_one_name_and_another_tax_number_is_another(
    world: World, clerk: Clerk
) -> None:
    done = await clerk.imported(
        "Name,Company,NIP\nAna,Okna,5260250274\nBudi,Okna,7740001454\nCici,Okna,5260250274\nDodi,Okna,\n"
    )

    assert counts(done.outcome) == {"created": 4, "linked_created": 2}
    found = await people(world)
    assert found["Ana"].company_id == found["Cici"].company_id != found["Budi"].company_id


async def test_lines_are_failed_with_everything_that_is_wrong(world: World, clerk: Clerk) -> None:
    done = await clerk.imported(
        f"Name,Phone,E-mail,Birthday,Position\nAna,12,ana,31.02.1980,\n{'x' * 300},,,,\n,,,,Boss\n"
        "Ewa,,ewa,,\n"
    )

    rows = await clerk.rows(done, outcome=imports.IMPORT_OUTCOME_FAILED)
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert rows[0].reason == (
        "phones: '12' cannot be a phone; write it with the country code, e.g. +48 601 234 567;"
        " birthday: '31.02.1980' is no day of the calendar"
    )
    assert "given_name" in rows[1].reason
    assert rows[2].reason.endswith("give a name, a phone or an e-mail")
    assert (
        rows[3].reason == "emails[0].address: 'ewa' is not an e-mail address"
        or "e-mail" in rows[3].reason
    )
    assert await people(world) == {}


@pytest.mark.large
async def test_the_error_file_has_cells_and_reasons_and_imports_as_it_is(
    world: World, clerk: Clerk
) -> None:
    done = await clerk.imported(
        'Imię;Telefon;Uwagi\nAna;601234567;\nEwa;12;"a; ""b"""\nOla;=1;007\n'
    )

    raw = await clerk.content(done.error_file_id)
    lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))

    assert lines[0] == ["Imię", "Telefon", "Uwagi", "import error"]
    assert [line[:3] for line in lines[1:]] == [["Ewa", "12", 'a; "b"'], ["Ola", "'=1", "007"]]
    assert all("cannot be a phone" in line[3] for line in lines[1:])
    again = await clerk.imported(raw, "errors.csv")
    assert [column.field for column in again.columns] == ["given_name", "phones", "", ""]
    assert counts(again.outcome) == {"failed": 2}
    mended = await clerk.imported(raw.replace(b",12,", b",602234567,"), "errors.csv")
    assert counts(mended.outcome) == {"created": 1, "failed": 1}


async def test_a_column_may_become_a_custom_field_that_the_undo_takes_back(
    world: World, clerk: Clerk
) -> None:
    before = await state_of(world)
    begun = await clerk.begin(
        "Name;Shoe size;Since;VIP\nAna;007;3.4.2020;tak\nBudi;12345678901234567890;;nie\n"
    )
    for column, type_ in zip(list(begun.columns)[1:], ("TEXT", "DATE", "YES_NO"), strict=True):
        column.field = f"custom.{column.header.lower().replace(' ', '_')}"
        column.make_custom_field = common_pb2.CustomFieldType.Value(f"CUSTOM_FIELD_TYPE_{type_}")
    mapped = await clerk.update(begun, "columns")

    done = await clerk.run(await clerk.plan(mapped))

    found = await people(world)
    ana, budi = found["Ana"].custom, found["Budi"].custom
    assert (ana["shoe_size"].string_value, ana["since"].string_value, ana["vip"].bool_value) == (
        "007",
        "2020-04-03",
        True,
    )
    assert (budi["shoe_size"].string_value, budi["vip"].bool_value) == (
        "12345678901234567890",
        False,
    )
    assert len(done.custom_field_ids) == 3
    await clerk.undo(done)
    assert await state_of(world) == before


async def test_labels_owner_and_defaults(world: World, clerk: Clerk) -> None:
    for name in ("VIP", "Fair 2026"):
        await world.admin.CreateLabel(
            label_pb2.CreateLabelRequest(label=label_pb2.Label(name=name))
        )
    labels = await world.admin.ListLabels(label_pb2.ListLabelsRequest())
    by_name = {label.name: label.id for label in labels.labels}
    other = await world.tenant.person(email="ola@firm.example", name="Ola Sprzedaż")

    done = await clerk.imported(
        "Name,Tags,Owner\nAna,vip,ola@firm.example\nBudi,nothing,\nCici,,Ola Sprzedaż\nDodi,,Nobody\n",
        options=Options(label_ids=[by_name["Fair 2026"]]),
    )

    found = await people(world)
    assert counts(done.outcome) == {"created": 2, "failed": 2}
    assert list(found["Ana"].label_ids) == [by_name["VIP"], by_name["Fair 2026"]]
    assert found["Ana"].owner_id == found["Cici"].owner_id == other.id
    reasons = [row.reason for row in await clerk.rows(done, outcome=imports.IMPORT_OUTCOME_FAILED)]
    assert reasons == [
        "labels: there is no label 'nothing'; create it or leave it out",
        "owner: there is no user 'Nobody'; create it or leave it out",
    ]


async def test_first_line_that_reads_like_headers_is_a_record(world: World, clerk: Clerk) -> None:
    done = await clerk.imported("Nama Lengkap,Telefon,Nama Perusahaan\nOsoba 0,601234567,Firma 0\n")

    assert (done.header_row, counts(done.outcome)) == (1, {"created": 1, "linked_created": 1})


async def test_two_lines_of_headers_in_two_languages_are_both_headers(
    world: World, clerk: Clerk
) -> None:
    done = await clerk.imported(
        "Nama Depan,No HP,Kota\nFirst name,Phone,City\nBudi,+62 812 3456 7890,Bandung\n"
    )

    assert done.header_row == 2
    assert [column.header for column in done.columns] == [
        "Nama Depan / First name",
        "No HP / Phone",
        "Kota / City",
    ]
    assert counts(done.outcome) == {"created": 1}


# -- events ------------------------------------------------------------------------------------------


async def test_each_record_is_told_with_cause_import_and_the_end_once(
    world: World, clerk: Clerk
) -> None:
    done = await clerk.imported(PEOPLE)

    told = await world.running.events(world.tenant, "ContactCreated", count=3)
    (finished,) = await world.running.events(world.tenant, "ImportFinished")
    assert {(e["change"]["cause"]["kind"], e["change"]["cause"]["id"]) for e in told} == {
        ("import", done.id)
    }
    assert {e["change"]["actor"]["userId"] for e in told} == {world.tenant.admin.id}
    assert finished["importRecord"]["outcome"] == {
        "created": "3",
        "failed": "1",
        "linkedCreated": "1",
    }


async def test_timeline_has_no_entry_for_an_imported_line_and_later_ones_are_seen(
    world: World, clerk: Clerk
) -> None:
    await clerk.imported("Name,Phone\nAna,601234567\n")
    ana = (await people(world))["Ana"]
    await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(
            request=request_pb2.Request(contact_id=ana.id, text="Hello")
        )
    )

    async def entries() -> list[Any]:
        rows: list[Any] = await world.running.rows(
            "contacts",
            "SELECT type, cause->>'kind' AS cause FROM timeline WHERE party_id = $1",
            ana.id,
        )
        return rows

    rows = await until(entries)
    assert {row["type"] for row in rows} >= {"crm.contacts.v1.RequestReceived"}
    assert all(row["cause"] != "import" for row in rows)
