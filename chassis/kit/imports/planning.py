"""The head of a file read and guessed, and the plan: every line decided, nothing written but the plan."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chassis.kit.imports import guessing, reading, store, values
from chassis.kit.imports.adapter import Target
from chassis.kit.imports.deciding import Book, Line
from chassis.kit.imports.preparing import Job, ahead, parsed
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

_SAMPLES = 5
_LONGEST_SAMPLE = 100  # the import itself is told in events, which have a largest size
_SAMPLE_CELLS = 50
_LONGEST_HEADER = 200


async def read(job: Job) -> None:
    """Reads the head of the file and guesses what its columns hold."""
    async with job.failing():
        imported = await job.begin()
        async with job.file() as path:
            head = await asyncio.to_thread(_head, path, job, imported)
        blob = await job.runtime.blobs.get(job.run.tenant, imported.file_id)
        offered = job.adapter.targets(job.terms.custom.values())
        head = _without_second_header(head, offered)

        async def changed(tx: Tx, imported: pb.Import) -> None:
            imported.file_name = blob.name
            imported.format = head.layout.format  # type: ignore[assignment]
            imported.encoding, imported.separator = head.layout.encoding, head.layout.separator
            imported.sheet, imported.header_row = head.layout.sheet, head.header_row
            imported.sheets[:] = head.sheets
            imported.state = pb.Import.STATE_UPLOADED
            _describe(imported, head, offered)

        await job.change(changed)


def _head(path: Path, job: Job, imported: pb.Import) -> reading.Head:
    return reading.read_head(
        path, job.layout(), imported.header_row, job.adapter.read_cards  # type: ignore[arg-type]
    )  # fmt: skip


def _without_second_header(head: reading.Head, offered: Sequence[Target]) -> reading.Head:
    """A line of headers in another language right below the first is a header too."""
    if not head.rows or head.header_row < 1:
        return head
    second = head.rows[0]
    filled = [cell for cell in second if cell.strip()]
    guesses = guessing.columns(second, [[] for _ in second], offered)
    known = sum(guess.confidence >= 0.85 for guess in guesses)
    if known < 2 or known * 2 < len(filled) or not all(map(guessing.is_header, filled)):
        return head
    both = [
        f"{one} / {two}" if one and two and one != two else one or two
        for one, two in zip(head.headers, [*second, *[""] * len(head.headers)], strict=False)
    ]
    return reading.Head(head.layout, head.header_row + 1, both, head.rows[1:], head.sheets)


def _describe(imported: pb.Import, head: reading.Head, offered: Sequence[Target]) -> None:
    """Columns with samples and guesses; what somebody mapped before stays."""
    samples = [
        [row[at] for row in head.rows if at < len(row) and row[at].strip()]
        for at in range(len(head.headers))
    ]
    guesses = guessing.columns(_spoken(head.headers, offered), samples, offered)
    chosen = {(c.index, c.header): c for c in imported.columns if c.field or c.make_custom_field}
    del imported.columns[:]
    for at, header in enumerate(head.headers):
        column = imported.columns.add(index=at, header=header[:_LONGEST_HEADER])
        column.samples.extend(
            value[:_LONGEST_SAMPLE] for value in list(dict.fromkeys(samples[at]))[:_SAMPLES]
        )
        before = chosen.get((at, column.header))
        column.field = before.field if before else guesses[at].field
        column.confidence = 1.0 if before else guesses[at].confidence
        column.make_custom_field = before.make_custom_field if before else 0  # type: ignore[assignment]
    kinds = {target.path: target.kind for target in offered}
    dates = [c for c in imported.columns if kinds.get(c.field) == "date" and c.samples]
    if dates:
        imported.options.date_example = date_example(dates[0], imported.options.date_order)


def _spoken(headers: list[str], offered: Sequence[Target]) -> list[str]:
    """Of a header in two languages, the half that is understood."""
    spoken = []
    for header in headers:
        halves = header.split(" / ") if " / " in header else [header]
        guesses = [guessing.columns([half], [[]], offered)[0].confidence for half in halves]
        spoken.append(halves[guesses.index(max(guesses))])
    return spoken


def date_example(column: pb.ImportColumn, order: int) -> str:
    """How the first date of a column is understood."""
    sample = next(iter(column.samples), "")
    try:
        year, month, day = values.parse_date(sample, order or values.date_order(column.samples))
    except values.WrongValue as error:
        return str(error)
    return f"{sample} is {year:04}-{month:02}-{day:02}"


async def plan(job: Job) -> None:
    """Decides every line and keeps what becomes of it, batch by batch; goes on where an earlier run stopped."""
    async with job.failing():
        await job.begin()
        position: dict[str, Any] = dict(job.run.position)
        if not position:
            while await job.run.write(lambda tx: store.clear(tx, job.id)):
                pass
        async with job.file() as path:
            rows = reading.rows(path, job.layout(), job.adapter.read_cards)  # type: ignore[arg-type]
            lines = parsed(job.adapter, job.terms, rows, position.get("line", 0))
            async for batch in ahead(lines):
                position = {
                    "line": batch[-1].line,
                    "lines": position.get("lines", 0) + len(batch),
                }
                job.run.done = position["lines"]
                await _keep(job, batch, position)

        async def planned(tx: Tx, imported: pb.Import) -> None:
            main = job.adapter.resource.name
            imported.plan.CopyFrom(await store.counts(tx, job.id, main, planned=True))
            del imported.samples[:]
            for row in await store.sample_rows(tx, job.id):
                sample = row_message(row)
                sample.cells[:] = [cell[:_LONGEST_SAMPLE] for cell in sample.cells[:_SAMPLE_CELLS]]
                sample.reason = sample.reason[:_LONGEST_HEADER]
                imported.samples.append(sample)
            imported.state, imported.failure = pb.Import.STATE_PLANNED, ""
            imported.ClearField("undo")
            imported.changed_since_plan = 0

        job.run.total = job.run.done
        await job.change(planned)


async def _keep(job: Job, batch: list[Line], position: dict[str, Any]) -> None:
    async def step(tx: Tx) -> None:
        for line in batch:
            line.outcome = 0  # the body may run again
        book = Book(job.adapter, job.terms, job.rights)
        await book.open(tx, job.id, batch, planned=True)
        for line in batch:
            book.decide(line, tx)
        await store.add_rows(tx, job.id, batch)
        await store.add_records(tx, job.id, book.changed)
        await store.add_keys(tx, job.id, book.new_keys)

    await job.run.write(step, position=position)


def row_message(row: Any) -> pb.ImportRow:
    """A line as the API shows it."""
    return pb.ImportRow(
        line=row["line"], cells=row["cells"], outcome=row["outcome"], reason=row["reason"],
        record_id=str(row["record_id"] or ""),
    )  # fmt: skip
