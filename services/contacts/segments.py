"""Who enters and leaves segments: told once for each change, as records and facts change, as time passes, as segments change.

Two decide who is in a segment: `evaluate`, for the few records that an event concerns, and an operation, for all records. Each
decides about a record only while nobody can change it, so the later decision has seen the later state; and only who writes or
removes the row of a membership tells of it.
"""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from chassis.handlers import operation, timer
from chassis.kit import counting
from chassis.kit.filter import FilterError, now_of
from chassis.kit.filter_evaluate import Predicate
from chassis.operation_runs import OperationRun
from chassis.tx import Tx
from crm.contacts.v1 import segment_events_pb2 as events
from crm.contacts.v1 import segment_pb2 as pb
from services.contacts import store
from services.contacts.rules import segments as rules

CHANGED, BY_HAND, NIGHTLY = "segment_changed:evaluate", "evaluate:segment", "timer:evaluate_segment"
"""The operations; the part before the colon is the cause that their events carry."""

_TIMER = "segment-night"
_AT_ONCE = 500  # records decided about in one transaction, some tenths of a second
_ENTERED = {"contact": events.ContactEnteredSegment, "company": events.CompanyEnteredSegment}
_LEFT = {"contact": events.ContactLeftSegment, "company": events.CompanyLeftSegment}
_PLURALS = {object: plural for plural, object in rules.OBJECTS.items()}
_MOST_PREDICATES = 5_000

_predicates: dict[tuple[str, int], tuple[Any, Predicate]] = {}


async def selection(tx: Tx, object: str) -> rules.Selection:
    """What filters of these records may name now."""
    resource = store.PARTIES[object]
    await tx.runtime.schemas.load(tx)
    return rules.Selection(resource.fields, resource.custom_filters(tx), now_of(tx))


async def evaluate(tx: Tx, object: str, ids: Collection[str]) -> None:
    """Tells which segments these records entered and left, by what they are in this transaction."""
    rows = await store.segments.living(tx, _PLURALS[object]) if ids else []
    if not rows:
        return
    await tx.flush()
    chosen = await selection(tx, object)
    seen = await store.segments.seen(tx, object, ids, locks=True)
    present = await store.segments.memberships(tx, ids)
    entered: list[tuple[str, str]] = []
    left: list[tuple[str, str]] = []
    for row in rows:
        holds = _predicate(row, chosen)
        if holds is None:
            continue
        segment_id = str(row["id"])
        now = {(segment_id, str(record["id"])) for record in seen if holds(record)}
        before = {pair for pair in present if pair[0] == segment_id}
        entered += now - before
        left += before - now
    by_id = {str(row["id"]): row for row in rows}
    _tell(tx, _ENTERED[object], object, await store.segments.enter(tx, entered), by_id)
    _tell(tx, _LEFT[object], object, await store.segments.leave(tx, left), by_id)


def _predicate(row: Any, chosen: rules.Selection) -> Predicate | None:
    """The filter in Python; None for one that names a custom field which is gone.

    Who is in such a segment stays as it was: its count and its evaluation refuse by name, and one segment's fault must not hold
    back the events of all records.
    """
    key = (str(row["id"]), row["version"])
    known = _predicates.get(key)
    if known is not None and known[0] is chosen.custom:
        return known[1]
    segment = pb.Segment.FromString(row["doc"])
    try:
        holds = chosen.predicate(segment.filter)
    except FilterError:
        return None
    if not segment.time_dependent:
        if len(_predicates) >= _MOST_PREDICATES:
            _predicates.clear()
        _predicates[key] = (chosen.custom, holds)
    return holds


def _tell(
    tx: Tx,
    event: type[Message],
    object: str,
    pairs: Iterable[tuple[str, str]],
    rows: dict[str, Any],
) -> None:
    labels: dict[str, str] = {}
    for segment_id, party_id in pairs:
        row = rows[segment_id]
        if segment_id not in labels:
            labels[segment_id] = pb.Segment.FromString(row["doc"]).label
        told: Any = event(
            segment_id=segment_id,
            segment_label=labels[segment_id],
            segment_version=row["version"],
            segment_changed=row["told_version"] != row["version"],
        )
        if (
            told.segment_changed
        ):  # also where an event has a record looked at before the operation comes to it
            told.change.cause.kind, told.change.cause.id = "segment_changed", tx.cause.id
        setattr(told, f"{object}_id", party_id)
        tx.emit(told)


# -- when a segment changes ---------------------------------------------------------------------------------


async def changed(tx: Tx, new: pb.Segment, old: pb.Segment | None) -> None:
    """Has the records looked at again where the filter changed, and every night where it names now."""
    if old is None or old.filter != new.filter:
        await look_again(tx, new)
    elif new != old and not await store.segments.stay_told(tx, new.id):
        await look_again(tx, new)  # the evaluation under way stops at the new version


async def look_again(tx: Tx, segment: pb.Segment) -> None:
    """Starts the evaluation and sets or cancels the nightly one."""
    await tx.start_operation(CHANGED, pb.EvaluateSegmentRequest(id=segment.id))
    if segment.time_dependent:
        await _set_night(tx, segment.id)
    else:
        await tx.cancel_timer(_TIMER, segment.id)


