"""Files in custom fields: one's own upload, or what the record holds; any other id is that of no file."""

from collections.abc import AsyncIterator

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person, Tenant
from tests.service.kit.support import Desk, unchanged
from tests.service.kit.test_custom_fields import EVERYTHING, value


async def upload(person: Person) -> str:
    """The id of a file that the person has uploaded, as the gateway stores it."""

    async def content() -> AsyncIterator[bytes]:
        yield person.id.encode()

    blobs = person.installation.process.runtimes["contacts"].blobs
    blob = await blobs.put(
        person.tenant, content(), type="text/plain", name="a.txt", owner_id=person.id, max_bytes=100
    )
    return blob.id


@pytest.fixture
async def colleague(tenant: Tenant) -> Desk:
    return Desk(tenant, await tenant.person(EVERYTHING))


async def test_own_upload_may_be_set_and_found_again(desk: Desk) -> None:
    await desk.custom_field("scan", "FILE", filterable=True)
    first, second = await upload(desk.person), await upload(desk.person)

    made = await desk.create("A", custom={"scan": value(first)})
    await desk.create("B", custom={"scan": value(second)})
    updated = await desk.update(made.id, "custom.scan", custom={"scan": value(second)})

    assert (made.custom["scan"].string_value, updated.custom["scan"].string_value) == (first, second)  # fmt: skip
    assert await desk.names(filter=f'custom.scan = "{second}"', order_by="display_name") == ["A", "B"]  # fmt: skip


async def test_file_of_a_field_that_was_just_made_counts_at_once(desk: Desk) -> None:
    await desk.create()  # schemas are known without the field
    await desk.custom_field("scan", "FILE")
    file_id = await upload(desk.person)

    assert (await desk.create(custom={"scan": value(file_id)})).custom["scan"].string_value == file_id  # fmt: skip


async def test_files_of_others_are_refused_like_files_that_do_not_exist(
    crm: Installation, tenant: Tenant, desk: Desk, colleague: Desk
) -> None:
    await desk.custom_field("scan", "FILE")
    made = await desk.create("A", custom={"scan": value(await upload(desk.person))})
    other_tenant = await crm.tenant()
    foreign = await upload(other_tenant.admin)

    told = set()
    async with unchanged(crm, tenant):
        for file_id in (await upload(colleague.person), foreign, uuid7()):
            for write in (
                desk.create("B", custom={"scan": value(file_id)}),
                desk.update(made.id, "custom.scan", custom={"scan": value(file_id)}),
            ):
                with pytest.raises(errors.InvalidArgument) as refusal:
                    await write
                assert refusal.value.reason == "CUSTOM_FIELD_INVALID"
                (violation,) = refusal.value.violations
                assert violation.field == "custom.scan"
                told.add(violation.description.replace(file_id, "<id>"))

    assert told == {"there is no file <id> of yours; upload it at /v1/files and send its id"}


async def test_file_that_the_record_holds_may_stay_and_move(desk: Desk, colleague: Desk) -> None:
    for key in ("scan", "copy", "note"):
        await desk.custom_field(key, "TEXT" if key == "note" else "FILE")
    file_id = await upload(desk.person)
    made = await desk.create("A", custom={"scan": value(file_id)})

    kept = await colleague.update(
        made.id, "display_name", "custom.scan", display_name="B", custom={"scan": value(file_id)}
    )
    moved = await colleague.update(
        made.id, "custom.scan", "custom.copy", custom={"copy": value(file_id)}
    )

    assert kept.custom["scan"].string_value == file_id
    assert {key: v.string_value for key, v in moved.custom.items()} == {"copy": file_id}
    with pytest.raises(
        errors.InvalidArgument
    ):  # it is gone from there, and never was the colleague's
        await colleague.create("C", custom={"scan": value(file_id)})  # fmt: skip


async def test_id_in_a_text_field_makes_no_file_held(desk: Desk, colleague: Desk) -> None:
    """Else a text field would be the way to somebody else's file."""
    await desk.custom_field("note")
    await desk.custom_field("scan", "FILE")
    file_id = await upload(desk.person)
    made = await colleague.create("A", custom={"note": value(file_id)})

    with pytest.raises(errors.InvalidArgument):
        await colleague.update(made.id, "custom.scan", custom={"scan": value(file_id)})
    assert (await desk.get(made.id)).etag == "1"
