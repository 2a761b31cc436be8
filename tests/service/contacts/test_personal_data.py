"""U40: everything that is kept about a person, as one archive; services that do not answer are named."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.longrunning import operations_pb2

from chassis import errors
from chassis.blobs import BlobStore
from chassis.testing.events import eventually
from crm.contacts.v1 import contact_pb2, note_pb2, operation_pb2, party_pb2, request_pb2
from crm.contacts.v1 import privacy_pb2 as pb
from crm.contacts.v1.notes_service_pb2_grpc import NotesServiceStub
from crm.contacts.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from services.contacts import personal_data
from tests.service.contacts.groups import Groups
from tests.service.contacts.world import Refused, World

Contact = contact_pb2.Contact


@pytest_asyncio.fixture
async def person(world: World) -> AsyncIterator[Contact]:
    """Somebody with a request, a note with a file, and an old version."""
    photo = await _file(world, b"a photo", "me.png")
    made = await world.contact(
        given_name="Hanna", family_name="Dane", phones=[party_pb2.Phone(number="+48601222333")]
    )
    made.position = "tailor"
    made = await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(contact=made, update_mask={"paths": ["position"]})
    )
    await world.submit(await world.form(), name="Hanna Dane", phone="601222333", text="two windows")
    notes = world.tenant.admin.stub(NotesServiceStub)
    note = note_pb2.Note(contact_id=made.id, text="likes tea", file_ids=[photo])
    await notes.CreateNote(note_pb2.CreateNoteRequest(note=note))
    yield made


def _blobs(world: World) -> BlobStore:
    return world.running.process.runtimes["contacts"].blobs


async def _file(world: World, content: bytes, name: str) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blob = await _blobs(world).put(
        world.tenant.id,
        chunks(),
        type="image/png",
        name=name,
        owner_id=world.tenant.admin.id,
        max_bytes=1000,
    )
    return blob.id


async def exported(world: World, contact_id: str, *, wait_s: int) -> pb.PersonalDataArchive:
    stub = world.tenant.admin.stub(PrivacyServiceStub)
    started = await stub.ExportPersonalData(
        pb.ExportPersonalDataRequest(id=contact_id, wait_s=wait_s)
    )
    last: list[operations_pb2.Operation] = []

    async def is_over() -> bool:
        id = started.name.rpartition("/")[2]
        last[:] = [await world.admin.GetOperation(operation_pb2.GetOperationRequest(id=id))]
        return last[0].done

    await eventually(is_over, "the archive is there", 60)
    assert not last[0].HasField("error"), last[0]
    archive = pb.PersonalDataArchive()
    last[0].response.Unpack(archive)
    return archive


async def opened(world: World, file_id: str) -> zipfile.ZipFile:
    content = b"".join([chunk async for chunk in _blobs(world).read(world.tenant.id, file_id)])
    return zipfile.ZipFile(io.BytesIO(content))


@pytest.mark.large
async def test_the_archive_holds_what_is_kept_and_names_who_is_missing(
    world: World, person: Contact
) -> None:
    await Groups(world).until_facts(person.id, open_requests=1)

    archive = await exported(world, person.id, wait_s=1)

    # Another test's identity, in the same worker, may answer: then it is not missing.
    assert archive.services[0] == "contacts"
    answering = sorted(["contacts", *personal_data.who_answers()])
    assert sorted([*archive.services, *archive.missing_services]) == answering
    content: dict[str, Any] = json.loads(
        (await opened(world, archive.file_id)).read("contacts.json")
    )
    assert [each["displayName"] for each in content["contacts"]] == ["Hanna Dane"]
    assert [each["record"].get("position", "") for each in content["contacts_history"]] == [
        "",
        "tailor",
    ]
    assert [each["text"] for each in content["requests"]] == ["two windows"]
    assert [each["text"] for each in content["notes"]] == ["likes tea"]
    assert "timeline" in content
    assert [each["openRequests"] for each in content["card_facts"]] == [1]
    blob = await _blobs(world).get(world.tenant.id, archive.file_id)
    assert (blob.owner_id, blob.type) == (world.tenant.admin.id, "application/zip")


@pytest.mark.large
async def test_an_archive_is_told_to_the_audit_and_goes_with_the_person(
    world: World, person: Contact
) -> None:
    archive = await exported(world, person.id, wait_s=1)
    content = json.loads((await opened(world, archive.file_id)).read("contacts.json"))
    (event,) = await world.running.events(world.tenant, "PersonalDataRequested")
    stub = world.tenant.admin.stub(PrivacyServiceStub)
    erasure = await stub.EraseContact(
        pb.EraseContactRequest(id=person.id, reason="r", confirmation=person.display_name)
    )

    assert event["audited"]["action"] == "personal_data_export"
    assert event["change"]["actor"]["userId"] == world.tenant.admin.id

    async def is_confirmed() -> bool:
        return bool((await stub.GetErasure(pb.GetErasureRequest(id=erasure.id))).confirmations)

    await eventually(is_confirmed, "contacts has confirmed", 60)
    for file_id in (archive.file_id, *content["notes"][0]["fileIds"]):
        with pytest.raises(errors.NotFound):
            await opened(world, file_id)


async def test_who_may_only_read_gets_no_archive(world: World, person: Contact) -> None:
    clerk = await world.tenant.person([{"object": "contact", "action": "read", "scope": "all"}])

    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await clerk.stub(PrivacyServiceStub).ExportPersonalData(
            pb.ExportPersonalDataRequest(id=person.id)
        )


@pytest.mark.large
async def test_nobody_else_is_in_the_archive(world: World, person: Contact) -> None:
    other = await world.contact(
        given_name="Ewa", family_name="Obca", phones=[party_pb2.Phone(number="+48601222333")]
    )
    await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(
            request=request_pb2.Request(contact_id=other.id, text="a secret of hers")
        )
    )

    archive = await exported(world, person.id, wait_s=1)

    said = (await opened(world, archive.file_id)).read("contacts.json").decode()
    assert [text for text in ("Obca", "a secret of hers", other.id) if text in said] == []
