"""telephony's part when a person is erased (M20): when was called, how long and how it ended stays; that it was with him does not.

    1 take      one transaction: his calls lose number, names and texts, recordings their sound, numbers their holder; old versions
                and what exchanges told of the phones go; stored answers and operations are emptied
    2 sweep     what operations under way left meanwhile; the sounds; messages of the stream and dead letters
    3 clean     the bytes that old rows left in the database's files, and ErasureDone (chassis/erasure_part.py)

His are also the calls that name nobody, of numbers that he alone has. A recording that is held for a legal reason keeps its sound,
and the report says so. Contacts and requests are told by ids alone, and so is everything here. Everything may be done twice.
"""

from collections.abc import Collection
from typing import Any

from chassis import erasure, erasure_part
from chassis.call import Cause
from chassis.erasure_files import files_holding, remove_files
from chassis.kit import bulk
from chassis.kit.imports import erased as erased_imports
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.telephony import store
from services.telephony.rules import privacy as rules
from services.telephony.store import imports, moves, privacy

_AT_ONCE = 500  # records in one statement
_HELD = (
    "{} recordings keep their sound, because they are held for a legal reason; when that is over, let them go and erase them"
    " (PATCH /v1/recordings/{{id}} with held = false, then :erase)"
)


async def carry_out(run: OperationRun) -> erasure.Counts:
    """Steps 1 and 2; what was found, ids all of it, is kept before anything is taken."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    found = dict(run.position)
    if "records" not in found:
        found = await run.write(lambda tx: look(tx, event))
        naming = await _files_naming(run, runtime, _ids(event) | _all(found["records"]))
        found["operations"] = sorted(naming)
        found["left"] = sorted(id for each in naming.values() for id in each)
        await run.progress(0, 2, position=found)
    if "counts" not in found:
        found |= await run.write(lambda tx: take(tx, event, found, keep=run.id))
        await run.progress(1, 2, position=found)
    return await _sweep(run, runtime, event, found)


async def look(tx: Tx, event: asked.ContactErased) -> dict[str, Any]:
    """His calls and recordings, and their sounds."""
    calls, recordings = await _about(tx, event)
    files = {each.sound_id for each in recordings if each.sound_id and not each.held}
    files |= await erased_imports.files(tx, _ids(event) | {each.id for each in calls})
    records = {"call": [each.id for each in calls], "recording": [each.id for each in recordings]}
    return {"records": records, "files": sorted(files)}


async def take(
    tx: Tx, event: asked.ContactErased, found: dict[str, Any], *, keep: str = ""
) -> dict[str, Any]:
    """Step 1, with what was written about him since `look` too."""
    tx.cause = Cause(erasure.CAUSE, event.erasure_id)
    ids = sorted(_ids(event))
    now = await look(tx, event)
    records = {
        object: sorted({*found["records"][object], *now["records"][object]})
        for object in moves.FOLLOWING
    }
    counts: erasure.Counts = {}
    for object, resource in moves.FOLLOWING.items():
        counts[str(resource.name)] = await _anonymise(tx, object, event, records)
    await erasure.added(counts, privacy.forget(tx, ids, records))
    emptied = erasure.empty_plumbing(
        tx, {*ids, *_all(records)}, keep=keep, operations=found["operations"]
    )
    await erasure.added(counts, emptied)
    counts["import_rows"] = await _forget_imports(tx, {*ids, *_all(records)})
    _, recordings = await _about(tx, event, records["call"])
    held = sum(each.held for each in recordings)
    return {
        "records": records, "files": sorted({*found["files"], *now["files"]}), "counts": counts,
        "late": await erasure.operations_under_way(tx), "remains": [_HELD.format(held)] if held else [],
    }  # fmt: skip


def _ids(event: asked.ContactErased) -> set[str]:
    return {event.contact_id, *event.merged_ids}


def _all(records: dict[str, list[str]]) -> set[str]:
    return {id for each in records.values() for id in each}


async def _about(
    tx: Tx, event: asked.ContactErased, call_ids: list[str] | None = None
) -> tuple[list[Any], list[Any]]:
    """The calls with him, and what was recorded of them."""
    ids, requests = sorted(_ids(event)), list(event.record_ids)
    unnamed = {*(call_ids or ()), *await privacy.unnamed(tx, ids)}
    calls = [
        call
        for call in await _read(tx, "call", ids, sorted(unnamed), requests)
        if call.id in unnamed or rules.is_about(call, ids, requests)
    ]
    return calls, await _read(tx, "recording", ids, [call.id for call in calls])


async def _read(
    tx: Tx, object: str, ids: list[str], call_ids: list[str], request_ids: list[str] | None = None
) -> list[Any]:
    rows = await privacy.concerning(tx, object, ids, call_ids, request_ids or ())
    return [moves.FOLLOWING[object].message.FromString(row["doc"]) for row in rows]


async def _anonymise(
    tx: Tx, object: str, event: asked.ContactErased, records: dict[str, list[str]]
) -> int:
    """His own records become bare, those of others go on without him; the number of records."""
    resource, writes, ids = moves.FOLLOWING[object], [], _ids(event)
    requests = list(event.record_ids)
    for row in await privacy.concerning(tx, object, sorted(ids), records["call"], requests):
        record = resource.message.FromString(row["doc"])
        if object == "recording":
            record = rules.anonymised_recording(record, at=tx.now)
        elif record.id in records["call"]:
            record = rules.anonymised_call(record, at=tx.now)
        else:
            rules.without(record, ids)
        writes.append(bulk.Write(record, row["doc"], "deleted" if row["delete_time"] else ""))
    for at in range(0, len(writes), _AT_ONCE):
        await bulk.write(tx, resource, writes[at : at + _AT_ONCE])
    return len(writes)


async def _sweep(
    run: OperationRun, runtime: Runtime, event: Any, found: dict[str, Any]
) -> erasure.Counts:
    """Step 2, by ids alone."""
    ids = _ids(event) | _all(found["records"])
    counts: erasure.Counts = dict(found["counts"])
    late = found["late"]  # what read him before he was gone may write about him until it ends
    await erasure.until_over(run, late)
    made = await run.write(lambda tx: erased_imports.files(tx, ids))
    counts["import_rows"] += await run.write(lambda tx: _forget_imports(tx, ids))
    left = await run.write(lambda tx: erasure.files_of_operations(tx, set(late)))
    named = {id for each in left.values() for id in each}
    counts["files"] = await remove_files(
        runtime, run.tenant, {*found["files"], *found["left"], *named, *made}
    )
    await erasure.added(counts, erasure.sweep(run, ids, operations=late))
    return counts


async def _forget_imports(tx: Tx, ids: set[str]) -> int:
    """What imports remember of him and of his calls; how many lines went."""
    await imports.release(tx, sorted(ids))
    return await erased_imports.scrub(tx, imports.imports, ids)


async def _files_naming(
    run: OperationRun, runtime: Runtime, ids: Collection[str]
) -> dict[str, set[str]]:
    """Finished operation -> the files that it left and in which one of the ids stands."""
    left = await run.write(lambda tx: erasure.files_of_operations(tx))
    needles = [id.encode() for id in ids]

    def names(content: bytes) -> bool:
        return any(needle in content for needle in needles)

    each = {id for named in left.values() for id in named}
    holding = await files_holding(runtime, run.tenant, each, names)
    return {
        operation_id: named & holding for operation_id, named in left.items() if named & holding
    }


erased = erasure_part.Part(store.metadata, asked.ContactErased, carry_out)
