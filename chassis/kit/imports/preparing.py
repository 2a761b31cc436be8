"""What plan, run and undo share: the import under way, its terms, its file, and its state."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chassis import errors
from chassis.call import Actor, Cause
from chassis.kit.imports import reading, values
from chassis.kit.imports.adapter import Adapter, LineRefused, Terms
from chassis.kit.imports.deciding import Line
from chassis.rights import Rights
from chassis.tx import Tx
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.operation_runs import OperationRun
    from chassis.runtime import Runtime

T = TypeVar("T")
BATCH = 1000
_LONGEST_CELL = 4_001
"""Characters of one cell that are kept: one more than any field takes, so that longer ones are refused, not cut."""
_LONGEST_REASON = 2_000


class Job:
    """An import under way in an operation; `begin` comes first."""

    terms: Terms

    def __init__(
        self,
        run: "OperationRun",
        runtime: "Runtime",
        adapter: Adapter,
        imports: "Resource[pb.Import]",
        id: str,
    ) -> None:
        self.run, self.runtime, self.adapter, self.imports = run, runtime, adapter, imports
        self.id = id

    @property
    def actor(self) -> Actor:
        """Who imports."""
        return self.run.actor

    @property
    def cause(self) -> Cause:
        """What records' histories and events say."""
        return Cause("import", self.id)

    @property
    def rights(self) -> Rights:
        """The rights that the importing user has now; SignedOut if he is no longer there."""
        rights: Rights = self.runtime.authentication.rights_of(self.run.tenant, self.actor)
        return rights

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs reads apart from the operation's row, so that they can go on beside a write."""
        result: T = await self.runtime.run_system(self.run.tenant, self.cause, work)
        return result

    async def begin(self) -> pb.Import:
        """Reads the import and what its lines share."""

        async def terms(tx: Tx) -> Terms:
            imported = await self.imports.find(tx, self.id)
            if imported is None:
                raise self.imports.not_found(self.id)
            return await terms_of(tx, self.adapter, imported, self.rights)

        self.terms = await self.read(terms)
        return self.terms.imported

    async def change(
        self, change: Callable[[Tx, pb.Import], Awaitable[None]], position: Any = None
    ) -> None:
        """Changes the import itself in a step."""

        async def step(tx: Tx) -> None:
            imported = await self.imports.find(tx, self.id)
            if imported is None:
                raise self.imports.not_found(self.id)
            await change(tx, imported)
            self.imports.save(tx, imported)

        await self.run.write(step, position=position)

    @contextlib.asynccontextmanager
    async def failing(self) -> AsyncIterator[None]:
        """A refusal within becomes the import's failure."""
        try:
            yield
        except reading.Unreadable as error:
            await self._fail(str(error))
            raise errors.FailedPrecondition(str(error)) from error
        except errors.Unavailable:
            raise
        except errors.CrmError as refusal:
            if refusal.reason != "OPERATION_CANCELLED":
                await self._fail(refusal.message)
            raise

    async def _fail(self, why: str) -> None:
        async def failed(tx: Tx, imported: pb.Import) -> None:
            imported.state, imported.failure = pb.Import.STATE_FAILED, why[:500]

        await self.change(failed)

    @contextlib.asynccontextmanager
    async def file(self) -> AsyncIterator[Path]:
        """The uploaded file on this machine's disk; NotFound unless the importing user uploaded it."""
        file_id = self.terms.imported.file_id
        blob = await self.runtime.blobs.get(self.run.tenant, file_id)
        if not blob.owner_id or blob.owner_id != self.actor.user_id:
            raise errors.NotFound(f"there is no file {file_id}")
        with tempfile.NamedTemporaryFile(prefix="import-") as copy:
            async for chunk in self.runtime.blobs.read(self.run.tenant, file_id):
                copy.write(chunk)
            copy.flush()
            yield Path(copy.name)

    def layout(self) -> reading.Layout:
        """How the file is to be read."""
        i = self.terms.imported
        return reading.Layout(i.format, i.encoding, i.separator, i.sheet)


async def terms_of(tx: Tx, adapter: Adapter, imported: pb.Import, rights: Rights) -> Terms:
    """What the lines of the import share, read now."""
    schemas = tx.runtime.schemas
    await schemas.load(tx, again=True)
    custom = dict(schemas.known(tx.tenant, adapter.resource).fields)
    for column in imported.columns:
        key = column.field.removeprefix("custom.")
        if column.make_custom_field and column.field.startswith("custom.") and key not in custom:
            custom[key] = new_custom_field(adapter, column)
    options = imported.options
    kinds = {target.path: target.kind for target in adapter.targets(custom.values())}
    orders = {
        c.index: options.date_order or values.date_order(c.samples)
        for c in imported.columns
        if kinds.get(c.field) == "date"
    }
    return Terms(
        imported=imported,
        fields=tuple((c.index, c.field) for c in imported.columns if c.field),
        region=options.phone_country or tx.directory.tenant().get("country", ""),
        actor_user_id=imported.owner_id,
        date_orders=orders,
        custom=custom,
        facts=await adapter.facts(tx, imported),
        now=tx.now,
    )


def custom_fields_of(tx: Tx) -> "Resource[common_pb2.CustomField]":
    """The resource that holds the service's custom fields."""
    metadata = tx.runtime.service.metadata
    assert metadata is not None, "a service with imports has tables"
    fields: Resource[common_pb2.CustomField] = metadata.info["custom_fields"]
    return fields


def new_custom_field(adapter: Adapter, column: pb.ImportColumn) -> common_pb2.CustomField:
    """The custom field that the run makes for a column."""
    return common_pb2.CustomField(
        resource=adapter.resource.plural, key=column.field.removeprefix("custom."),
        label=(column.header.strip() or column.field)[:100], type=column.make_custom_field,
        filterable=True,
    )  # fmt: skip


def parsed(
    adapter: Adapter, terms: Terms, rows: Iterator[reading.Row], after: int
) -> Iterator[list[Line]]:
    """Batches of lines behind `after` with what they say; what a line cannot say is its reason."""
    header = terms.imported.header_row
    batch: list[Line] = []
    for number, cells in rows:
        if number <= max(after, header):
            continue
        batch.append(parse(adapter, terms, number, cells))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def parse(adapter: Adapter, terms: Terms, number: int, cells: list[str]) -> Line:
    """A line and what it says."""
    line = Line(number, [cell[:_LONGEST_CELL] for cell in cells])
    filled = []
    for index, path in terms.fields:
        cell = values.unguarded(cells[index].strip()) if index < len(cells) else ""
        if cell:
            filled.append((index, path, cell))
    try:
        if not filled:
            raise LineRefused("none of the mapped columns has a value")
        line.parts = adapter.parts(terms, filled)
    except LineRefused as refusal:
        line.reason = str(refusal)[:_LONGEST_REASON]
    return line


async def ahead(batches: Iterator[T]) -> AsyncIterator[T]:
    """The items of an iterator that works in a thread, always one further than its reader."""
    nothing: Any = object()
    task = asyncio.create_task(asyncio.to_thread(next, batches, nothing))
    try:
        while (item := await task) is not nothing:
            task = asyncio.create_task(asyncio.to_thread(next, batches, nothing))
            yield item
    finally:
        if not task.done():
            with contextlib.suppress(reading.Unreadable):
                await asyncio.shield(
                    task
                )  # a thread cannot be cancelled; its file must stay so long
