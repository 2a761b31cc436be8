"""The third step of an erasure: what operations under way and late events left meanwhile, files, messages of the streams."""

import json
from datetime import datetime
from typing import Any

from chassis import erasure, service
from chassis.erasure_files import remove_files
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.tx import Tx
from services.contacts.store import erased_imports, erasures, privacy
from services.contacts.store.erasures import ErasureRow


async def sweep(run: OperationRun, runtime: Runtime, row: ErasureRow) -> erasure.Counts:
    """By ids alone, so that it may be done again after everything else is gone."""
    gone = await run.write(lambda tx: erasures.erased_with(tx, row.id))
    ids, requests = gone.get("contact", []), gone.get("request", [])
    records = gone.get("record", [])
    counts: erasure.Counts = dict(row.found["counts"])
    # What read him before he was gone may write about him until it ends.
    late = row.found["operations"]
    await erasure.until_over(run, late)
    named = await run.write(lambda tx: erasure.files_of_operations(tx, set(late)))
    named |= await run.write(lambda tx: erased_imports.files_of_imports(tx, set(late)))
    files = {*row.found["files"], *(file for each in named.values() for file in each)}
    counts["files"] = await remove_files(runtime, run.tenant, files)
    await erasure.until_published(runtime, run.tenant)
    tells = _tells({*ids, *requests, *records, *gone.get("import", [])}, row.found)
    # Services without a database have nobody who could answer for their streams.
    silent = [name for name in service.names() if service.load(name).metadata is None]
    await erasure.added(
        counts, erasure.erase_streams(runtime.nats, run.tenant, ["contacts", *silent], tells)
    )

    async def again(tx: Tx) -> erasure.Counts:
        more = await privacy.take_rows(tx, [*ids, *records], requests)
        texts = {*ids, *requests, *records}
        await erasure.added(more, erasure.empty_plumbing(tx, texts, keep=run.id, operations=late))
        return more

    await erasure.added(counts, run.write(again))
    return {place: count for place, count in counts.items() if count}


def _tells(ids: set[str], found: dict[str, Any]) -> erasure.Tells:
    """Of him, of his visits, or of somebody while the two were one record."""
    others = [
        (id, datetime.fromisoformat(since), datetime.fromisoformat(until))
        for id, since, until in found["spans"]
    ]
    visits = [
        json.dumps({"visitorId": visitor})[1:-1].replace(" ", "").encode()
        for visitor in found["visitors"]
    ]

    def tells(headers: Any, body: bytes) -> bool:
        if erasure.tells_of(headers, body, ids) or any(visit in body for visit in visits):
            return True
        about, at = headers.get("ce-subject", ""), headers.get("ce-time", "")
        return any(
            about == id and at and since <= datetime.fromisoformat(at) < until
            for id, since, until in others
        )

    return tells
