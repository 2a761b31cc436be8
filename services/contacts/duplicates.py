"""Finding twins off the request path: after every change of a contact or company, and through the whole base on demand."""

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from chassis import contracts
from chassis.call import Cause
from chassis.handlers import on, operation, timer
from chassis.operation_runs import OperationRun
from chassis.tx import Tx
from crm.contacts.v1 import duplicate_events_pb2 as events
from crm.contacts.v1 import duplicate_pb2 as pb
from crm.contacts.v1 import events_pb2, imports_events_pb2, merge_pb2
from services.contacts import errors, merging, store
from services.contacts.rules import duplicates as rules
from services.contacts.store.duplicates import OPEN, Pair

SCAN, MERGE_ALL, UNDO_ALL = "scan:duplicates", "merge:duplicates", "undo:merges"
_SCAN_LATER = "scan-duplicates"
_QUIET = timedelta(seconds=60)
"""So long after an import the base is looked through: once for imports that end together."""
_PAGE = 500  # records in one step of a scan
_YIELD = 200  # pairs or records between two looks at the other tasks: some milliseconds
_KNOWN = 50_000  # profiles that a scan remembers: some 50 MB
_GROUPS = 100  # merges in one transaction: well under a second

_SUSPECTED = {
    "contact": events.ContactDuplicateSuspected,
    "company": events.CompanyDuplicateSuspected,
}


# -- after every change ----------------------------------------------------------------------------------


def _is_written(event: Any) -> bool:
    """Something that twins share was written; an import's parties are compared later, all at once."""
    change = event.change
    told = {path.partition(".")[0] for path in change.changed_fields} or rules.COMPARED
    return not (
        change.republished or change.cause.kind == "import" or told.isdisjoint(rules.COMPARED)
    )


@on(
    *contracts.carrying(*store.PARTIES),
    durable="contacts-duplicates",
    wants=_is_written,
    ignores=["import"],
)
async def compare(event: Any, tx: Tx) -> None:
    """A party that was written is compared with those that share a key."""
    object, party = contracts.carried(event)
    await look_at(tx, object, party.id)


@on(imports_events_pb2.ImportFinished, durable="contacts-duplicates-of-imports")
async def compare_imported(event: imports_events_pb2.ImportFinished, tx: Tx) -> None:
    """An import has written everything: the whole base is looked through for twins, once for imports that end together."""
    for object in store.PARTIES:
        await tx.set_timer(_SCAN_LATER, object, tx.now + _QUIET, {"object": object})


async def look_at(tx: Tx, object: str, id: str) -> None:
    """Finds the twins of one party as it is now: whatever the order of events, the last word is the table's."""
    await _alone(tx, object)
    party = await store.PARTIES[object].find(tx, id)
    if party is None:
        await store.match_keys.replace_keys(tx, object, {id: ()})
        return
    one = rules.profile(party)
    keys = rules.keys(one)
    await store.match_keys.replace_keys(tx, object, {id: keys})
    met = rules.pairs_in(await store.match_keys.sharing(tx, object, keys), {id}, once=False)
    docs = await store.match_keys.documents(tx, object, {other for _, other in met})
    pairs = list(_suspected(met, {id: one, **_profiles(object, docs)}))
    rows = await store.duplicates.suspect(tx, object, pairs)
    await store.duplicates.clear(tx, object, [id], pairs)
    for row in rows:
        if row["created"] and row["state"] == OPEN:
            tx.emit(_event(object, row))


async def _alone(tx: Tx, object: str) -> None:
    """Two twins looked at in one moment would each not see the other's keys yet: one waits for the other."""
    await tx.lock(f"match-keys/{object}")


@on(events_pb2.DuplicateSuspected, durable="contacts-duplicates-of-requests")
async def note_pair(event: events_pb2.DuplicateSuspected, tx: Tx) -> None:
    """The phone of one with the e-mail of another: the pair waits with the others for somebody to decide."""
    low, high = sorted((event.contact_id, event.other_contact_id))
    docs = await store.match_keys.documents(tx, "contact", [low, high])
    known = _profiles("contact", docs)
    if len(known) < 2:
        return
    points, reasons = rules.score(known[low], known[high])
    pair = (low, high, max(points, rules.REQUEST_SCORE), rules.mask([*reasons, rules.REQUEST]))
    await store.duplicates.suspect(tx, "contact", [pair])


