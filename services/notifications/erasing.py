"""notifications' part when a person is erased, or asks for his data.

What tells of the person goes whole: notices and comments about him or a record that stood on him, what waits for a digest,
visits that lie ahead, who might read his records; then stored answers, operations, the stream and dead letters, as everywhere.
"""

from typing import Any

import orjson

from chassis import erasure, erasure_part, personal_data
from chassis.operation_runs import OperationRun
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.notifications import comments, store


async def take(run: OperationRun) -> erasure.Counts:
    """Out of the tables, then out of the plumbing and the stream."""
    event: Any = run.request
    ids = {event.contact_id, *event.merged_ids, *event.record_ids}
    if "comments" not in run.position:  # a second try must still know whose events to remove
        said = await run.write(lambda tx: store.comments.about(tx, sorted(ids)))
        await run.progress(0, position={"comments": said})
    ids.update(run.position["comments"])
    counts: erasure.Counts = await run.write(lambda tx: _take(tx, sorted(ids)))

    def is_notice(headers: Any, body: bytes) -> bool:
        return _is_notice_of(body, ids)

    await erasure.added(counts, erasure.sweep(run, ids, also=is_notice))
    return counts


def _is_notice_of(body: bytes, ids: set[str]) -> bool:
    """True for a notice that names one of them anywhere: it names its persons in a list, and exists for nobody else."""
    named = {each.decode() for each in erasure.UUID.findall(body)}
    return not named.isdisjoint(ids) and "notice" in orjson.loads(body)


async def _take(tx: Tx, ids: list[str]) -> erasure.Counts:
    """What tells of the person or of what stood on him, out of the tables."""
    told = await store.notices.about(tx, ids)
    counts = {"deliveries": await store.deliveries.forget(tx, told)}
    counts["notices"] = await store.notices.remove(tx, told)
    counts["gathered_notices"] = await store.notices.forget_gathered(tx, ids)
    counts["visits"] = await store.visits.forget(tx, ids)
    counts["guards"] = await store.guards.forget(tx, ids)
    said, _ = await comments.erase(tx, ids)
    return {**counts, **said}


async def everything(tx: Tx, event: asked.PersonalDataRequested) -> personal_data.Content:
    """The notices and comments about the person."""
    ids = [event.contact_id, *event.merged_ids]
    told = await store.notices.notices.find_many(tx, await store.notices.about(tx, ids))
    return {"notices": list(told), "comments": await comments.about(tx, ids)}


erased = erasure_part.Part(store.metadata, asked.ContactErased, take)
handed_out = personal_data.Part(store.metadata, asked.PersonalDataRequested, everything)
