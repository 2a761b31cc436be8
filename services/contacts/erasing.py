"""Erasing a person (M20): one transaction takes everything out of the tables, then files, streams and database files follow.

    1 look     while the rows are still there: whose values are in stored answers, operations and the files these left
    2 take     one transaction: rows and history go, requests stay without a name, ContactErased tells the others
    3 sweep    what operations under way and late events left meanwhile; files; messages of the streams and dead letters
    4 clean    the bytes that deleted rows left in the database's files (a large database: at night)
    5 confirm  contacts' own ErasureDone; the certificate is done when every service has confirmed

Steps 1 and 2 know the person's values, in memory only; from step 3 on ids are enough, and they are kept with the certificate.
A killed run begins its step again; a timer sees to it that an erasure is never left half done, cancelled or not.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

from chassis import erasure, service
from chassis.call import Actor, Cause
from chassis.handlers import operation, timer
from chassis.kit import bulk
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import audit_pb2, privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as events
from crm.contacts.v1 import privacy_pb2 as pb
from services.contacts import certificates, erasure_imports, erasure_list, errors, matching, store
from services.contacts.erasure_files import (
    files_holding,
    files_in,
    remove_files,
    written_files,
)
from services.contacts.rules import privacy as rules
from services.contacts.store import erased_imports, erasures, privacy
from services.contacts.store.erasures import ErasureRow

KIND = erasure.CAUSE  # the operation's kind is the cause of all that it writes
_WATCH = "erasure-watch"
_LOOK_AGAIN = timedelta(minutes=1)
_NIGHT = time(2, 0)  # UTC, as old versions go
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
    counts = await _sweep(run, runtime, row)
    if not await erasure.clean_at_once(runtime) and not request.clean_now:
        return await run.write(partial(_tonight, row_id=row.id))
    cleaned = await erasure.clean_database(runtime)
    return await run.write(lambda tx: _confirm(tx, row.id, counts, cleaned.remains))


async def _row(tx: Tx, id: str) -> ErasureRow:
    row = await erasures.find_erasure(tx, id)
    assert row is not None, "an erasure is started with its certificate"
    return row


async def look_and_take(
    write: Write, runtime: Runtime, tenant_id: str, row: ErasureRow, *, keep: str = ""
) -> ErasureRow:
    """Steps 1 and 2; `write` runs one transaction, `keep` is an operation that is not to be emptied."""
    ids = [row.contact_id, *row.merged_ids]
    person = await write(lambda tx: look(tx, ids))
    texts = person.traits.texts() | {*ids, *person.requests, *person.records}
    left = await write(lambda tx: erasure.files_of_operations(tx))
    left |= await write(lambda tx: erased_imports.files_of_imports(tx))
    lying = {"": await written_files(runtime, tenant_id)}
    holding = await files_holding(runtime, tenant_id, {**lying, **left}, texts)
    # A file that stands on somebody else's record is that one's.
    theirs = holding - {id for named in left.values() for id in named} - person.files
    holding -= await write(lambda tx: privacy.held_files(tx, theirs))
    emptied = [id for id, named in left.items() if named & holding]
    return await write(lambda tx: take(tx, row.id, files=holding, operations=emptied, keep=keep))  # type: ignore[no-any-return]


async def take(
    tx: Tx, id: str, *, files: set[str], operations: Sequence[str] = (), keep: str = ""
) -> ErasureRow:
    """Takes the person out of every table, in one transaction; he is looked for again, under locks that keep others out."""
    row = await erasures.find_erasure(tx, id, lock=True)
    assert row is not None, "an erasure is started with its certificate"
    if row.erase_time is not None:
        return row
    tx.cause = Cause(erasure.CAUSE, id)
    tx.actor = Actor(row.actor["kind"], row.actor["id"], row.actor["user_id"])
    ids = await _locked_family(tx, [row.contact_id, *row.merged_ids])
    row.merged_ids = [each for each in ids if each != row.contact_id]
    person = await look(tx, ids)
    for key in sorted(
        {k for phone, email in _keys(person.traits) for k in matching.lock_keys(phone, email)}
    ):
        await tx.lock(key)  # a request that is coming in now finds him gone
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
        for id in sorted(known):
            await tx.lock(f"subject/{id}")
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


# -- swept ---------------------------------------------------------------------------------------------


async def _sweep(run: OperationRun, runtime: Runtime, row: ErasureRow) -> erasure.Counts:
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


async def _tonight(tx: Tx, row_id: str) -> pb.Erasure:
    """Rewriting a large database keeps people waiting: it is done when they sleep."""
    day = tx.now.date() + timedelta(days=1 if tx.now.time() >= _NIGHT else 0)
    payload = {"erasure_id": row_id, "clean_now": True}
    await tx.set_timer(_WATCH, row_id, datetime.combine(day, _NIGHT, UTC), payload)
    return await certificates.shown(tx, await _row(tx, row_id))


async def _confirm(tx: Tx, id: str, counts: erasure.Counts, remains: Sequence[str]) -> pb.Erasure:
    tx.cause = Cause(erasure.CAUSE, id)
    row = await _row(tx, id)
    report = privacy_pb2.ErasureReport(
        erasure_id=id,
        service="contacts",
        places=certificates.places(counts),
        time=to_timestamp(tx.now),
        remains=remains,
    )
    tx.emit(events.ErasureDone(report=report))
    row.found = {"counts": {}, "files": [], "operations": [], "spans": [], "visitors": []}
    await erasures.save_erasure(tx, row)
    return await certificates.shown(tx, row)
