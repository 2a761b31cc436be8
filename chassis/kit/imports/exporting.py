"""Exports: a list as the caller may see it, in a file whose columns an import understands."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from chassis import errors
from chassis.call import Cause
from chassis.errors import Violation
from chassis.kit import exported, listing, showing
from chassis.kit.imports import files
from chassis.kit.imports.adapter import Adapter, ManyLines
from chassis.tx import Draws, Tx
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.operation_runs import OperationRun
    from chassis.runtime import Runtime

T = TypeVar("T")


class UnknownColumn(errors.InvalidArgument):
    """A column that the resource does not offer."""

    reason = "EXPORT_COLUMN_UNKNOWN"


async def start(tx: Tx, adapter: Adapter, request: Any) -> Any:
    """Queues an export; whatever the list itself would refuse is refused now."""
    _checked(tx, adapter, request)
    _columns(tx, adapter, request)
    return await tx.start_operation(f"export:{adapter.plural}", request)


def _checked(tx: Tx, adapter: Adapter, request: Any, page_token: str = "") -> listing.Query:
    asked = SimpleNamespace(
        filter=request.filter, order_by=request.order_by, q=request.q, page_size=listing.LARGEST_PAGE,
        page_token=page_token, show_deleted=False,
    )  # fmt: skip
    return listing.checked(tx, adapter.resource, asked, tx.runtime.page_tokens)


def _columns(tx: Tx, adapter: Adapter, request: Any) -> list[str]:
    """The columns asked for; without any, all that the caller may see and an import understands."""
    custom = tx.runtime.schemas.known(tx.tenant, adapter.resource).fields
    usual = adapter.export_columns(custom.values())
    offered = [*usual, *adapter.columns_beside]
    if unknown := [c for c in request.columns if c not in offered]:
        raise UnknownColumn(
            f"{adapter.plural} have no column {unknown[0]!r}; they have {', '.join(offered)}",
            [Violation("columns", f"{name} is unknown") for name in unknown],
        )
    hidden = showing.hidden_of(tx, adapter.resource)
    concealed = {c for c in offered if c in hidden or c.partition(".")[0] in hidden}
    if named := [c for c in request.columns if c in concealed]:
        raise showing.FieldHidden(adapter.resource.object, named)
    beside = [c for c in request.columns if c in adapter.columns_beside]
    showing.refuse_unreadable(tx, adapter.resource, beside)
    return list(request.columns) or [c for c in usual if c not in concealed]


async def export(run: "OperationRun", runtime: "Runtime", adapter: Adapter) -> Any:
    """Writes the file for the asker, with the rights that he has at each page; a run that dies leaves no file."""
    if "file_id" not in run.position:
        request: Any = run.request
        asker = _Asker(run, runtime, adapter)
        columns = await asker.read(_columns_as_asker(adapter, request))
        form = request.format or pb.FILE_FORMAT_CSV
        pages = asker.pages(request, columns, cards=form == pb.FILE_FORMAT_VCARD)
        file_id = await files.put_pages(
            runtime, run.tenant, run.actor.user_id, form, adapter.plural, columns, pages
        )
        run.done = run.total = asker.written
        name = pb.FileFormat.Name(form).removeprefix("FILE_FORMAT_").lower()
        details = exported.details(request, columns, asker.written, form=name)

        async def tell(tx: Tx) -> None:
            exported.tell(tx, run, adapter.resource, asker.written, details)

        await run.write(tell, position={"file_id": file_id, "records": asker.written})
    return common_pb2.ListedFile(
        file_id=run.position["file_id"], record_count=run.position["records"]
    )


def _columns_as_asker(adapter: Adapter, request: Any) -> Callable[[Tx], Awaitable[list[str]]]:
    async def work(tx: Tx) -> list[str]:
        return _columns(tx, adapter, request)

    return work


class _Asker:
    """Reads page by page with the rights of who asked."""

    def __init__(self, run: "OperationRun", runtime: "Runtime", adapter: Adapter) -> None:
        self._run, self._runtime, self._adapter = run, runtime, adapter
        self.written = 0

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work(tx)` as the asker; refuses when he has lost the right."""
        run, runtime, object = self._run, self._runtime, self._adapter.resource.object
        rights = runtime.authentication.rights_of(run.tenant, run.actor)
        if not (rights.may(object, "export") and rights.may(object, "read")):
            raise errors.PermissionDenied(f"you may not export this {object} any more")
        tx = Tx(
            runtime, tenant=run.tenant, actor=run.actor, cause=Cause("operation", run.id),
            draws=Draws(runtime.clock.now()), rights=rights, read_only=True,
        )  # fmt: skip
        try:
            await runtime.schemas.load(tx)
            return await work(tx)
        finally:
            await tx.abort()

    async def pages(
        self, request: Any, columns: Sequence[str], *, cards: bool
    ) -> AsyncIterator[list[Sequence[str]]]:
        """The rows of the file; of a vCard file, one card each."""
        token: str | None = ""
        while token is not None:
            page = _page(self._adapter, request, columns, token, cards)
            rows, records, token = await self.read(page)
            self.written += records
            await self._run.progress(self.written)
            yield rows


def _page(
    adapter: Adapter, request: Any, columns: Sequence[str], token: str, cards: bool
) -> Callable[[Tx], Awaitable[tuple[list[Sequence[str]], int, str | None]]]:
    """The rows of the page, how many records they are of, and the token of the next page."""

    async def work(tx: Tx) -> tuple[list[Sequence[str]], int, str | None]:
        resource = adapter.resource
        query = _checked(tx, adapter, request, token)
        rows = await listing.find(tx, resource, query, "doc", "export")
        more = len(rows) > query.size
        following = listing.next_token(tx.runtime.page_tokens, query, rows[query.size - 1]) if more else None  # fmt: skip
        shown = [r for r in rows[: query.size] if resource.reaches(tx, r, "read")]
        messages = [
            showing.limited(tx, resource, resource.message.FromString(row["doc"])) for row in shown
        ]
        names = await adapter.names(tx, messages)
        found: list[Sequence[str]] = []
        if cards:
            found.extend([adapter.card(message, names)] for message in messages)
            return found, len(messages), following
        beside = await adapter.beside(tx, [message.id for message in messages], columns)
        for message in messages:
            for line in _lines(adapter, message, names):
                cells = {**line, **beside.get(message.id, {})}
                found.append(["; ".join(cells.get(column, ())) for column in columns])
        return found, len(messages), following

    return work


def _lines(
    adapter: Adapter, message: Any, names: Mapping[str, Mapping[str, str]]
) -> Iterable[Mapping[str, list[str]]]:
    if isinstance(adapter, ManyLines):
        return adapter.lines(message, names)
    return [adapter.cells(message, names)]
