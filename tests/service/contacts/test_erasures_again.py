"""Who is on the erasure list and is there, because a backup was older, is erased again: once, by whichever process comes first."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.runtime import Runtime
from chassis.testing.events import eventually
from chassis.tx import Tx
from crm.contacts.v1 import contact_pb2, note_pb2
from crm.contacts.v1 import privacy_pb2 as pb
from crm.contacts.v1.notes_service_pb2_grpc import NotesServiceStub
from crm.contacts.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from services.contacts import certificates, erasing, erasure_list
from services.contacts.store import erasures
from services.contacts.store.erasures import ErasureRow
from tests.service.contacts.world import World


def runtime_of(world: World) -> Runtime:
    return world.running.process.runtimes["contacts"]


async def system(world: World, work: Any) -> Any:
    return await runtime_of(world).run_system(world.tenant.id, Cause("erasure"), work)


def listed(world: World, contact: contact_pb2.Contact) -> ErasureRow:
    """An erasure of this person."""
    actor = {"kind": "user", "id": world.tenant.admin.id, "user_id": world.tenant.admin.id}
    return ErasureRow(
        uuid7(), contact.id, [], "", actor, certificates.who_answers(), datetime.now(UTC), uuid7()
    )


async def with_a_file(world: World, contact: contact_pb2.Contact) -> str:
    """The file of a note about the person."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a window of hers"

    admin = world.tenant.admin
    blob = await runtime_of(world).blobs.put(
        world.tenant.id, chunks(), type="image/png", name="w.png", owner_id=admin.id, max_bytes=99
    )
    note = note_pb2.Note(contact_id=contact.id, text="see the photo", file_ids=[blob.id])
    await admin.stub(NotesServiceStub).CreateNote(note_pb2.CreateNoteRequest(note=note))
    return str(blob.id)


async def certificate(world: World, id: str) -> pb.Erasure:
    stub = world.tenant.admin.stub(PrivacyServiceStub)
    return await stub.GetErasure(pb.GetErasureRequest(id=id))  # type: ignore[no-any-return]


@pytest.mark.large
async def test_several_processes_that_start_at_once_erase_again_once(world: World) -> None:
    person = await world.contact(given_name="Hanna", family_name="Wracajaca")
    file = await with_a_file(world, person)
    row = listed(world, person)
    await erasure_list.write(runtime_of(world), world.tenant.id, row)

    await asyncio.gather(*(erasure_list.reapply(runtime_of(world)) for _ in range(4)))

    with pytest.raises(errors.NotFound):  # before the first call is served
        await world.contact(person.id)

    async def confirmed() -> bool:
        said = (await certificate(world, row.id)).confirmations
        return any(each.service == "contacts" for each in said)

    await eventually(confirmed, "contacts has confirmed", 60)
    with pytest.raises(errors.NotFound):
        await runtime_of(world).blobs.get(world.tenant.id, file)
    assert (await certificate(world, row.id)).HasField("reapply_time")
    events = await world.running.events(world.tenant, "ContactErased", service="contacts")
    assert [event["erasureId"] for event in events] == [row.id]


async def test_a_process_that_starts_while_another_takes_the_person_leaves_it_to_that_one(
    world: World,
) -> None:
    person = await world.contact(given_name="Hanna", family_name="Wlasnie")
    file = await with_a_file(world, person)
    row = listed(world, person)
    await system(world, lambda tx: erasures.add_erasure(tx, row))
    await erasure_list.write(runtime_of(world), world.tenant.id, row)
    starting: list[asyncio.Task[None]] = []

    async def taken(tx: Tx) -> None:
        await erasing.take(tx, row.id, files=set())
        await tx.flush()
        starting.append(asyncio.create_task(erasure_list.reapply(runtime_of(world))))
        await eventually(lambda: _somebody_waits(world), "the other waits for the certificate", 30)

    await system(world, taken)
    await starting[0]

    found = await system(world, lambda tx: erasures.find_erasure(tx, row.id))
    assert (found.erase_time is not None, found.reapply_time) == (True, None)
    assert found.found["files"] == [file]


async def _somebody_waits(world: World) -> bool:
    sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await world.running.rows("contacts", sql))


async def test_who_was_not_restored_is_left_alone(world: World) -> None:
    row = listed(world, contact_pb2.Contact(id=uuid7()))
    await erasure_list.write(runtime_of(world), world.tenant.id, row)

    await erasure_list.reapply(runtime_of(world))

    assert await system(world, lambda tx: erasures.find_erasure(tx, row.id)) is None
