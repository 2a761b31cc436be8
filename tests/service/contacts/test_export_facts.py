"""Exports: card facts where they are named, and what the audit learns of it."""

import csv
import io
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import contact_pb2, imports_service_pb2, request_pb2
from crm.contacts.v1.party_pb2 import Phone, Touch
from services.contacts import facts
from services.contacts.rules.card_facts import Item
from tests.service.contacts.files import Clerk
from tests.service.contacts.groups import Groups
from tests.service.contacts.test_card_facts import as_system
from tests.service.contacts.world import Refused, World

NAMED = [
    "given_name", "facts.last_contact_time", "facts.last_in_user", "facts.last_out_time", "facts.open_requests", "facts.revenue",
    "facts.first_touch.utm_campaign", "facts.first_touch.click_ids", "facts.purchase_interval_days",
]  # fmt: skip
EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
CSV, XLSX = imports.FILE_FORMAT_CSV, imports.FILE_FORMAT_XLSX


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


def cells(raw: bytes, form: int = CSV) -> list[list[str]]:
    if form == XLSX:
        rows = openpyxl.load_workbook(io.BytesIO(raw)).active.iter_rows(values_only=True)
        return [[str(cell or "") for cell in row] for row in rows]
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))


async def ana(world: World) -> tuple[contact_pb2.Contact, request_pb2.Request]:
    """A contact with a request written down by the admin, a won deal, and what brought her."""
    groups, contact = Groups(world), await world.contact(given_name="Ana")
    touch = Touch(utm_campaign="=Spring", click_ids={"gclid": "Cj0K"})
    request = await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(
            request=request_pb2.Request(
                text="Windows", contact_id=contact.id, first_touch=touch, last_touch=touch
            )
        )
    )
    await groups.until_facts(contact.id, open_requests=1)
    won = Item(
        "deal", uuid7(), 1, "won", contact.id, amount=Decimal("480.50"), currency="PLN",
        time=to_datetime(contact.create_time),
    )  # fmt: skip
    await as_system(world, lambda tx: facts.note_item(tx, won))
    return contact, request


@pytest.mark.parametrize("form", [CSV, XLSX])
async def test_named_facts_are_columns(world: World, clerk: Clerk, form: int) -> None:
    _, request = await ana(world)
    await world.contact(given_name="Ewa")

    found = cells(
        await clerk.export(columns=NAMED, format=form, order_by="facts.open_requests desc"), form
    )

    admin = world.running.process.directory.of(world.tenant.id).user(world.tenant.admin.id)
    assert admin is not None
    moment = to_datetime(request.create_time).strftime("%Y-%m-%dT%H:%M:%SZ")
    campaign = "'=spring" if form == CSV else "=spring"  # no cell begins a formula
    assert found == [
        NAMED,
        ["Ana", moment, admin["email"], "", "1", "480.50", campaign, "gclid/Cj0K", ""],
        ["Ewa", "", "", "", "0", "0", "", "", ""],
    ]


async def test_companies_have_fact_columns_too(world: World, clerk: Clerk) -> None:
    await clerk.imported("Nazwa\nOkna\n", resource="companies")

    found = cells(await clerk.export("Companies", columns=["name", "facts.won_count"]))

    assert found == [["name", "facts.won_count"], ["Okna", "0"]]
    async with Refused(world, errors.InvalidArgument, "EXPORT_COLUMN_UNKNOWN", "columns"):
        await clerk.export("Companies", columns=["facts.first_touch.utm_source"])


async def test_a_file_without_named_columns_has_what_imports_read(
    world: World, clerk: Clerk
) -> None:
    await ana(world)
    assert not [name for name in cells(await clerk.export())[0] if name.startswith("facts.")]


async def test_hidden_facts_are_in_no_file(world: World) -> None:
    await ana(world)
    hidden = ["contact.facts.revenue", "contact.facts.last_in_time"]
    person = Clerk(world, await world.tenant.person(EVERYTHING, hidden=hidden))
    blind = Clerk(world, await world.tenant.person(EVERYTHING, hidden=["contact.facts"]))

    for each, column in ((person, "facts.revenue"), (blind, "facts.open_requests")):
        async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
            await each.export(columns=[column])
    found = cells(await person.export(columns=["facts.last_in_user", "facts.open_requests"]))
    assert found[1:] == [["", "1"]]


# -- the audit ---------------------------------------------------------------------------------------


async def told(world: World) -> list[dict[str, Any]]:
    """The bodies of this tenant's RecordsExported, once nothing waits to be told."""
    await world.published()
    return await Groups(world).stored("RecordsExported")


async def test_the_audit_learns_who_took_out_what_and_no_value_of_it(
    world: World, clerk: Clerk
) -> None:
    for digit in range(3):
        await world.contact(given_name="Ana", phones=[Phone(number=f"+4860123456{digit}")])

    await clerk.export(
        filter='phones:"+48601234561" AND given_name = "Ana"', q="Ana", columns=["given_name"]
    )

    (event,) = await told(world)
    assert event["change"]["actor"]["userId"] == world.tenant.admin.id
    assert (event["object"], event["recordCount"], event["audited"]["action"]) == (
        "contact", "1", "export",
    )  # fmt: skip
    assert event["audited"]["object"] == "contact"
    assert event["audited"]["details"] == {
        "rows": "1", "format": "csv", "columns": "given_name", "filtered_by": "given_name, phones", "searched": "yes",
    }  # fmt: skip
    assert event["change"]["cause"] == {"kind": "export", "id": event["operationId"]}
    assert not [value for value in ("Ana", "601234561") if value in str(event)]


async def test_companies_taken_out_are_told_too(world: World, clerk: Clerk) -> None:
    await clerk.export("Companies", format=XLSX)

    (event,) = await told(world)
    assert event["audited"]["object"] == "company"
    assert {k: event["audited"]["details"][k] for k in ("rows", "format")} == {
        "rows": "0", "format": "xlsx",
    }  # fmt: skip
    assert len(event["audited"]["details"]["columns"]) <= 500


async def test_an_export_that_is_refused_is_not_told(world: World, clerk: Clerk) -> None:
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "filter"):
        await clerk.export(filter="nothing = 1")
    lost = Clerk(world, await world.tenant.person([{**g, "action": "read"} for g in EVERYTHING]))
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await lost.stub.ExportContacts(imports_service_pb2.ExportContactsRequest())

    assert await told(world) == []