async def gone(tx: Tx, segment: pb.Segment) -> None:
    """Nobody is in a deleted segment."""
    await tx.start_operation(CHANGED, pb.EvaluateSegmentRequest(id=segment.id))
    await tx.cancel_timer(_TIMER, segment.id)


async def _set_night(tx: Tx, segment_id: str) -> None:
    """Shortly after the tenant's midnight, when today has become another day."""
    tomorrow = now_of(tx) + timedelta(days=1)
    due = tomorrow.replace(hour=0, minute=5, second=0, microsecond=0)
    await tx.set_timer(_TIMER, segment_id, due, {"segment_id": segment_id})


@timer(_TIMER)
async def night(payload: dict[str, Any], tx: Tx) -> None:
    """Looks at every record again, and next night once more."""
    await tx.start_operation(NIGHTLY, pb.EvaluateSegmentRequest(id=payload["segment_id"]))
    await _set_night(tx, payload["segment_id"])


# -- all records of one segment -------------------------------------------------------------------------------


@operation(CHANGED)
async def evaluate_changed(run: OperationRun) -> pb.SegmentEvaluation:
    """The segment was made, changed, deleted or brought back."""
    return await _evaluate_all(run)


@operation(BY_HAND)
async def evaluate_by_hand(run: OperationRun) -> pb.SegmentEvaluation:
    """Somebody asked for it."""
    return await _evaluate_all(run)


@operation(NIGHTLY)
async def evaluate_nightly(run: OperationRun) -> pb.SegmentEvaluation:
    """Time has passed."""
    return await _evaluate_all(run)


async def _evaluate_all(run: OperationRun) -> pb.SegmentEvaluation:
    """First who enters, then who leaves, batch by batch in the order of ids; a batch that is done twice tells nothing more."""
    request: Any = run.request
    place: dict[str, Any] = {
        "phase": "enter",
        "after": counting.FIRST_ID,
        "version": 0,
        "entered": 0,
        "left": 0,
    }
    place |= run.position
    while place["phase"] in ("enter", "leave"):
        place = await run.write(lambda tx, place=place: _step(tx, request.id, place))  # type: ignore[misc]
        await run.progress(place["entered"] + place["left"], position=place)
    return pb.SegmentEvaluation(
        segment_id=request.id, segment_version=place["version"], entered=place["entered"], left=place["left"],
        superseded=place["phase"] == "superseded",
    )  # fmt: skip


async def _step(tx: Tx, segment_id: str, place: dict[str, Any]) -> dict[str, Any]:
    row = await store.segments.row_of(tx, segment_id)
    if row is None or place["version"] not in (0, row["version"]):
        return {**place, "phase": "superseded"}
    place = {**place, "version": row["version"]}
    segment = pb.Segment.FromString(row["doc"])
    object = rules.OBJECTS[segment.resource]
    chosen = None if row["delete_time"] else await selection(tx, object)
    if place["phase"] == "enter":
        return await _enter_next(tx, row, segment, object, chosen, place)
    return await _leave_next(tx, row, segment, object, chosen, place)


async def _enter_next(
    tx: Tx,
    row: Any,
    segment: pb.Segment,
    object: str,
    chosen: rules.Selection | None,
    place: dict[str, Any],
) -> dict[str, Any]:
    ids: list[str] = []
    if chosen is not None:
        rules.check_filter(segment, chosen)
        compiled = chosen.compiled(segment.filter)
        ids = await counting.ids_after(
            tx, store.PARTIES[object], compiled, place["after"], _AT_ONCE
        )
    if not ids or chosen is None:
        return {**place, "phase": "leave", "after": counting.FIRST_ID}
    staying = await _held(tx, segment, object, chosen, ids)
    entered = await store.segments.enter(tx, {(segment.id, id) for id in staying})
    _tell(tx, _ENTERED[object], object, entered, {segment.id: row})
    return {**place, "after": ids[-1], "entered": place["entered"] + len(entered)}


async def _leave_next(
    tx: Tx,
    row: Any,
    segment: pb.Segment,
    object: str,
    chosen: rules.Selection | None,
    place: dict[str, Any],
) -> dict[str, Any]:
    ids = await store.segments.members_after(tx, segment.id, place["after"], _AT_ONCE)
    if not ids:
        await store.segments.note_told(tx, segment.id, row["version"], tx.now)
        return {**place, "phase": "done"}
    staying = await _held(tx, segment, object, chosen, ids) if chosen else set()
    left = await store.segments.leave(tx, {(segment.id, id) for id in ids if id not in staying})
    _tell(tx, _LEFT[object], object, left, {segment.id: row})
    return {**place, "after": ids[-1], "left": place["left"] + len(left)}


async def _held(
    tx: Tx, segment: pb.Segment, object: str, chosen: rules.Selection, ids: list[str]
) -> set[str]:
    """Those of the records that the filter selects now, which none of them changes until this is committed."""
    holds = chosen.predicate(segment.filter)
    seen = await store.segments.seen(tx, object, ids, locks=True)
    return {str(record["id"]) for record in seen if holds(record)}