@timer(_SCAN_LATER)
async def scan_later(payload: dict[str, Any], tx: Tx) -> None:
    """The import has settled."""
    await tx.start_operation(SCAN, pb.ScanDuplicatesRequest(object=payload["object"]))


def _event(object: str, row: Any) -> Message:
    event = _SUSPECTED[object](
        duplicate_id=str(row["id"]),
        score=row["score"],
        reasons=rules.unmasked(row["reasons"]),  # type: ignore[arg-type]
    )
    setattr(event, f"{object}_id", str(row["low_id"]))
    setattr(event, f"other_{object}_id", str(row["high_id"]))
    return event


def _profiles(object: str, docs: Iterable[tuple[str, bytes]]) -> dict[str, rules.Profile]:
    message_class = store.PARTIES[object].message
    return {id: rules.profile(message_class.FromString(doc)) for id, doc in docs}


def _suspected(pairs: Iterable[tuple[str, str]], known: dict[str, rules.Profile]) -> Iterable[Pair]:
    for one, other in pairs:
        if one in known and other in known:
            points, reasons = rules.score(known[one], known[other])
            if points >= rules.LEAST_SCORE:
                low, high = sorted((one, other))
                yield low, high, points, rules.mask(reasons)


# -- the whole base ----------------------------------------------------------------------------------------


@operation(SCAN)
async def scan(run: OperationRun) -> pb.ScanDuplicatesResult:
    """First the keys of every record, then the pairs that meet under them; a page is one step, resumed after a kill."""
    request: Any = run.request
    result = pb.ScanDuplicatesResult(**run.position.get("result", {}))
    objects = [request.object] if request.object else list(store.PARTIES)
    for object in objects:
        for work in (_note_keys, _compare_page):
            stage = f"{object}/{work.__name__}"
            if stage not in run.position.get("done", []):
                await _pages(run, object, stage, work, result)
    return result


async def _pages(
    run: OperationRun, object: str, stage: str, work: Any, result: pb.ScanDuplicatesResult
) -> None:
    known: OrderedDict[str, rules.Profile] = OrderedDict()
    here = run.position.get("stage") == stage
    after = run.position["after"] if here else "00000000-0000-0000-0000-000000000000"
    while True:
        docs = await run.write(functools.partial(_page, object, after))
        if not docs:
            break
        after = docs[-1][0]
        step = await work(run, object, docs, known, result)
        run.done = result.record_count
        await run.write(step, position=_position(run, result, stage=stage, after=after))
    done = [*run.position.get("done", []), stage]
    await run.progress(run.done, position=_position(run, result, done=done))


async def _page(object: str, after: str, tx: Tx) -> list[tuple[str, bytes]]:
    return await store.match_keys.records_after(tx, object, after, _PAGE)


def _position(run: OperationRun, result: pb.ScanDuplicatesResult, **more: Any) -> dict[str, Any]:
    counts = {field.name: int(value) for field, value in result.ListFields()}
    return {"done": run.position.get("done", []), "result": counts, **more}


async def _note_keys(
    run: OperationRun,
    object: str,
    docs: list[tuple[str, bytes]],
    known: Any,
    result: pb.ScanDuplicatesResult,
) -> Any:
    found: dict[str, set[int]] = {}
    for at in range(0, len(docs), _YIELD):
        found |= {
            id: rules.keys(one) for id, one in _profiles(object, docs[at : at + _YIELD]).items()
        }
        await asyncio.sleep(0)  # others' turn: comparing is all computation
    result.record_count += len(docs)

    async def step(tx: Tx) -> None:
        await _alone(tx, object)
        await store.match_keys.replace_keys(tx, object, found)

    return step


