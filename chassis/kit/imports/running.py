"""The run: what was planned is written, batch by batch; what has changed since the plan is decided anew by the same rule."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis import contracts
from chassis.kit import bulk, custom
from chassis.kit.imports import files, store
from chassis.kit.imports.deciding import Book, Entry
from chassis.kit.imports.preparing import (
    BATCH,
    Job,
    custom_fields_of,
    new_custom_field,
    parse,
)
from chassis.kit.save import Conflict
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource


@dataclass(slots=True)
class _Batch:
    """Records read and encoded. `stale` are those that changed since the plan; `left_out` those that are not encoded."""

    last_seq: int
    entries: list[Entry]
    encoded: dict[str, bulk.Encoded] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)

    def of(self, resource: "Resource[Any]", without: Set[str]) -> list[Entry]:
        """The other entries of a resource."""
        return [e for e in self.entries if e.resource is resource and e.message.id not in without]


async def run(job: Job) -> None:
    """Writes what the plan made of each record, in the plan's order; goes on with what is not written yet."""
    async with job.failing():
        await job.begin()
        await _make_custom_fields(job)
        total = await job.read(lambda tx: store.count_records(tx, job.id, store.PLANNED))
        job.run.total = max(job.run.total, job.run.done + total)
        reading = asyncio.create_task(_next(job, 0))
        try:
            while (batch := await reading) is not None:
                reading = asyncio.create_task(_next(job, batch.last_seq))
                job.run.done += len(batch.entries)
                await _write(job, batch)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
        await _finish(job)


async def _next(job: Job, after: int) -> _Batch | None:
    """The next batch, read and encoded while the one before is being written."""

    async def work(tx: Tx) -> tuple[list[Any], dict[str, bytes]]:
        rows = await store.next_records(tx, job.id, after, BATCH)
        docs: dict[str, bytes] = {}
        for resource in job.adapter.resources:
            ids = [
                str(r["record_id"])
                for r in rows
                if r["object"] == resource.name and r["base_version"]
            ]
            found = await resource.rows(tx, ids) if ids else []
            docs |= {str(row["id"]): row["doc"] for row in found}
        return rows, docs

    rows, docs = await job.read(work)
    if not rows:
        return None
    return await asyncio.to_thread(_encoded, job, rows, docs)


def _encoded(job: Job, rows: Sequence[Any], docs: Mapping[str, bytes]) -> _Batch:
    resources = {resource.name: resource for resource in job.adapter.resources}
    batch, rights = _Batch(rows[-1]["seq"], []), job.rights
    for row in rows:
        resource, id = resources[row["object"]], str(row["record_id"])
        message = resource.message.FromString(row["doc"])
        entry = Entry(resource, message, row["base_version"], row["line"], row["seq"])
        entry.link = getattr(message, job.adapter.links.get(resource.name, ""), "")
        batch.entries.append(entry)
        if not entry.base_version:
            continue
        entry.base_doc = docs.get(id, b"")
        now = resource.message.FromString(entry.base_doc)
        may = rights.reaches(resource.object, "update", *resource.scope_of_message(now))
        if now.etag != str(entry.base_version) or not may:
            batch.stale.add(id)
    batch.left_out = set(batch.stale)
    for resource in job.adapter.resources:
        _encode(job, batch, resource)
    return batch


def _encode(job: Job, batch: _Batch, resource: "Resource[Any]") -> None:
    stamp = bulk.Stamp(job.run.tenant, job.runtime.clock.now(), job.actor, job.cause)
    writes = [bulk.Write(e.message, e.base_doc) for e in batch.of(resource, batch.left_out)]
    batch.encoded[resource.name] = bulk.encode(resource, writes, stamp)


async def _write(job: Job, batch: _Batch) -> None:
    """Writes a batch with its marks in one transaction; what the next run finds planned is not written."""

    async def step(tx: Tx) -> None:
        for resource in job.adapter.resources:  # what others refer to comes first
            ids = {e.message.id for e in batch.of(resource, set())}
            if not ids:
                continue
            stale = ids & batch.stale
            stale |= await _taken(job, tx, resource, batch)
            if stale:
                await _decide_anew(job, tx, stale)
            rest = batch.of(resource, stale)
            relinked = await _relink(job, tx, resource, rest)
            if relinked or stale != batch.left_out & ids:
                batch.left_out = batch.left_out - ids | stale
                _encode(job, batch, resource)
            await _store(job, tx, resource, batch, rest)

    await job.run.write(step)


async def _store(
    job: Job, tx: Tx, resource: "Resource[Any]", batch: _Batch, entries: Sequence[Entry]
) -> None:
    outcome = await bulk.store(tx, batch.encoded[resource.name])
    if outcome.lost:
        batch.stale |= outcome.lost
        raise Conflict  # the next try decides them anew
    tx.cause = job.cause
    await job.adapter.written(tx, resource, [(e.message, e.base_doc) for e in entries])
    marks = [(e.message.id, int(e.message.etag or 0), None) for e in entries]
    await store.mark(tx, job.id, store.WRITTEN, marks)


