"""Erasing a person (M20): one transaction takes everything out of the tables, then files, streams and database files follow.

    1 look     while the rows are still there: whose values are in stored answers, operations and the files these left
    2 take     one transaction: rows and history go, requests stay without a name, ContactErased tells the others
    3 sweep    what operations under way and late events left meanwhile; files; messages of the streams and dead letters
    4 clean    the bytes that deleted rows left in the database's files (a large database: at night), once for all that wait
    5 confirm  contacts' own ErasureDone; the certificate is done when every service has confirmed

Steps 1 and 2 know the person's values, in memory only; from step 3 on ids are enough, and they are kept with the certificate.
A killed run begins its step again; a timer sees to it that an erasure is never left half done, cancelled or not.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from chassis import erasure
from chassis.call import Actor, Cause
from chassis.erasure_files import Holds, files_holding, files_in, written_files
from chassis.handlers import operation, timer
from chassis.kit import bulk
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import audit_pb2, privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as events
from crm.contacts.v1 import privacy_pb2 as pb
from services.contacts import (
    certificates,
    erasure_imports,
    erasure_list,
    erasure_sweep,
    errors,
    matching,
    store,
)
from services.contacts.rules import privacy as rules
from services.contacts.store import erased_imports, erasures, privacy
from services.contacts.store.erasures import ErasureRow

KIND = erasure.CAUSE  # the operation's kind is the cause of all that it writes
_WATCH = "erasure-watch"
_LOOK_AGAIN = timedelta(minutes=1)
_AT_ONCE = 500  # records in one statement

Write = Callable[[Callable[[Tx], Awaitable[Any]]], Awaitable[Any]]


@dataclass(slots=True)
class Person:
    """Whom an erasure is about: the contact, those merged into it, and all that stands on them."""

    ids: list[str]
    requests: list[str] = field(default_factory=list)
    standing: dict[str, list[str]] = field(default_factory=dict)
    """Table -> records."""
    traits: rules.Traits = field(default_factory=rules.Traits)
    files: set[str] = field(default_factory=set)

    @property
    def records(self) -> list[str]:
        return [id for ids in self.standing.values() for id in ids]


async def family(tx: Tx, id: str) -> list[str]:
    """The contact that lives under this id, and every contact that went into it."""
    now = await store.merges.survivors(tx, "contact", [id])
    root = now.get(id, id)
    return [
        root,
        *(each for each in await store.merges.family(tx, "contact", [root]) if each != root),
    ]


async def look(tx: Tx, ids: Sequence[str]) -> Person:
    """Reads everything that stands on these contacts, in all versions."""
    await tx.runtime.schemas.load(tx)  # the tenant's fields of type file
    person = Person(list(ids))
    person.requests = await privacy.request_ids(tx, ids)
    for table, resource in privacy.standing().items():
        person.standing[table] = await privacy.standing_on(tx, resource, ids, person.requests)
        for message in await privacy.versions(tx, resource, person.standing[table]):
            person.files |= files_in(tx, resource, message)
    for message in await privacy.versions(tx, store.contacts, ids):
        person.traits.add_contact(message)
        person.files |= files_in(tx, store.contacts, message)
    for message in await privacy.versions(tx, store.requests, person.requests):
        person.traits.add_request(message)
        person.files |= files_in(tx, store.requests, message)
    person.files |= set(await erasures.personal_files_of(tx, ids))
    return person


# -- asked for -----------------------------------------------------------------------------------------


async def begin(tx: Tx, contact: Any, ids: Sequence[str], reason: str) -> ErasureRow:
    """Starts an erasure; ErasureUnderWay if one has begun."""
    await tx.lock(f"subject/{contact.id}")
    if await erasures.erasures_of(tx, ids):
        raise errors.ErasureUnderWay(contact.id)
    actor = {"kind": tx.actor.kind, "id": tx.actor.id, "user_id": tx.actor.user_id}
    id = tx.new_id()
    row = ErasureRow(
        id, contact.id, [each for each in ids if each != contact.id], reason, actor,
        certificates.who_answers(), tx.now, operation_id=id,
    )  # fmt: skip
    await erasures.add_erasure(tx, row)
    await work_on(tx, row)
    return row


async def work_on(tx: Tx, row: ErasureRow, *, clean_now: bool = False) -> None:
    """Starts the operation that carries the erasure on, and the timer that looks after it."""
    started = await tx.start_operation(
        KIND, pb.EraseOperation(erasure_id=row.id, clean_now=clean_now)
    )
    row.operation_id = started.name.rpartition("/")[2]
    await erasures.save_erasure(tx, row)
    await tx.set_timer(_WATCH, row.id, tx.now + _LOOK_AGAIN, {"erasure_id": row.id})


@timer(_WATCH)
async def watch(payload: dict[str, Any], tx: Tx) -> None:
    """An erasure whose operation ended before the end, whatever ended it, goes on."""
    row = await erasures.find_erasure(tx, payload["erasure_id"], lock=True)
    if row is None or await _confirmed(tx, row):
        return
    if (await tx.runtime.operations.get(tx, row.operation_id)).done:
        await work_on(tx, row, clean_now=bool(payload.get("clean_now")))
    else:
        await tx.set_timer(_WATCH, row.id, tx.now + _LOOK_AGAIN, payload)


async def _confirmed(tx: Tx, row: ErasureRow) -> bool:
    said = await erasures.reports_of(tx, [row.id])
    return any(report["service"] == "contacts" for report in said.get(row.id, []))


# -- carried out ---------------------------------------------------------------------------------------


@operation(KIND)
async def erase(run: OperationRun) -> pb.Erasure:
    """See above. Everything that a step does may be done twice."""
    runtime = await erasure.runtime_of(run)
    request: Any = run.request
    row = await run.write(lambda tx: _row(tx, request.erasure_id))
    if row.erase_time is None:
        row = await look_and_take(run.write, runtime, run.tenant, row, keep=run.id)
    await erasure_list.write(runtime, run.tenant, row)
    if "swept" not in row.found:
        counts = await erasure_sweep.sweep(run, runtime, row)
        await run.write(lambda tx: _note_swept(tx, row.id, counts))
    if request.clean_now:
        await _clean(run, runtime, row.id)
        return await run.write(lambda tx: _shown(tx, row.id))
    at_once = await erasure.clean_at_once(runtime)
    return await run.write(lambda tx: _clean_later(tx, row.id, at_once=at_once))


async def _row(tx: Tx, id: str, *, lock: bool = False) -> ErasureRow:
    row = await erasures.find_erasure(tx, id, lock=lock)
    assert row is not None, "an erasure is started with its certificate"
    return row


async def _shown(tx: Tx, id: str) -> pb.Erasure:
    return await certificates.shown(tx, await _row(tx, id))


async def look_and_take(
    write: Write, runtime: Runtime, tenant_id: str, row: ErasureRow, *, keep: str = ""
) -> ErasureRow:
    """Steps 1 and 2; `write` runs one transaction, `keep` is an operation that is not to be emptied."""
    ids = [row.contact_id, *row.merged_ids]
    person = await write(lambda tx: look(tx, ids))
    texts = person.traits.texts() | {*ids, *person.requests, *person.records}
    left = await write(lambda tx: erasure.files_of_operations(tx))
    left |= await write(lambda tx: erased_imports.files_of_imports(tx))
    named = {file for each in left.values() for file in each}
    asked = named | await written_files(runtime, tenant_id)
    holding = await files_holding(runtime, tenant_id, asked, _mentioning(texts))
    # A file that stands on somebody else's record is that one's.
    theirs = holding - named - person.files
    holding -= await write(lambda tx: privacy.held_files(tx, theirs))
    emptied = [id for id, files in left.items() if files & holding]
    return await write(lambda tx: take(tx, row.id, files=holding, operations=emptied, keep=keep))  # type: ignore[no-any-return]


def _mentioning(texts: Collection[str]) -> Holds:
    wanted = {text.casefold() for text in texts}
    return lambda content: rules.mentions(content.decode("utf-8", errors="replace"), wanted)


async def take(
    tx: Tx, id: str, *, files: set[str], operations: Sequence[str] = (), keep: str = ""
) -> ErasureRow:
    """Takes the person out of every table, in one transaction; he is looked for again, under locks that keep others out."""
    row = await _row(tx, id, lock=True)
    if row.erase_time is not None:
        return row
    tx.cause = Cause(erasure.CAUSE, id)
    tx.actor = Actor(row.actor["kind"], row.actor["id"], row.actor["user_id"])
    ids = await _locked_family(tx, [row.contact_id, *row.merged_ids])
    row.merged_ids = [each for each in ids if each != row.contact_id]
    person = await look(tx, ids)
    # A request that is coming in now finds him gone.
    await tx.lock(*(k for traits in _keys(person.traits) for k in matching.lock_keys(*traits)))
    spans = await privacy.lived_as_one(tx, ids)
    counts = await _take_all(tx, person, spans)
    imports, lines = await erasure_imports.scrub(tx, person.traits.texts())
    await erasure.added(counts, {"import_rows": lines, "imports": len(imports)})
    texts = person.traits.texts() | {*ids, *person.requests, *person.records}
    await erasure.added(counts, erasure.empty_plumbing(tx, texts, keep=keep, operations=operations))
    row.erase_time = tx.now
    row.hashes = sorted({*row.hashes, *erasure_list.hashes(tx, person.traits)})
    row.found = {
        "files": sorted(person.files | files), "counts": counts,
        "operations": await erasure.operations_under_way(tx),
        "visitors": sorted(person.traits.visitors),
        "spans": [[other, since.isoformat(), until.isoformat()] for other, since, until in spans],
    }  # fmt: skip
    for object, each in (
        ("contact", ids),
        ("request", person.requests),
        ("record", person.records),
        ("import", imports),
    ):
        await erasures.note_erased(tx, id, object, each)
    await erasures.save_erasure(tx, row)
    _tell(tx, row, [*person.requests, *person.records, *imports])
    return row


async def _locked_family(tx: Tx, known: list[str]) -> list[str]:
    """All of the family under the locks by which nothing new is written down about them, nor merged."""
    while True:
        await tx.lock(*(f"subject/{id}" for id in known))
        now = dict.fromkeys(known)
        for id in known:
            now |= dict.fromkeys(await family(tx, id))
        if len(now) == len(known):
            return known
        known = list(now)


def _keys(traits: rules.Traits) -> list[tuple[str, str]]:
    return [*((phone, "") for phone in traits.phones), *(("", email) for email in traits.emails)]


async def _take_all(tx: Tx, person: Person, spans: Sequence[privacy.Span]) -> erasure.Counts:
    counts: erasure.Counts = {"requests": await _anonymise(tx, person.ids)}
    counts["requests_history"] = await privacy.forget_old_versions(tx, person.requests)
    await _unlink(tx, person.ids)
    for table, records in person.standing.items():
        await erasure.added(counts, privacy.take_records(tx, privacy.standing()[table], records))
    await erasure.added(
        counts, privacy.take_rows(tx, [*person.ids, *person.records], person.requests)
    )
    for span in spans:
        await erasure.added(counts, {"contacts_history": await privacy.forget_between(tx, span)})
    await erasure.added(counts, privacy.take_records(tx, store.contacts, person.ids))
    return counts


async def _anonymise(tx: Tx, ids: Sequence[str]) -> int:
    """The requests stay, with their ids, times, source and outcome."""
    writes = []
    for _, doc, deleted in await privacy.requests_for_update(tx, ids):
        bare = rules.anonymised(store.requests.message.FromString(doc))
        writes.append(bulk.Write(bare, doc, "deleted" if deleted else ""))
    for at in range(0, len(writes), _AT_ONCE):
        await bulk.write(tx, store.requests, writes[at : at + _AT_ONCE])
    return len(writes)


async def _unlink(tx: Tx, ids: Sequence[str]) -> None:
    """Others do not refer to somebody who is not there."""
    for object, resource in store.PARTIES.items():
        referring = [
            id
            for id in await store.referring.referring_ids(tx, object, "contact", list(ids))
            if id not in ids
        ]
        writes = []
        for row in await store.referring.locked_rows(tx, object, referring):
            message = resource.message.FromString(row["doc"])
            if rules.without(message, ids):
                writes.append(bulk.Write(message, row["doc"]))
        for at in range(0, len(writes), _AT_ONCE):
            await bulk.write(tx, resource, writes[at : at + _AT_ONCE])


def _tell(tx: Tx, row: ErasureRow, record_ids: list[str]) -> None:
    tx.emit(
        events.ContactErased(
            erasure_id=row.id, contact_id=row.contact_id, merged_ids=row.merged_ids,
            record_ids=record_ids,
            audited=audit_pb2.AuditedAction(
                action="erasure", object="contact", object_id=row.contact_id, details={"erasure": row.id}
            ),
        )
    )  # fmt: skip


# -- cleaned -------------------------------------------------------------------------------------------


async def _note_swept(tx: Tx, id: str, counts: erasure.Counts) -> None:
    row = await _row(tx, id, lock=True)
    row.found["swept"] = counts
    await erasures.save_erasure(tx, row)


async def _clean_later(tx: Tx, id: str, *, at_once: bool) -> pb.Erasure:
    """By an operation of its own, which serves all that wait for it; rewriting a large database keeps people waiting: at night."""
    row = await _row(tx, id, lock=True)
    if at_once:
        await work_on(tx, row, clean_now=True)
    else:
        payload = {"erasure_id": id, "clean_now": True}
        await tx.set_timer(_WATCH, id, erasure.tonight(tx.now), payload)
    return await certificates.shown(tx, row)


async def _clean(run: OperationRun, runtime: Runtime, id: str) -> None:
    """For every erasure of the tenant that is swept; nothing if another operation has done it meanwhile."""
    async with erasure.cleaning_turn(runtime) as clean:
        waiting = await run.write(erasures.swept)
        if id in waiting:
            cleaned = await clean()
            for each in waiting:
                await run.write(partial(_confirm, id=each, remains=cleaned.remains))


async def _confirm(tx: Tx, id: str, remains: Sequence[str]) -> None:
    tx.cause = Cause(erasure.CAUSE, id)
    row = await _row(tx, id, lock=True)
    if "swept" not in row.found:  # an operation that was taken over has said so already
        return
    report = privacy_pb2.ErasureReport(
        erasure_id=id, service="contacts", places=erasure.places(row.found["swept"]),
        time=to_timestamp(tx.now), remains=remains,
    )  # fmt: skip
    tx.emit(events.ErasureDone(report=report))
    row.found = {"counts": {}, "files": [], "operations": [], "spans": [], "visitors": []}
    await erasures.save_erasure(tx, row)
