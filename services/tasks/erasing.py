"""tasks' part when a person is erased (M20): what was done, when and by whom stays; that it was about him does not.

    1 take      one transaction: his tasks and meetings lose every text, name and file, open ones are cancelled; their old
                versions go, and those of others that named him; stored answers and operations are emptied
    2 sweep     what operations under way left meanwhile; files; messages of the stream and dead letters
    3 clean     the bytes that old rows left in the database's files, and ErasureDone (chassis/erasure_part.py)

Contacts and requests are told by ids alone, and so is everything here. Everything may be done twice.
"""

from collections.abc import Collection
from typing import Any

from chassis import erasure, erasure_part
from chassis.call import Cause
from chassis.erasure_files import files_holding, files_in, remove_files
from chassis.kit import bulk, erased_filters
from chassis.kit.imports import erased as erased_imports
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.tasks import deadlines, series, store, timers_meetings
from services.tasks.rules import privacy as rules
from services.tasks.store import imports, moves, privacy

_AT_ONCE = 500  # records in one statement


async def carry_out(run: OperationRun) -> erasure.Counts:
    """Steps 1 and 2; what was found, ids all of it, is kept before anything is taken."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    found = dict(run.position)
    if "records" not in found:
        found = await run.write(lambda tx: look(tx, event))
        named = await _files_naming(run, runtime, {event.contact_id, *event.merged_ids})
        found["operations"] = sorted(named)
        found["left"] = sorted(id for each in named.values() for id in each)
        await run.progress(0, 2, position=found)
    if "counts" not in found:
        found |= await run.write(lambda tx: take(tx, event, found, keep=run.id))
        await run.progress(1, 2, position=found)
    return await _sweep(run, runtime, event, found)


async def look(tx: Tx, event: asked.ContactErased) -> dict[str, Any]:
    """His records and the files that they name or named."""
    await tx.runtime.schemas.load(tx)  # the tenant's fields of type file
    records: dict[str, list[str]] = {}
    file_ids = set[str]()
    for object in moves.FOLLOWING:
        records[object] = await _about(tx, object, event)
        for message in await privacy.versions(tx, object, records[object]):
            file_ids |= _files_of(tx, object, message)
    everything = {*event.merged_ids, event.contact_id, *records["task"]}
    file_ids |= await erased_imports.files(tx, everything)
    return {"records": records, "files": sorted(file_ids)}


async def take(
    tx: Tx, event: asked.ContactErased, found: dict[str, Any], *, keep: str = ""
) -> dict[str, Any]:
    """Step 1, with what was written about him since `look` too."""
    tx.cause = Cause(erasure.CAUSE, event.erasure_id)
    ids = [event.contact_id, *event.merged_ids]
    records: dict[str, list[str]] = {}
    counts: erasure.Counts = {}
    for object, resource in moves.FOLLOWING.items():
        about = await _about(tx, object, event)
        records[object] = sorted({*found["records"][object], *about})
        counts[str(resource.name)] = await _anonymise(tx, object, event)
    await erasure.added(counts, privacy.forget(tx, ids, records))
    texts = {*ids, *(id for each in records.values() for id in each)}
    counts["import_rows"] = await _forget_imports(tx, texts)
    held, counts["task_changes"] = await _take_filters(tx, event, texts)
    emptied = erasure.empty_plumbing(tx, texts | held, keep=keep, operations=found["operations"])
    await erasure.added(counts, emptied)
    named_still = await privacy.held_files(tx, found["files"])
    return {
        "records": records, "files": sorted({*found["files"]} - named_still), "counts": counts,
        "held": sorted(held), "late": await erasure.operations_under_way(tx),
    }  # fmt: skip


async def _concerning(tx: Tx, object: str, event: asked.ContactErased) -> list[Any]:
    return await privacy.concerning(
        tx, object, [event.contact_id, *event.merged_ids], list(event.record_ids)
    )


async def _about(tx: Tx, object: str, event: asked.ContactErased) -> list[str]:
    """What is about him, and not only with him among others."""
    read = moves.FOLLOWING[object].message.FromString
    found = [read(row["doc"]) for row in await _concerning(tx, object, event)]
    return [record.id for record in found if _is_about(record, event)]


def _is_about(record: Any, event: asked.ContactErased) -> bool:
    return rules.is_about(record, [event.contact_id, *event.merged_ids], event.record_ids)


async def _anonymise(tx: Tx, object: str, event: asked.ContactErased) -> int:
    """His own records become bare, meetings with others go on without him; the number of records."""
    resource, writes = moves.FOLLOWING[object], []
    for row in await _concerning(tx, object, event):
        old = resource.message.FromString(row["doc"])
        if not _is_about(old, event):
            new = resource.message.FromString(row["doc"])
            rules.without(new, [event.contact_id, *event.merged_ids])
        elif object == "task":
            new = rules.anonymised_task(old, at=tx.now)
            await deadlines.follow(tx, new, old)
            await series.follow(tx, new, old)
        else:
            new = rules.anonymised_meeting(old, at=tx.now)
            await timers_meetings.follow(tx, new)
        writes.append(bulk.Write(new, row["doc"], "deleted" if row["delete_time"] else ""))
    for at in range(0, len(writes), _AT_ONCE):
        await bulk.write(tx, resource, writes[at : at + _AT_ONCE])
    return len(writes)


async def _take_filters(
    tx: Tx, event: asked.ContactErased, ids: Collection[str]
) -> tuple[set[str], int]:
    """What named him in changes of many tasks, or may have: the changes, and how many filters went."""
    tx.cause = Cause(erasure.CAUSE, event.erasure_id)
    wanted = {*ids, *event.record_ids}
    return await erased_filters.scrub(tx, store.bulk.changes, store.bulk.ITEMS, wanted)


async def _forget_imports(tx: Tx, ids: set[str]) -> int:
    """What imports remember of him and of his tasks; how many lines went."""
    await imports.release(tx, sorted(ids))
    return await erased_imports.scrub(tx, imports.imports, ids)


async def _sweep(
    run: OperationRun, runtime: Runtime, event: Any, found: dict[str, Any]
) -> erasure.Counts:
    """Step 2, by ids alone."""
    ids = {event.contact_id, *event.merged_ids}
    ids |= {id for each in found["records"].values() for id in each}
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
    changes, scrubbed = await run.write(lambda tx: _take_filters(tx, event, ids))
    await erasure.added(counts, {"task_changes": scrubbed})
    held = {*found.get("held", ()), *changes}
    await erasure.added(counts, erasure.sweep(run, ids | held, operations=late))
    return counts


# -- files -------------------------------------------------------------------------------------------------------------------


def _files_of(tx: Tx, object: str, message: Any) -> set[str]:
    """The files that a record names: in its own fields, in its result, in the tenant's fields of type file."""
    found = files_in(tx, moves.FOLLOWING[object], message)
    for value in getattr(message, "result", {}).values():
        found |= {id.decode() for id in erasure.UUID.findall(value.SerializeToString())}
    return found


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
