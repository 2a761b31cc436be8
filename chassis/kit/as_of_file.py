"""A list as it was at an instant, of any size: an operation whose result is a file, one record a line (M4).

The instant is past, so what was valid then stays while the file is made: the records are read in small statements, first
for filter and order, then for the lines, and no transaction stays open. Each statement obeys the rights that the asker has
at that moment, as his List would.
"""

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from chassis import codec, contracts, errors
from chassis.call import Actor, Call, Cause
from chassis.contracts import Method
from chassis.errors import Violation
from chassis.kit import as_of, exported, listing, retention, showing
from chassis.kit.filter import predicate
from chassis.kit.retention import AsOfOutOfReach
from chassis.rights import Rights
from chassis.rpc.interceptors import permission
from chassis.times import to_datetime
from chassis.tx import Draws, Tx
from crm.common.v1 import common_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.operation_runs import OperationRun
    from chassis.runtime import Runtime

T = TypeVar("T")

TYPE = "application/x-ndjson"
MOST_BYTES = 4 << 30  # of one file: a slip must not fill the disk
_BATCH = 100  # records decoded in one go: some 20 ms in which the process answers nobody
_FIRST_ID = str(uuid.UUID(int=0))


def lists_of(runtime: "Runtime") -> Mapping[str, tuple["Resource[Any]", Method]]:
    """plural -> (resource, its List RPC), for each resource whose List can look back."""
    found = {}
    for resource in runtime.resources.values():
        if (method := _list_of(resource)) is not None:
            found[resource.plural] = (resource, method)
    return found


def _list_of(resource: "Resource[Any]") -> Method | None:
    for service in contracts.services():
        for method in service.methods if service.file.package == resource.package else ():
            first = next(iter(method.output_type.fields), None)
            if (
                method.name.startswith("List")
                and "as_of" in method.input_type.fields_by_name
                and first is not None
                and first.message_type is resource.message.DESCRIPTOR
            ):
                return contracts.method_of(method)
    return None


async def start(tx: Tx, request: Any) -> Any:
    """Queue the list; whatever the list itself would refuse is refused now."""
    known = lists_of(tx.runtime)
    if request.resource not in known:
        raise errors.InvalidArgument(
            f"{request.resource!r} cannot be listed as of an instant here; {', '.join(sorted(known))} can",
            [Violation("resource", f"must be one of {', '.join(sorted(known))}")],
        )
    resource, method = known[request.resource]
    await _check_right(tx.runtime, method, tx.tenant or "", tx.actor, tx.rights)
    if to_datetime(request.as_of) > tx.now:
        raise AsOfOutOfReach(
            f"as_of {request.as_of.ToJsonString()} is in the future; ask for an instant that is over",
            [Violation("as_of", f"is after {tx.now:%Y-%m-%dT%H:%M:%SZ}")],
        )
    retention.check_reach(tx, request.as_of)
    _query(tx, resource, request)
    showing.checked_fields(tx, resource, request.fields.paths)
    return await tx.start_operation(_kind(resource), request)


def _kind(resource: "Resource[Any]") -> str:
    return f"list_as_of:{resource.name}"


def _query(tx: Tx, resource: "Resource[Any]", request: Any) -> listing.Query:
    asked = SimpleNamespace(
        filter=request.filter, order_by=request.order_by, q=request.q, as_of=request.as_of,
        page_size=0, page_token="", show_deleted=False,
    )  # fmt: skip
    return listing.checked(tx, resource, asked, tx.runtime.page_tokens)


async def _check_right(
    runtime: "Runtime", method: Method, tenant: str, actor: Actor, rights: Rights
) -> None:
    """Refuse as the List itself would: right, feature switch, a token's methods."""

    async def allowed(request: Any, call: Call) -> None:
        return None

    call = Call(method, {}, tenant=tenant, actor=actor, rights=rights)
    await permission(runtime)(None, call, allowed)


def bodies(runtime: "Runtime") -> dict[str, Any]:
    """operation kind -> body, for every list that can look back; LookupError if the contract has no RecordsExported."""
    found = {}
    for resource, method in lists_of(runtime).values():
        exported.event_of(resource)  # a service that cannot tell its audit does not start
        found[_kind(resource)] = _body(runtime, resource, method)
    return found