async def _taken(job: Job, tx: Tx, resource: "Resource[Any]", batch: _Batch) -> set[str]:
    """New records of which somebody else has made one since the plan. Their keys are locked until the commit."""
    new = [e.message for e in batch.of(resource, batch.stale) if not e.base_version]
    if not new:
        return set()
    keys: dict[str, str] = {}
    for message in new:
        keys |= dict.fromkeys(job.adapter.keys_of(job.terms, resource, message), message.id)
    await tx.lock(*job.adapter.lock_keys(keys))
    own = {message.id for message in new}
    taken: set[str] = set()
    for doc in await job.adapter.holders(tx, resource, list(keys)):
        holder = resource.message.FromString(doc)
        if holder.id in own:
            continue
        of_holder = job.adapter.keys_of(job.terms, resource, holder)
        taken |= {keys[key] for key in of_holder if key in keys}
    return taken


async def _relink(job: Job, tx: Tx, resource: "Resource[Any]", entries: Sequence[Entry]) -> bool:
    """Lets records refer to what took the place of records that were decided anew or merged since; true if any does."""
    name, relinked = job.adapter.links.get(resource.name, ""), False
    linked = [entry for entry in entries if name and entry.link]
    if not linked:
        return False
    moved = await store.moved_records(tx, job.id)
    targets = {moved.get(entry.link, entry.link) for entry in linked}
    living = await job.adapter.survivors(tx, resource, sorted(targets))
    for entry in linked:
        target = moved.get(entry.link, entry.link)
        target = living.get(target, target)
        if getattr(entry.message, name) != target:
            setattr(entry.message, name, target)
            relinked = True
    return relinked


async def _decide_anew(job: Job, tx: Tx, stale: set[str]) -> None:
    """Writes the lines of records that changed since the plan as they are decided now, and counts those that differ."""
    rows = await store.lines_of(tx, job.id, stale)
    lines = [parse(job.adapter, job.terms, row["line"], row["cells"]) for row in rows]
    book = Book(job.adapter, job.terms, job.rights, anew=True)
    await book.open(tx, job.id, lines, planned=False)
    moved: dict[str, str] = dict.fromkeys(stale, "")
    settled, differ = [], 0
    for line, row in zip(lines, rows, strict=True):
        own, linked = str(row["record_id"]), str(row["linked_id"])
        if own not in stale:
            line.parts = line.parts[:-1]  # only the linked record of the line is in question
        book.decide(line, tx)
        if own not in stale:
            moved[linked] = line.record_id
            continue
        settled.append(line)
        differ += line.outcome != row["outcome"]
        moved[own] = line.record_id
        if linked in stale:
            moved[linked] = line.linked_id
    await _write_book(job, tx, book)
    written = {entry.message.id for entry in book.changed}
    replaced = [(id, 0, to if to and to != id else None) for id, to in moved.items()]
    await store.mark(tx, job.id, store.REPLACED, [r for r in replaced if r[0] not in written])
    await store.add_records(tx, job.id, book.changed, state=store.WRITTEN)
    await store.add_rows(tx, job.id, settled)
    if differ:
        imported = await job.imports.find(tx, job.id)
        assert imported is not None, "the import that runs is there"
        imported.changed_since_plan += differ
        job.imports.save(tx, imported)


async def _write_book(job: Job, tx: Tx, book: Book) -> None:
    for resource in job.adapter.resources:
        entries = [entry for entry in book.changed if entry.resource is resource]
        writes = [bulk.Write(entry.message, entry.base_doc) for entry in entries]
        outcome = await bulk.write(tx, resource, writes, actor=job.actor, cause=job.cause)
        if outcome.lost:
            raise Conflict
        tx.cause = job.cause
        await job.adapter.written(tx, resource, [(e.message, e.base_doc) for e in entries])


async def _make_custom_fields(job: Job) -> None:
    """Makes the custom fields that columns ask for, once."""
    wanted = [c for c in job.terms.imported.columns if c.make_custom_field and c.field]

    async def make(tx: Tx, imported: pb.Import) -> None:
        await tx.runtime.schemas.load(tx, again=True)
        known = tx.runtime.schemas.known(tx.tenant, job.adapter.resource).fields
        fields = custom_fields_of(tx)
        for column in wanted:
            if column.field.removeprefix("custom.") in known:
                continue
            made = new_custom_field(job.adapter, column)
            made.id = tx.new_id()
            await custom.check_definition(tx, made, None)
            fields.save(tx, made)
            imported.custom_field_ids.append(made.id)

    if wanted:
        await job.change(make)


async def _finish(job: Job) -> None:
    """Counts, the file of failed lines, and one event for all."""
    error_file_id = await files.failed_lines(job)
    finished = contracts.message_class(f"{job.imports.package}.ImportFinished")
    assert finished is not None, "every service with imports declares ImportFinished"

    async def done(tx: Tx, imported: pb.Import) -> None:
        main = job.adapter.resource.name
        imported.outcome.CopyFrom(await store.counts(tx, job.id, main, planned=False))
        imported.state, imported.failure = pb.Import.STATE_DONE, ""
        imported.error_file_id = error_file_id
        tx.emit(finished(import_record=imported))

    job.run.total = job.run.done
    await job.change(done)
    while await job.run.write(lambda tx: store.clear(tx, job.id, ["import_keys"])):
        pass
