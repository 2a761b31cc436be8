"""What imports refuse: rights, scopes, hidden fields, others' files, wrong mappings and steps out of order."""

import pytest

from chassis import errors
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import imports_service_pb2 as pb
from crm.contacts.v1.party_pb2 import Phone
from tests.service.contacts.files import (
    OVERWRITE,
    Clerk,
    Import,
    Options,
    counts,
)
from tests.service.contacts.test_imports import people
from tests.service.contacts.world import Refused, World


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


IMPORTER = [
    {"object": "import", "action": "*", "scope": "own"}, {"object": "operation", "action": "*", "scope": "own"},
    *({"object": o, "action": a, "scope": "own"} for o in ("contact", "company") for a in ("read", "create", "update")),
]  # fmt: skip


async def test_records_outside_the_importers_scope_are_not_overwritten(
    world: World, clerk: Clerk
) -> None:
    theirs = await world.contact(given_name="Theirs", phones=[Phone(number="+48601234567")])
    seller = Clerk(world, await world.tenant.person(IMPORTER))

    done = await seller.imported(
        "Name,Phone,City\nMine,602234567,X\nOther,601234567,Y\n",
        options=Options(on_match=OVERWRITE),
    )

    (failed,) = await seller.rows(done, outcome=imports.IMPORT_OUTCOME_FAILED)
    assert counts(done.outcome) == {"created": 1, "failed": 1}
    assert (
        failed.reason
        == "it belongs to a contact that you may not change; ask its owner or leave the line out"
    )
    assert failed.record_id == ""
    assert await world.contact(theirs.id) == theirs
    assert (await people(world))["Mine"].owner_id == seller.person.id


async def test_owner_outside_the_importers_scope_fails_the_line(world: World) -> None:
    await world.tenant.person(email="ola@firm.example")
    seller = Clerk(world, await world.tenant.person(IMPORTER))

    done = await seller.imported("Name,Owner\nAna,ola@firm.example\n")

    (failed,) = await seller.rows(done)
    assert failed.reason == "you may not create this contact for its owner"
    assert await people(world) == {}


async def test_without_the_right_to_create_nothing_is_planned(world: World) -> None:
    reader = Clerk(world, await world.tenant.person([IMPORTER[0], IMPORTER[1], IMPORTER[2]]))
    begun = await reader.begin("Name\nAna\n")

    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await reader.plan(begun)


async def test_without_the_object_import_nothing_is_begun(world: World) -> None:
    nobody = Clerk(world, await world.tenant.person(IMPORTER[1:]))

    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await nobody.begin("Name\nAna\n")


async def test_hidden_field_is_not_filled(world: World) -> None:
    seller = Clerk(
        world, await world.tenant.person(IMPORTER, hidden=["contact.birthday", "company.name"])
    )
    begun = await seller.begin("Name,Birthday\nAna,1.2.1990\n")

    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await seller.plan(begun)
    begun = await seller.begin("Name,Company\nAna,Okna\n")
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await seller.plan(begun)


async def test_only_ones_own_file_is_read(world: World, clerk: Clerk) -> None:
    secret = await clerk.upload(b"Name\nAna\n")
    thief = Clerk(world, await world.tenant.person(IMPORTER))
    made = Import(resource="contacts", file_id=secret)

    async with Refused(world, errors.InvalidArgument, "INVALID_ARGUMENT", "file_id"):
        await thief.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))


async def test_imports_of_others_are_not_there(world: World, clerk: Clerk) -> None:
    begun = await clerk.begin("Name\nAna\n")
    other = Clerk(world, await world.tenant.person(IMPORTER))

    for refused in (
        other.get(begun.id),
        other.plan(begun),
        other.run(begun),
        other.undo(begun),
        other.rows(begun),
    ):
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await refused


# -- refusals ------------------------------------------------------------------------------------------


async def test_steps_out_of_order_are_refused(world: World, clerk: Clerk) -> None:
    begun = await clerk.begin("Name\nAna\n")

    for refused in (
        clerk.run(begun),
        clerk.undo(begun),
        clerk.preview(begun),
        clerk.stub.CancelImport(pb.CancelImportRequest(id=begun.id)),
    ):
        async with Refused(world, errors.FailedPrecondition, "IMPORT_WRONG_STATE"):
            await refused
    done = await clerk.run(await clerk.plan(begun))
    for refused in (clerk.plan(done), clerk.run(done), clerk.update(done, "options.on_match")):
        async with Refused(world, errors.FailedPrecondition, "IMPORT_WRONG_STATE"):
            await refused


@pytest.mark.parametrize(
    ("field", "type_", "violation"),
    [
        ("shoe", 0, "columns[0].field"), ("custom.nothing", 0, "columns[0].field"), ("emails", 5, "columns[0].make_custom_field"),
        ("custom.Bad Key", 1, "columns[0].field"), ("given_name", 0, "columns[1].field"),
    ],
)  # fmt: skip
async def test_wrong_mapping_is_refused_by_name(
    world: World, clerk: Clerk, field: str, type_: int, violation: str
) -> None:
    begun = await clerk.begin("A,First name\nx,Ana\n")
    begun.columns[0].field, begun.columns[0].make_custom_field = field, type_  # type: ignore[assignment]

    async with Refused(world, errors.InvalidArgument, "IMPORT_MAPPING_INVALID", violation):
        await clerk.update(begun, "columns")


async def test_unknown_resource_and_changed_file_are_refused(world: World, clerk: Clerk) -> None:
    made = Import(resource="deals", file_id=await clerk.upload(b"x"))
    async with Refused(world, errors.InvalidArgument, "IMPORT_MAPPING_INVALID", "resource"):
        await clerk.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))
    begun = await clerk.begin("Name\nAna\n")
    begun.file_id = await clerk.upload(b"y")
    async with Refused(world, errors.InvalidArgument, "IMPORT_MAPPING_INVALID", "file_id"):
        await clerk.update(begun, "file_id")


async def test_unreadable_file_fails_with_the_reason(world: World, clerk: Clerk) -> None:
    for content, name, why in (
        (
            b"PK\x03\x04 broken",
            "a.xlsx",
            "the file cannot be read: it is no Excel workbook (.xlsx)",
        ),
        (b"", "a.csv", "the file has no lines; choose one that has"),
    ):
        begun = await clerk.begin(content, name)
        assert (begun.state, begun.failure) == (Import.STATE_FAILED, why)


async def test_the_file_is_read_anew_with_another_separator(world: World, clerk: Clerk) -> None:
    begun = await clerk.begin("Name|Phone;x\nAna|601234567;y\n", separator=";")
    assert [column.header for column in begun.columns] == ["Name|Phone", "x"]

    begun.separator = "|"
    read = await clerk.update(begun, "separator")

    assert [column.header for column in read.columns] == ["Name", "Phone;x"]
    assert counts((await clerk.plan(read)).plan) == {"created": 1}
