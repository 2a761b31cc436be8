"""Segments: the standard methods, and the records that they hold for this caller."""

from types import SimpleNamespace
from typing import Any

from google.longrunning import operations_pb2

from chassis.errors import Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit import counting, listing, showing
from chassis.kit.filter import FilterError, fields_named, parse
from chassis.kit.resource import Resource
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.contacts.v1 import segment_pb2 as pb
from services.contacts import errors, segments, store
from services.contacts.rules import segments as rules


async def check_segment(tx: Tx, new: pb.Segment, old: pb.Segment | None) -> None:
    """Keeps I32: a filter that its author may ask for, of one kind of records for ever."""
    new.id = new.id or tx.new_id()
    new.owner_id = new.owner_id or tx.actor.user_id
    if (old is None or old.owner_id != new.owner_id) and tx.directory.user(new.owner_id) is None:
        raise errors.ReferenceUnknown([("owner_id", f"user {new.owner_id}")])
    rules.normalise(new)
    rules.check_resource(new, old)
    object = rules.OBJECTS[new.resource]
    if old is None or old.filter != new.filter:
        named = rules.check_filter(new, await segments.selection(tx, object))
        resource = store.PARTIES[object]
        showing.refuse_unreadable(tx, resource, [resource.reveals(name) for name in named])
    await segments.changed(tx, new, old)


class Segments(
    standard(  # type: ignore[misc]
        store.segments.segments,
        on_save=check_segment,
        on_delete=segments.gone,
        on_undelete=segments.look_again,
    ),
    Servicer,  # type: ignore[misc]
):
    """`/v1/segments`."""

    @reads
    async def ListSegmentMembers(
        self, request: pb.ListSegmentMembersRequest, tx: Tx
    ) -> pb.ListSegmentMembersResponse:
        segment, resource = await _of(tx, request.id)
        fields = showing.checked_fields(tx, resource, request.fields.paths)
        asked = SimpleNamespace(
            filter=segment.filter, order_by=request.order_by, q=request.q, show_deleted=False,
            page_size=request.page_size, page_token=request.page_token,
        )  # fmt: skip
        query = listing.checked(tx, resource, asked, tx.runtime.page_tokens)
        rows = await listing.find(tx, resource, query, "doc")
        answer = pb.ListSegmentMembersResponse()
        for record in showing.shown_page(tx, resource, rows[: query.size], "doc", fields):
            getattr(answer.members.add(), resource.object).MergeFromString(record)
        if len(rows) > query.size:
            last = rows[query.size - 1]
            answer.next_page_token = listing.next_token(tx.runtime.page_tokens, query, last)
        return answer

    @reads
    async def CountSegmentMembers(
        self, request: pb.CountSegmentMembersRequest, tx: Tx
    ) -> pb.SegmentCount:
        segment, resource = await _of(tx, request.id)
        chosen = await _readable(tx, segment, resource)
        found = await counting.count(tx, resource, chosen.compiled(segment.filter), tx.rights)
        row: Any = await store.segments.row_of(tx, segment.id)
        answer = pb.SegmentCount(count=found, evaluating=row["told_version"] != row["version"])
        if row["told_time"] is not None:
            answer.evaluate_time.CopyFrom(to_timestamp(row["told_time"]))
        return answer

    @reads
    async def SegmentContains(
        self, request: pb.SegmentContainsRequest, tx: Tx
    ) -> pb.SegmentContainsResponse:
        segment, resource = await _of(tx, request.id)
        party_id = rules.party_of(segment, request)
        await resource.row(tx, party_id)
        chosen = await _readable(tx, segment, resource)
        holds = chosen.predicate(segment.filter)
        seen = await store.segments.seen(tx, resource.object, [party_id])
        return pb.SegmentContainsResponse(contains=any(holds(row) for row in seen))

    @writes
    async def EvaluateSegment(
        self, request: pb.EvaluateSegmentRequest, tx: Tx
    ) -> operations_pb2.Operation:
        await store.segments.segments.get(tx, request.id)
        operation: Any = await tx.start_operation(
            segments.BY_HAND, pb.EvaluateSegmentRequest(id=request.id)
        )
        return operation


async def _of(tx: Tx, segment_id: str) -> tuple[pb.Segment, Resource[Any]]:
    segment = await store.segments.segments.get(tx, segment_id)
    return segment, store.PARTIES[rules.OBJECTS[segment.resource]]


async def _readable(tx: Tx, segment: pb.Segment, resource: Resource[Any]) -> rules.Selection:
    """Who is in the segment tells what the filter's fields hold, so the caller must be allowed to read them."""
    chosen = await segments.selection(tx, resource.object)
    try:
        chosen.compiled(segment.filter)
    except FilterError as error:
        raise errors.SegmentInvalid([Violation("filter", str(error))]) from None
    names = fields_named(parse(segment.filter))
    showing.refuse_unreadable(tx, resource, [resource.reveals(name) for name in names])
    return chosen


class SegmentsRpcs(Segments):
    """Every RPC of the contract."""

    service = "crm.contacts.v1.SegmentsService"
