"""identity's part when a person is erased, or asks for his data.

identity keeps nothing of a company's customers but the audit's entries about them: who did what with which record and when,
by ids alone. They stay after an erasure, because they account for what colleagues did; stored answers, operations, the stream
and dead letters (which may hold a failed event with the person in it) are erased like everywhere.
"""

from datetime import UTC, datetime
from typing import Any

from chassis import erasure, erasure_part, personal_data
from chassis.operation_runs import OperationRun
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.identity import store
from services.identity.store.schema import metadata

_MOST_ENTRIES = 10_000
_END, _LAST_ID = datetime(9999, 1, 1, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff"


async def take(run: OperationRun) -> erasure.Counts:
    """What the plumbing holds."""
    event: Any = run.request
    return await erasure.sweep(run, {event.contact_id, *event.merged_ids, *event.record_ids})


async def everything(tx: Tx, event: asked.PersonalDataRequested) -> personal_data.Content:
    """The audit's entries about the contact."""
    found = []
    for id in [event.contact_id, *event.merged_ids]:
        filters = {"object_id": id}
        for row in await store.audit_entries_before(
            tx, filters, time=_END, id=_LAST_ID, many=_MOST_ENTRIES
        ):
            shown = {name: row[name] for name in ("kind", "actor", "object", "details")}
            found.append(shown | {"time": row["time"].isoformat(), "object_id": id})
    return {"audit_entries": found}


erased = erasure_part.Part(metadata, asked.ContactErased, take)
handed_out = personal_data.Part(metadata, asked.PersonalDataRequested, everything)
