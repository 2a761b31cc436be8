"""Exports: as the caller sees it, safe in a spreadsheet, and the same again when imported."""

import csv
import io

import openpyxl
import pytest

from chassis import errors
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1.party_pb2 import Address, Email, ExternalId, Phone
from tests.service.contacts.files import Clerk, counts, state_of
from tests.service.contacts.test_imports import firms, people
from tests.service.contacts.world import Refused, World

CSV, XLSX, VCARD = imports.FILE_FORMAT_CSV, imports.FILE_FORMAT_XLSX, imports.FILE_FORMAT_VCARD
HOSTILE = {
    "Code": "00012345678901234567", "Formula": "=1+cmd|' /C calc'!A0", "Plus": "+1-1", "At": "@SUM(A1)", "Date": "03.04.2020",
    "Quote": "'tis", "Tab": 'a "b"; c, d',
}  # fmt: skip


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


def table(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))


async def hostile(world: World, clerk: Clerk) -> str:
    """An imported contact whose custom fields hold what spreadsheets spoil."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([["Name", "Phone", *HOSTILE], ["Ana", "601234567", *HOSTILE.values()]])
    begun = await clerk.begin(out.getvalue())
    for column in list(begun.columns)[2:]:
        column.field = f"custom.{column.header.lower()}"
        column.make_custom_field = common_pb2.CUSTOM_FIELD_TYPE_TEXT
    await clerk.run(await clerk.plan(await clerk.update(begun, "columns")))
    ana = (await people(world))["Ana"]
    assert {k: ana.custom[k.lower()].string_value for k in HOSTILE} == HOSTILE
    return ana.id


@pytest.mark.large
@pytest.mark.parametrize("form", [CSV, XLSX])
async def test_exporting_an_import_gives_the_same_values_back(
    world: World, clerk: Clerk, form: int
) -> None:
    id = await hostile(world, clerk)
    raw = await clerk.export(format=form)
    await world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=id))

    done = await clerk.imported(raw, "back.xlsx" if form == XLSX else "back.csv")

    back = (await people(world))["Ana"]
    assert counts(done.outcome) == {"created": 1}
    assert {k: back.custom[k.lower()].string_value for k in HOSTILE} == HOSTILE
    assert back.phones[0].number == "+48601234567"
    assert back.id != id


async def test_no_cell_of_a_csv_begins_a_formula(world: World, clerk: Clerk) -> None:
    await hostile(world, clerk)

    cells = [
        cell
        for row in csv.reader(io.StringIO((await clerk.export()).decode("utf-8-sig")))
        for cell in row
    ]

    assert "'=1+cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


async def test_cells_of_a_workbook_are_texts(world: World, clerk: Clerk) -> None:
    await hostile(world, clerk)

    sheet = openpyxl.load_workbook(io.BytesIO(await clerk.export(format=XLSX))).active

    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert HOSTILE["Formula"] in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells} == {"s"}


async def test_everything_of_a_contact_goes_out_and_comes_back(world: World, clerk: Clerk) -> None:
    await clerk.imported(
        "Imię,Nazwisko,Telefon,E-mail,Firma,NIP,Data urodzenia,Ulica,Miasto,Kod,Kraj,Rola,Język,Preferowany kontakt,Zwrot\n"
        'Łukasz,Żak,"601234567; 602234567",l@example.pl,Okna Żak,5260250274,3.4.1985,Długa 1,Łódź,90-001,Polska,klient,pl,telefon,Pan\n'
    )
    before = (await people(world))["Łukasz Żak"]
    (row,) = table(await clerk.export())
    await world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=before.id))

    await clerk.imported(as_csv(row))

    after = (await people(world))["Łukasz Żak"]
    for own in (before, after):
        for field in ("id", "create_time", "update_time", "external_ids"):
            own.ClearField(field)
    assert after == before


def as_csv(row: dict[str, str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([list(row), list(row.values())])
    return out.getvalue().encode()


@pytest.mark.large
async def test_companies_go_out_and_come_back(world: World, clerk: Clerk) -> None:
    await clerk.imported(
        "Nazwa,NIP,Strona www,Branża,Liczba pracowników,Telefon,Domena\nOkna,5260250274,okna.example,okna,12,221234567,okna.example\n",
        resource="companies",
    )
    before = await state_of(world)
    raw = await clerk.export("Companies")
    again = await clerk.imported(raw, resource="companies")

    assert counts(again.outcome) == {"unchanged": 1}
    assert await state_of(world) == before
    assert (await firms(world))["Okna"].employee_count == 12
    (row,) = table(raw)
    assert (row["tax_number"], row["website"]) == ("PL:nip:5260250274", "https://okna.example")


async def test_vcards_go_out_and_come_back(world: World, clerk: Clerk) -> None:
    await world.contact(
        given_name="Łukasz", family_name="Żak", position="Szef", phones=[Phone(number="+48601234567")],
        emails=[Email(address="l@example.pl")], addresses=[Address(lines=["Długa 1"], city="Łódź", country="PL")],
    )  # fmt: skip
    raw = await clerk.export(format=VCARD)
    assert raw.startswith(b"BEGIN:VCARD\r\nVERSION:4.0\r\n")

    done = await clerk.imported(raw, "people.vcf")

    assert done.format == VCARD
    assert counts(done.outcome) == {"updated": 1}  # it gains the card's own id
    (kept,) = (await people(world)).values()
    assert (kept.position, len(kept.phones), len(kept.emails), len(kept.addresses)) == (
        "Szef",
        1,
        1,
        1,
    )
    again = await clerk.imported(raw, "people.vcf")
    assert counts(again.outcome) == {"unchanged": 1}


# -- as the caller sees it -----------------------------------------------------------------------------

SELLER = [
    {"object": "contact", "action": "read", "scope": "own"}, {"object": "contact", "action": "export", "scope": "all"},
    {"object": "operation", "action": "*", "scope": "own"},
]  # fmt: skip


async def test_scope_and_hidden_fields_hold(world: World, clerk: Clerk) -> None:
    seller = Clerk(world, await world.tenant.person(SELLER, hidden=["contact.phones"]))
    await world.contact(
        given_name="Mine", owner_id=seller.person.id, phones=[Phone(number="+48601234567")]
    )
    await world.contact(given_name="Theirs", phones=[Phone(number="+48602234567")])

    rows = table(await seller.export())

    assert [row["given_name"] for row in rows] == ["Mine"]
    assert "phones" not in rows[0]
    assert not any("601234567" in cell for cell in rows[0].values())
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await seller.export(columns=["phones"])
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await seller.export(filter='phones:"+48601234567"')


async def test_a_company_that_the_caller_may_not_read_is_not_named(
    world: World, clerk: Clerk
) -> None:
    await clerk.imported("Name,Company\nAna,Okna\n")
    seller = Clerk(world, await world.tenant.person([{**g, "scope": "all"} for g in SELLER]))

    (row,) = table(await seller.export())

    assert (row["given_name"], row["company.name"]) == ("Ana", "")


async def test_export_needs_its_right_and_its_scope(world: World, clerk: Clerk) -> None:
    nobody = Clerk(world, await world.tenant.person([SELLER[0], SELLER[2]]))
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await nobody.export()
    await world.contact(given_name="Theirs")
    grants = [{**SELLER[0], "scope": "all"}, {**SELLER[1], "scope": "own"}, SELLER[2]]
    reader = Clerk(world, await world.tenant.person(grants))
    assert table(await reader.export()) == []


async def test_filter_order_and_columns_are_obeyed(world: World, clerk: Clerk) -> None:
    for name in ("Ana", "Budi", "Cici"):
        await world.contact(given_name=name, external_ids=[ExternalId(system="shop", id=name)])

    raw = await clerk.export(
        filter='given_name != "Budi"',
        order_by="display_name desc",
        columns=["given_name", "external_ids"],
    )

    assert raw.decode("utf-8-sig").splitlines() == [
        "given_name,external_ids",
        "Cici,shop/Cici",
        "Ana,shop/Ana",
    ]


async def test_wrong_columns_and_filters_are_refused_at_once(world: World, clerk: Clerk) -> None:
    async with Refused(world, errors.InvalidArgument, "EXPORT_COLUMN_UNKNOWN", "columns"):
        await clerk.export(columns=["shoe_size"])
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "filter"):
        await clerk.export(filter="nothing = 1")


@pytest.mark.large
async def test_more_than_one_page_goes_out(world: World, clerk: Clerk) -> None:
    await clerk.imported("Name,Phone\n" + "".join(f"P{n},{601000000 + n}\n" for n in range(450)))

    rows = table(await clerk.export(order_by="display_name"))

    assert len({row["phones"] for row in rows}) == len(rows) == 450