async def _compare_page(
    run: OperationRun,
    object: str,
    docs: list[tuple[str, bytes]],
    known: Any,
    result: pb.ScanDuplicatesResult,
) -> Any:
    _remember(known, _profiles(object, [doc for doc in docs if doc[0] not in known]))
    ids = {id for id, _ in docs}
    keys = set().union(*(rules.keys(known[id]) for id in ids))
    meeting = await run.write(lambda tx: store.match_keys.sharing(tx, object, keys))
    met = rules.pairs_in(meeting, ids, once=True)
    missing = {other for _, other in met} - known.keys()
    if missing:
        others = await run.write(lambda tx: store.match_keys.documents(tx, object, missing))
        _remember(known, _profiles(object, others))
    pairs: list[Pair] = []
    for at in range(0, len(met), _YIELD):
        pairs += _suspected(met[at : at + _YIELD], known)
        await asyncio.sleep(0)  # others' turn: comparing is all computation
    while len(known) > _KNOWN:
        known.popitem(last=False)
    result.compared_count += len(met)
    result.pair_count += len(pairs)
    return lambda tx: store.duplicates.suspect(tx, object, pairs)


def _remember(known: Any, profiles: dict[str, rules.Profile]) -> None:
    for id, one in profiles.items():
        known[id] = one


# -- many merges at once -----------------------------------------------------------------------------------


@operation(MERGE_ALL)
async def merge_all(run: OperationRun) -> pb.MergeAllDuplicatesResult:
    """Merges groups of exact twins, some in each transaction; a resumed run begins with the pairs that are left."""
    request: Any = run.request

    async def waiting(tx: Tx) -> list[list[str]]:
        pairs = await store.duplicates.exact_pairs(tx, request.object, request.min_score)
        return rules.groups(pairs)

    groups = await run.write(waiting)
    run.total = run.done + len(groups)
    for at in range(0, len(groups), _GROUPS):
        here = groups[at : at + _GROUPS]
        run.done += len(here)
        await _merge_some(run, request.object, here)
    count, merged = await run.write(lambda tx: store.merges.counts_of_batch(tx, run.id))
    left = await run.write(waiting)
    return pb.MergeAllDuplicatesResult(
        merge_count=count, merged_count=merged, skipped_count=len(left)
    )


async def _merge_some(run: OperationRun, object: str, groups: list[list[str]]) -> None:
    """Merges these in one transaction; in several, if too many records refer to all of them together."""
    try:
        await run.write(functools.partial(_merge_groups, run, object, groups))
    except errors.MergeTooWide:
        half = len(groups) // 2  # a single one is left
        for part in (groups[:half], groups[half:]) if half else ():
            await _merge_some(run, object, part)


async def _merge_groups(run: OperationRun, object: str, groups: list[list[str]], tx: Tx) -> None:
    """Merges those of the groups that can be; one that is too large, or that somebody changed meanwhile, is left."""
    tx.actor = run.actor
    ids = [id for group in groups for id in group]
    living = {id for id, _ in await store.match_keys.documents(tx, object, ids)}
    wanted = [
        merging.Group(group[0], tuple(group[1:]))
        for group in groups
        if living.issuperset(group) and len(group) <= merging.MOST_AT_ONCE + 1
    ]
    if not wanted:
        return
    records = await merging.load(tx, object, wanted)
    await merging.merge(tx, object, wanted, records, batch_id=run.id)


@operation(UNDO_ALL)
async def undo_all(run: OperationRun) -> merge_pb2.UndoMergesResult:
    """Undoes the merges of one operation, the newest first, some in each transaction."""
    request: Any = run.request
    ids = await run.write(lambda tx: store.merges.merges_of_batch(tx, request.batch_id))
    run.total = run.done + len(ids)
    for at in range(0, len(ids), _GROUPS):
        here = ids[at : at + _GROUPS]
        run.done += len(here)
        await run.write(functools.partial(_undo_some, run, here))
    count, told = await run.write(lambda tx: store.merges.kept_of_batch(tx, request.batch_id))
    result = merge_pb2.UndoMergesResult(undone_count=count)
    for part in map(merge_pb2.UndoMergeResponse.FromString, told):
        result.kept_count += part.kept_count
        result.kept.extend(part.kept[: merging.MOST_KEPT - len(result.kept)])
    return result


async def _undo_some(run: OperationRun, ids: list[str], tx: Tx) -> None:
    tx.actor, tx.cause = run.actor, Cause("undo", run.id)
    await merging.undo(tx, ids)
