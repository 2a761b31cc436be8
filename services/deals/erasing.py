"""deals' part when a person is erased (M20): what was worth how much, and how it ended, stays; that it was his does not.

    1 take      one transaction: his records lose every text and name, those of others lose him; their old versions go; what was
                kept of him and his requests is emptied; stored answers and operations too
    2 sweep     what operations under way left meanwhile; files; messages of the stream and dead letters
    3 clean     the bytes that old rows left in the database's files, and ErasureDone (chassis/erasure_part.py)

What the law wants kept (settings.keep_invoices) stays as it was written, and the report says so. Contacts and requests are told
by ids alone, and so is everything here. Everything may be done twice.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from chassis import erasure, erasure_part
from chassis.call import Cause
from chassis.erasure_files import files_holding, files_in, remove_files
from chassis.kit import bulk, erased_filters
from chassis.kit.imports import erased as erased_imports
from chassis.kit.imports import named
from chassis.kit.resource import Resource
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2 as asked
from services.deals import store
from services.deals.rules import privacy as rules
from services.deals.store import privacy
from services.deals.store.imports import imports

_AT_ONCE = 500  # records in one statement
_KEPT = (
    "{} invoices, payments and lines of bank statements still say who bought, because the setting keep_invoices says that the law wants it so;"
    " what is older than the law wants is yours to delete"
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
    """His records and the files that they name or named."""
    await tx.runtime.schemas.load(tx)  # the tenant's own fields: which hold files, which hold texts
    records: dict[str, list[str]] = {}
    file_ids = set[str]()
    his = await _about(tx, "deal", event, ())
    for object, resource in privacy.naming().items():
        records[object] = await _about(tx, object, event, his)
        for message in await privacy.versions(tx, object, records[object]):
            file_ids |= files_in(tx, resource, message)
    file_ids |= await erased_imports.files(tx, _ids(event) | _all(records))
    if not (await store.settings_of(tx)).keep_invoices:
        file_ids |= await privacy.statement_files(tx, sorted(_ids(event)))
    held = await erased_imports.holding(tx, _ids(event) | _all(records))
    return {"records": records, "files": sorted(file_ids), "imports": held}


async def take(
    tx: Tx, event: asked.ContactErased, found: dict[str, Any], *, keep: str = ""
) -> dict[str, Any]:
    """Step 1, with what was written about him since `look` too."""
    tx.cause = Cause(erasure.CAUSE, event.erasure_id)
    await tx.runtime.schemas.load(tx)
    ids = sorted(_ids(event))
    requests = sorted({*event.record_ids, *await privacy.requests_of(tx, ids)})
    records: dict[str, list[str]] = {}
    counts: erasure.Counts = {}
    keep_invoices, kept = (await store.settings_of(tx)).keep_invoices, 0
    his = sorted({*found["records"]["deal"], *await _about(tx, "deal", event, ())})
    for object, resource in privacy.naming().items():
        about = await _about(tx, object, event, his)
        records[object] = sorted({*found["records"][object], *about})
        done = await _anonymise(tx, resource, event, his, keep_invoices=keep_invoices)
        counts[str(resource.name)], kept = done[0], kept + done[1]
    await erasure.added(counts, privacy.forget(tx, ids, requests, records))
    await named.forget(tx, "contact", ids)
    texts = {*ids, *_all(records)}
    held = {*found["imports"], *await erased_imports.holding(tx, texts)}
    counts["import_rows"] = await erased_imports.scrub(tx, imports, texts)
    changes, counts["deal_changes"] = await _take_filters(tx, event, texts | {*requests})
    held |= changes
    emptied = erasure.empty_plumbing(tx, texts | held, keep=keep, operations=found["operations"])
    await erasure.added(counts, emptied)
    named_still = await privacy.held_files(tx, found["files"])
    return {
        "records": records, "files": sorted({*found["files"]} - named_still), "counts": counts, "held": sorted(held),
        "late": await erasure.operations_under_way(tx),
        "remains": [_KEPT.format(kept)] if kept else [],
    }  # fmt: skip


async def _take_filters(
    tx: Tx, event: asked.ContactErased, ids: Collection[str]
) -> tuple[set[str], int]:
    """What named him in changes of many deals, or may have: the changes, and how many filters went."""
    tx.cause = Cause(erasure.CAUSE, event.erasure_id)
    wanted = {*ids, *event.record_ids}
    return await erased_filters.scrub(tx, store.changes.changes, store.changes.ITEMS, wanted)


def _ids(event: asked.ContactErased) -> set[str]:
    return {event.contact_id, *event.merged_ids}


def _all(records: dict[str, list[str]]) -> set[str]:
    return {id for each in records.values() for id in each}


async def _about(
    tx: Tx, object: str, event: asked.ContactErased, deal_ids: Sequence[str]
) -> list[str]:
    """What is his, and not only with him among others."""
    read = privacy.naming()[object].message.FromString
    ids, requests = _ids(event), list(event.record_ids)
    rows = await privacy.concerning(tx, object, sorted(ids), requests, deal_ids)
    found = [read(row["doc"]) for row in rows]
    return [record.id for record in found if rules.is_about(record, ids, requests, deal_ids)]


async def _anonymise(
    tx: Tx,
    resource: Resource[Any],
    event: asked.ContactErased,
    deal_ids: Sequence[str],
    *,
    keep_invoices: bool,
) -> tuple[int, int]:
    """His own records become bare, those of others go on without him; how many records, and how many the law keeps."""
    ids, writes, kept = _ids(event), [], 0
    schema = tx.runtime.schemas.known(tx.tenant, resource).fields if resource.has_custom else {}
    types = {key: int(field.type) for key, field in schema.items()}
    object, requests = resource.object, list(event.record_ids)
    for row in await privacy.concerning(tx, object, sorted(ids), requests, deal_ids):
        record = resource.message.FromString(row["doc"])
        if not rules.is_about(record, ids, requests, deal_ids):
            rules.without(record, ids)
        elif keep_invoices and rules.must_be_kept(object, record):
            record, kept = rules.without_reference(record, ids), kept + 1
        else:
            record = rules.anonymised(record, ids, types)
        writes.append(bulk.Write(record, row["doc"], "deleted" if row["delete_time"] else ""))
    for at in range(0, len(writes), _AT_ONCE):
        await bulk.write(tx, resource, writes[at : at + _AT_ONCE])
    return len(writes), kept


async def _sweep(
    run: OperationRun, runtime: Runtime, event: Any, found: dict[str, Any]
) -> erasure.Counts:
    """Step 2, by ids alone."""
    ids = _ids(event) | _all(found["records"])
    counts: erasure.Counts = dict(found["counts"])
    late = found["late"]  # what read him before he was gone may write about him until it ends
    await erasure.until_over(run, late)
    made = await run.write(lambda tx: erased_imports.files(tx, ids))
    held = {
        *found.get("held", found["imports"]),
        *await run.write(lambda tx: erased_imports.holding(tx, ids)),
    }
    changes, scrubbed = await run.write(lambda tx: _take_filters(tx, event, ids))
    held |= changes
    await erasure.added(counts, {"deal_changes": scrubbed})
    counts["import_rows"] += await run.write(lambda tx: erased_imports.scrub(tx, imports, ids))
    left = await run.write(lambda tx: erasure.files_of_operations(tx, set(late)))
    gone = {*found["files"], *found["left"], *made, *(id for each in left.values() for id in each)}
    counts["files"] = await remove_files(runtime, run.tenant, gone)
    swept = erasure.sweep(run, ids | held, operations=late, also=_with(_ids(event)))
    await erasure.added(counts, swept)
    return counts


def _with(ids: Collection[str]) -> erasure.Tells:
    """Says of a message whether one of these contacts takes part in its deal: what was noted of him stands there."""
    needles = [id.encode() for id in ids]

    def tells(headers: Mapping[str, str], body: bytes) -> bool:
        if not any(needle in body for needle in needles):
            return False
        records = [each for each in orjson.loads(body).values() if isinstance(each, dict)]
        return any(
            one.get("contactId") in ids
            for record in records
            for one in record.get("participants", ())
        )

    return tells


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
