"""Files that imports and exports leave: the lines that failed, and records as CSV, XLSX or vCard."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

from chassis.kit.imports import store, values
from chassis.kit.imports.preparing import Job
from chassis.kit.imports.workbook_writer import WorkbookWriter
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.runtime import Runtime

MOST_BYTES = 4 << 30  # of one file: a slip must not fill the disk
REASON_COLUMN = "import error"
_BOM = "\ufeff".encode()  # by it Excel knows UTF-8
_PAGE = 500
TYPES: dict[int, tuple[str, str]] = {
    pb.FILE_FORMAT_CSV: ("text/csv", "csv"),
    pb.FILE_FORMAT_XLSX: (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    pb.FILE_FORMAT_VCARD: ("text/vcard", "vcf"),
}


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as CSV by RFC 4180, each text guarded against being run as a formula."""
    text = io.StringIO()
    csv.writer(text).writerows([values.guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


async def failed_lines(job: Job) -> str:
    """The file of the lines that failed, headers first, reasons behind; its id, or nothing if none failed."""
    headers = [c.header or c.field for c in job.terms.imported.columns]
    if await job.read(lambda tx: store.rows_of(tx, job.id, 0, pb.IMPORT_OUTCOME_FAILED, 1)) == []:
        return ""

    async def content() -> AsyncIterator[bytes]:
        yield _BOM + csv_lines([[*headers, REASON_COLUMN]])
        after = 0
        while True:
            rows = await job.read(
                lambda tx, after=after: store.rows_of(  # type: ignore[misc]
                    tx, job.id, after, pb.IMPORT_OUTCOME_FAILED, _PAGE
                )
            )
            if not rows:
                return
            after = rows[-1]["line"]
            yield csv_lines(_with_reason(row, len(headers)) for row in rows)

    blob = await job.runtime.blobs.put(
        job.run.tenant, content(), type="text/csv", name=f"{job.terms.imported.file_name}-errors.csv"[-250:],
        owner_id=job.actor.user_id, max_bytes=MOST_BYTES,
    )  # fmt: skip
    return blob.id


def _with_reason(row: Any, width: int) -> list[str]:
    cells = [values.unguarded(cell) for cell in row["cells"]][:width]
    return [*cells, *[""] * (width - len(cells)), row["reason"]]


async def put_pages(
    runtime: "Runtime",
    tenant: str,
    owner_id: str,
    format: int,
    name: str,
    header: Sequence[str],
    pages: AsyncIterator[list[Sequence[str]]],
) -> str:
    """A file of these rows (of a vCard file, each row is one card); memory holds one page. Returns its id."""
    type_, ending = TYPES[format]

    async def store_it(content: AsyncIterator[bytes]) -> str:
        blob = await runtime.blobs.put(
            tenant, content, type=type_, name=f"{name}.{ending}", owner_id=owner_id, max_bytes=MOST_BYTES
        )  # fmt: skip
        return blob.id

    if format == pb.FILE_FORMAT_XLSX:
        with tempfile.TemporaryFile() as file:
            writer = WorkbookWriter(file)
            writer.write([header])
            async for page in pages:
                await asyncio.to_thread(writer.write, page)
            writer.close()
            file.seek(0)
            return await store_it(_chunks(file))
    if format == pb.FILE_FORMAT_VCARD:
        return await store_it(_joined(pages, lambda page: "".join(r[0] for r in page).encode()))
    return await store_it(_joined(pages, csv_lines, _BOM + csv_lines([header])))


async def _joined(
    pages: AsyncIterator[list[Sequence[str]]],
    encode: Callable[[list[Sequence[str]]], bytes],
    head: bytes = b"",
) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for page in pages:
        yield encode(page)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, 256 << 10):
        yield chunk
