"""B10: an import of many rows, CSV and XLSX, with normalising, duplicate check, history and events.

`python -m tests.bench.imports [rows] [csv|xlsx]` prints one line of JSON: rows per second of plan and run, of both together,
this process's CPU time for a row (relay and consumers included), and how much the process's memory grew from the first tenth to the end.
"""

import asyncio
import csv
import io
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from chassis.kit.imports.workbook_writer import WorkbookWriter
from chassis.testing.installation import Installation, Tenant, installation
from chassis.waits import first_of
from crm.common.v1 import imports_pb2
from crm.contacts.v1 import imports_service_pb2 as pb
from crm.contacts.v1 import operation_pb2
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub
from crm.contacts.v1.imports_service_pb2_grpc import ImportsServiceStub
from tests.bench import contacts

HEADERS = ["Imię", "Nazwisko", "Telefon", "E-mail", "Miasto", "Stanowisko", "Firma"]
ROWS = 200_000


def people(count: int) -> Iterator[list[str]]:
    """Headers and lines; every fiftieth line has a company of a thousand."""
    yield HEADERS
    for number in range(count):
        chance = random.Random(number)
        given, family = contacts.name(chance)
        phone = f"{500_000_000 + number * 7 % 400_000_000}"
        phone = phone if number % 2 else f"+48 {phone[:3]} {phone[3:6]} {phone[6:]}"
        company = f"Firma {number % 1000}" if number % 50 == 0 else ""
        yield [given, family, phone, f"b{number}@customers.example", "Łódź", "Kupiec", company]


def write(path: Path, count: int, kind: str) -> None:
    """The file of the bench."""
    with path.open("wb") as file:
        if kind == "xlsx":
            writer = WorkbookWriter(file)
            writer.write(people(count))
            writer.close()
            return
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        csv.writer(text).writerows(people(count))
        text.flush()


def resident_mb() -> int:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


class Bench:
    """One import in a fresh tenant."""

    def __init__(self, crm: Installation, tenant: Tenant) -> None:
        self.crm, self.tenant = crm, tenant
        self.stub: Any = tenant.admin.stub(ImportsServiceStub)
        self.contacts: Any = tenant.admin.stub(ContactsServiceStub)
        self.memory: list[int] = []

    async def upload(self, path: Path) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk

        blobs = self.crm.process.runtimes["contacts"].blobs
        blob = await blobs.put(
            self.tenant.id, chunks(), type="text/csv", name=path.name, owner_id=self.tenant.admin.id,
            max_bytes=1 << 32,
        )  # fmt: skip
        return str(blob.id)

    async def ended(self, name: str) -> None:
        """Waits for an operation and watches memory meanwhile."""
        request = operation_pb2.GetOperationRequest(id=name.rpartition("/")[2])
        while not (operation := await self.contacts.GetOperation(request)).done:
            self.memory.append(resident_mb())
            await first_of(asyncio.Event(), timeout_s=0.2)
        assert not operation.HasField("error"), operation.error

    async def measure(self, path: Path, rows: int) -> dict[str, Any]:
        made = imports_pb2.Import(resource="contacts", file_id=await self.upload(path))
        imported = await self.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))
        await self.ended(imported.operation)
        self.memory.clear()
        began, cpu = time.perf_counter(), time.process_time()
        await self.ended((await self.stub.PlanImport(pb.PlanImportRequest(id=imported.id))).name)
        planned = time.perf_counter()
        await self.ended((await self.stub.RunImport(pb.RunImportRequest(id=imported.id))).name)
        ended = time.perf_counter()
        done = await self.stub.GetImport(pb.GetImportRequest(id=imported.id))
        assert done.outcome == done.plan
        assert done.outcome.created == rows, done.outcome
        early = self.memory[: max(1, len(self.memory) // 10)]
        return {
            "rows": rows, "kind": path.suffix, "plan_rows_s": round(rows / (planned - began)),
            "run_rows_s": round(rows / (ended - planned)), "both_rows_s": round(rows / (ended - began)),
            "cpu_us_per_row": round((time.process_time() - cpu) / rows * 1e6),
            "memory_grew_mb": max(self.memory) - max(early), "memory_mb": max(self.memory),
        }  # fmt: skip


async def main(rows: int, kind: str) -> None:
    """As the module says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"people.{kind}"
        write(path, rows, kind)
        async with installation(["contacts"]) as crm:
            print(json.dumps(await Bench(crm, await crm.tenant()).measure(path, rows)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS, (sys.argv[2:] or ["csv"])[0]))
