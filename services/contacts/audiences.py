"""AudienceRequested -> pages of AudienceResolved: who is in a segment at one moment. Consent is the asker's business."""

from datetime import datetime
from typing import Any

from chassis.handlers import on, operation
from chassis.kit.filter import FilterError, fields_named, parse
from chassis.operation_runs import OperationRun
from chassis.rights import Rights
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.contacts.v1 import segment_events_pb2 as events
from crm.contacts.v1 import segment_pb2 as pb
from crm.notifications.v1 import events_pb2 as notifications
from services.contacts import segments, store
from services.contacts.rules import segments as rules

RESOLVE = "event:resolve_audience"
PAGE = 1_000  # ids in one event: some 40 kB


@on(notifications.AudienceRequested, durable="contacts-audiences")
async def note_request(event: notifications.AudienceRequested, tx: Tx) -> None:
    """An audience may be of any size, so an operation answers."""
    await tx.start_operation(RESOLVE, event)


@operation(RESOLVE)
async def resolve(run: OperationRun) -> None:
    """Keeps all ids in one statement, so that all pages are of one moment, and tells them page by page, each once."""
    asked: Any = run.request
    place = dict(run.position)
    if not place:
        place = await run.write(lambda tx: _lay_out(tx, run.id, asked))
        await run.progress(0, place["pages"], position=place)
    while place["told"] < place["pages"]:
        place = {**place, "told": place["told"] + 1}
        run.done = place["told"]
        await run.write(lambda tx, place=place: _tell(tx, run.id, asked, place), position=place)  # type: ignore[misc]


async def _lay_out(
    tx: Tx, operation_id: str, asked: notifications.AudienceRequested
) -> dict[str, Any]:
    row = await store.segments.row_of(tx, asked.segment_id)
    place = {
        "told": 0,
        "pages": 1,
        "total": 0,
        "time": tx.now.isoformat(),
        "version": 0,
        "object": "contact",
        "refusal": "",
    }
    if row is None or row["delete_time"] is not None:
        return {**place, "refusal": "SEGMENT_UNKNOWN"}
    segment = pb.Segment.FromString(row["doc"])
    place |= {"version": row["version"], "object": rules.OBJECTS[segment.resource]}
    object = rules.OBJECTS[segment.resource]
    chosen = await segments.selection(tx, object)
    try:
        compiled = chosen.compiled(segment.filter)
    except FilterError:
        return {**place, "refusal": "SEGMENT_INVALID"}
    rights = _rights_of(tx, asked.user_id) if asked.user_id else None
    if rights is not None and _names_hidden(rights, object, segment.filter):
        return {**place, "refusal": "FIELD_HIDDEN"}
    total = await store.segments.lay_out(tx, operation_id, object, compiled, rights, PAGE)
    return {**place, "total": total, "pages": max(1, -(-total // PAGE))}


def _rights_of(tx: Tx, user_id: str) -> Rights:
    """What the user may do now, for those too for whom he stands in."""
    assert tx.tenant is not None, "an audience belongs to a tenant"
    rights: Rights = tx.runtime.authentication.rights_of_user(tx.tenant, user_id)
    return rights


def _names_hidden(rights: Rights, object: str, text: str) -> bool:
    """True if who is in the segment would tell the user what his roles hide."""
    fields = store.PARTIES[object].fields
    named = [fields[n].hidden_as or n if n in fields else n for n in fields_named(parse(text))]
    hidden = rights.hidden(object)
    return any(
        n == h or n.startswith(f"{h}.") or h.startswith(f"{n}.") for n in named for h in hidden
    )


async def _tell(
    tx: Tx, operation_id: str, asked: notifications.AudienceRequested, place: dict[str, Any]
) -> None:
    ids = await store.segments.take_page(tx, operation_id, place["told"])
    told = events.AudienceResolved(
        audience_id=asked.audience_id, campaign_id=asked.campaign_id, segment_id=asked.segment_id,
        segment_version=place["version"], resolve_time=to_timestamp(datetime.fromisoformat(place["time"])),
        page=place["told"], page_count=place["pages"], last=place["told"] == place["pages"],
        total_count=place["total"], refusal=place["refusal"],
    )  # fmt: skip
    getattr(told, f"{place['object']}_ids").extend(ids)
    tx.emit(told)
