"""The disk of PostgreSQL fills up in the middle of writes: each is refused with one sentence, and none that was accepted is lost."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis import errors
from chassis import service as services
from chassis.db import migrate
from chassis.testing.events import eventually
from chassis.testing.installation import installation
from chassis.testing.installation import test_settings as settings_of_tests
from chassis.testing.servers import PostgresServer, scratch
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub

_SIZE = "260m"  # an empty cluster, its log and one service's tables take 45
_LEFT_BYTES = 300_000


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small file system of its own."""
    with scratch() as folder:
        place = folder / "disk"
        place.mkdir()
        place.chmod(0o755)
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only who may mount a file system can fill one safely")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_refuses_writes_and_loses_none(disk: Path) -> None:
    (disk / "postgres").mkdir(mode=0o755)
    with PostgresServer(disk / "postgres") as postgres:
        settings = settings_of_tests(postgres_url=postgres.url())
        await migrate.provision(settings, "contacts")
        await asyncio.to_thread(migrate.upgrade, settings, services.load("contacts"))
        async with installation(["contacts"], postgres_url=postgres.url()) as crm:
            tenant = await crm.tenant()
            stub = tenant.admin.stub(ContactsServiceStub)
            accepted: list[str] = []

            async def create() -> None:
                contact = contact_pb2.Contact(given_name=f"Person {len(accepted)}")
                made = await stub.CreateContact(contact_pb2.CreateContactRequest(contact=contact))
                accepted.append(made.id)

            for _ in range(20):  # PostgreSQL opens a segment of its log, which takes 16 MiB at once
                await create()
            room = os.statvfs(disk)
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - _LEFT_BYTES))

            async def fill() -> None:
                for _ in range(5000):
                    await create()

            with pytest.raises(errors.Unavailable, match="disk is full, nothing was saved"):
                await fill()
            before_space_came = len(accepted)
            for id in accepted:  # reading goes on
                await stub.GetContact(contact_pb2.GetContactRequest(id=id))

            ballast.unlink()

            async def works_again() -> bool:
                try:
                    await create()
                except errors.Unavailable:
                    return False
                return True

            await eventually(works_again, "contacts are created again", 30)
            answer = await stub.BatchGetContacts(
                contact_pb2.BatchGetContactsRequest(ids=accepted[:200])
            )
            assert [one.id for one in answer.contacts] == accepted[:200]
            assert 0 < before_space_came < len(accepted)