def _body(runtime: "Runtime", resource: "Resource[Any]", method: Method) -> Any:
    async def list_as_of(run: "OperationRun") -> pb.ListedFile:
        """Writes the file for the asker; a run that dies before its end leaves none, the next begins anew."""
        if "file_id" not in run.position:
            file = _File(runtime, resource, method, run)
            then = to_datetime(file.request.as_of)
            blob = await runtime.blobs.put(
                run.tenant, file.lines(), type=TYPE, name=f"{resource.plural}-{then:%Y%m%dT%H%M%SZ}.jsonl",
                owner_id=run.actor.user_id, max_bytes=MOST_BYTES,
            )  # fmt: skip
            run.done = run.total = file.written
            details = exported.details(
                file.request, file.request.fields.paths, file.written, form="jsonl", as_of=f"{then:%Y-%m-%dT%H:%M:%SZ}"
            )  # fmt: skip

            async def tell(tx: Tx) -> None:
                exported.tell(tx, run, resource, file.written, details)

            await run.write(tell, position={"file_id": blob.id, "records": file.written})
        return pb.ListedFile(file_id=run.position["file_id"], record_count=run.position["records"])

    return list_as_of


class _File:
    """The lines of one list, and how many there are so far."""

    def __init__(
        self,
        runtime: "Runtime",
        resource: "Resource[Any]",
        method: Method,
        run: "OperationRun",
    ) -> None:
        self._runtime, self._resource, self._method, self._run = runtime, resource, method, run
        self.request: Any = run.request
        self.written = 0

    async def lines(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        ids = await self._ordered_ids()
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            found = await self._as_asker(functools.partial(self._records, ids=some))
            self.written += len(found)
            await self._run.progress(self.written, len(ids))
            yield b"".join(record + b"\n" for record in found)

    async def _ordered_ids(self) -> list[uuid.UUID]:
        """The ids of what the list holds, in its order; only keys are kept in memory."""
        query = await self._as_asker(self._checked)
        places: list[tuple[Any, ...]] = []
        after = _FIRST_ID
        while after:
            scan = functools.partial(self._scan, query=query, after=after, places=places)
            after = await self._as_asker(scan)
            await self._run.progress(0, len(places))
        places.sort(reverse=query.descending)
        return [place[-1] for place in places]

    async def _checked(self, tx: Tx) -> listing.Query:
        return _query(tx, self._resource, self.request)

    async def _scan(
        self, tx: Tx, query: listing.Query, after: str, places: list[tuple[Any, ...]]
    ) -> str:
        """Add the places of the next records that fit; the id to go on from, empty at the end."""
        resource = self._resource
        then = to_datetime(self.request.as_of)
        rows = await tx.fetch(
            resource.of_history.next_at, instant=then, after=after, page_limit=_BATCH
        )
        holds = predicate(query.node, resource.fields, resource.custom_filters(tx))
        for row in rows:
            if not resource.reaches(tx, row, "read"):
                continue
            values = as_of.values_of(resource, resource.message.FromString(row["doc"]))
            if holds(values) and as_of.matches(resource, query, values):
                places.append((*as_of.keys_of(resource, query, values), row["id"]))
        return str(rows[-1]["id"]) if len(rows) == _BATCH else ""

    async def _records(self, tx: Tx, ids: Sequence[uuid.UUID]) -> list[bytes]:
        """The records as JSON, in the order of `ids`, without what the asker may not see."""
        resource = self._resource
        then, fields = to_datetime(self.request.as_of), self.request.fields.paths
        rows = await tx.fetch(resource.of_history.these_at, instant=then, ids=list(ids))
        by_id = {row["id"]: row for row in rows if resource.reaches(tx, row, "read")}
        messages = [resource.message.FromString(by_id[id]["doc"]) for id in ids if id in by_id]
        return [codec.to_json(showing.limited(tx, resource, m, fields)) for m in messages]

    async def _as_asker(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work(tx)` with the rights that the asker has now."""
        runtime, run = self._runtime, self._run
        rights = runtime.authentication.rights_of(run.tenant, run.actor)
        await _check_right(runtime, self._method, run.tenant, run.actor, rights)
        tx = Tx(
            runtime, tenant=run.tenant, actor=run.actor, cause=Cause("operation", run.id),
            draws=Draws(runtime.clock.now()), rights=rights, read_only=True,
        )  # fmt: skip
        try:
            await runtime.schemas.load(tx)
            showing.refuse_unreadable(tx, self._resource, self.request.fields.paths)
            return await work(tx)
        finally:
            await tx.abort()
            await asyncio.sleep(0)  # others' turn, also when every statement was answered at once
