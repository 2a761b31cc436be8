"""Card facts follow the events: who was in touch last, open requests, missed calls, deals, cases and bills, and the lifecycle stage.

What can be counted is counted again whenever something changes, and a touch is only taken over if it is later, so an event that
comes twice or too early changes nothing more. The facts stand beside their record: its version and etag stay.
"""

from collections.abc import Collection
from typing import Any

from google.protobuf.message import Message

from chassis import contracts
from chassis.handlers import on, operation
from chassis.operation_runs import OperationRun
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.contacts.v1 import card_facts_pb2 as pb
from crm.contacts.v1 import duplicate_events_pb2, request_pb2
from services.contacts import segments, store
from services.contacts.rules import card_facts as rules
from services.contacts.rules.calls import PartyCall
from services.contacts.rules.requests import user_of_ref

REBUILD = "rebuild:card_facts"
_AT_ONCE = 200  # records computed in one transaction, some tenths of a second
_FIRST_ID = "00000000-0000-0000-0000-000000000000"
_MERGES = (
    duplicate_events_pb2.ContactMerged, duplicate_events_pb2.ContactUnmerged,
    duplicate_events_pb2.CompanyMerged, duplicate_events_pb2.CompanyUnmerged,
)  # fmt: skip

Concerned = dict[str, set[str]]
"""Object -> ids."""


@on(
    *contracts.carrying("request", *store.PARTIES),
    *contracts.known([*rules.TOUCHES, *rules.STAGE_MOVES]),
    *_MERGES,
    durable="contacts-facts",
    ignores=["import"],
)
async def follow(event: Any, tx: Tx) -> None:
    """Brings the facts of all whom the event concerns up to date, and tells who entered or left a segment by it.

    An import does that for what it writes itself, a batch at a time (`importing.Parties.written`).
    """
    option, change = contracts.event_option(event.DESCRIPTOR), event.change
    assert option is not None
    assert tx.event is not None
    concerned = _ids_of(event, option) if tx.event.type in rules.TOUCHES or _moves(tx) else {}
    request = getattr(event, "request", None)
    if isinstance(request, request_pb2.Request) and option.resource == "request":
        concerned = await _of_request(tx, request, change)
    if isinstance(event, _MERGES):
        await _after_merge(tx, event)
    elif concerned:
        await _note(tx, concerned, change)
    record = getattr(event, option.resource) if option.resource in store.PARTIES else None
    if record is not None:
        concerned = {option.resource: {record.id}}
    for object in sorted(concerned):
        await segments.evaluate(tx, object, concerned[object])


async def _note(tx: Tx, concerned: Concerned, change: Any) -> None:
    assert tx.event is not None
    touch = None if change.republished else rules.TOUCHES.get(tx.event.type)
    moment = to_datetime(change.time) if change.HasField("time") else tx.event.time
    contact = pb.LastContact(
        time=to_timestamp(moment), user_id=user_of_ref(change.actor), event_id=tx.event.id,
        way=touch.way if touch else "",
    )  # fmt: skip
    for object in sorted(concerned):
        ids = await _living(tx, object, concerned[object])
        counts = await store.card_facts.requests_of(tx, object, ids)
        arrivals = await store.card_facts.arrivals_of(tx, object, counts)
        for id, facts in (await store.card_facts.for_update(tx, object, ids)).items():
            new = _copy(facts)
            _count(new, counts.get(id))
            rules.set_arrivals(new, arrivals.get(id))
            if touch is not None:
                rules.touch(new, touch.direction, contact)
            await _write(tx, object, id, facts, new)
            if _moves(tx) and not change.republished:
                await _move_stage(tx, object, id, moment)


async def note_item(tx: Tx, item: rules.Item) -> None:
    """Takes over what a service told of a deal, case or bill; something older than what is known changes nothing."""
    concerned = await store.card_facts.put_item(tx, item)
    for object, ids in sorted((concerned or {}).items()):
        found = await _living(tx, object, ids)
        by_id = await store.card_facts.items_of(tx, object, found)
        for id, facts in (await store.card_facts.for_update(tx, object, found)).items():
            new = _copy(facts)
            rules.summarise(new, by_id.get(id, []))
            await _write(tx, object, id, facts, new)
        await segments.evaluate(tx, object, found)


async def note_call(tx: Tx, call: PartyCall) -> None:
    """Takes over what telephony told of a call; something older than what is known changes nothing."""
    assert tx.event is not None
    concerned = await store.calls.put(tx, call, tx.event.id)
    last = pb.LastContact(
        time=to_timestamp(call.time), user_id=call.user_id, event_id=tx.event.id, way="call"
    )
    for object, ids in sorted((concerned or {}).items()):
        found = await _living(tx, object, ids)
        its_own = set(await _living(tx, object, {getattr(call, f"{object}_id")} - {""}))
        families = await _families(tx, object, found)
        members = sorted({member for family in families.values() for member in family})
        # Locked before it is counted: who counts next, counts later.
        known = await store.card_facts.for_update(tx, object, found)
        missed = await store.calls.open_missed(tx, object, members)
        for id, facts in known.items():
            new = _copy(facts)
            new.open_missed_calls = sum(missed.get(member, 0) for member in families[id])
            if call.direction and id in its_own:
                rules.touch(new, call.direction, last)
            await _write(tx, object, id, facts, new)
        await segments.evaluate(tx, object, found)


async def recompute(tx: Tx, object: str, ids: Collection[str], *, keep: bool = False) -> int:
    """Computes the facts anew out of the tables; returns how many records had others. `keep`: no touch gets lost by it."""
    families = await _families(tx, object, ids)
    members = sorted({member for family in families.values() for member in family})
    # Locked before it is counted: who counts next, counts later.
    known = await store.card_facts.for_update(tx, object, members)
    counts = await store.card_facts.requests_of(tx, object, members)
    arrivals = await store.card_facts.arrivals_of(tx, object, counts)
    items = await store.card_facts.items_of(tx, object, members)
    touches: dict[str, list[Any]] = {}
    for row in await store.card_facts.last_touches(tx, members, sorted(rules.TOUCHES)):
        touches.setdefault(str(row["party_id"]), []).append(row)
    missed = await store.calls.open_missed(tx, object, members)
    spoken: dict[str, list[Any]] = {}
    for row in await store.calls.latest(tx, object, members):
        spoken.setdefault(str(row["party_id"]), []).append(row)
    written = 0
    for id in (id for id in families if id in known):
        new = _copy(known[id] if keep else pb.CardFacts())
        for member in families[id]:
            if keep:
                rules.unite(new, known.get(member, pb.CardFacts()))
            for row in touches.get(member, ()):
                rules.touch(new, rules.TOUCHES[row["type"]].direction, _contact_of(row))
            for row in spoken.get(member, ()):
                rules.touch(new, row["direction"], _contact_of(row, way="call"))
        new.open_missed_calls = sum(missed.get(member, 0) for member in families[id])
        _count(new, counts.get(id))
        rules.set_arrivals(new, arrivals.get(id))
        rules.summarise(new, [item for member in families[id] for item in items.get(member, ())])
        written += await _write(tx, object, id, known[id], new)
    await segments.evaluate(tx, object, set(ids))
    return written


@operation(REBUILD)
async def rebuild(run: OperationRun) -> pb.RebuiltCardFacts:
    """All facts of contacts and companies, batch by batch, from where an earlier try stopped."""
    place = {"object": "contact", "after": _FIRST_ID, "seen": 0, "changed": 0, **run.position}

    async def step(tx: Tx) -> tuple[list[str], int]:
        ids = await store.card_facts.ids_after(tx, place["object"], place["after"], _AT_ONCE)
        return ids, await recompute(tx, place["object"], ids) if ids else 0

    while True:
        ids, changed = await run.write(step)
        if ids:
            place["after"] = ids[-1]
        elif place["object"] == "contact":
            place |= {"object": "company", "after": _FIRST_ID}
        else:
            break
        place |= {"seen": place["seen"] + len(ids), "changed": place["changed"] + changed}
        await run.progress(place["seen"], position=place)
    return pb.RebuiltCardFacts(record_count=place["seen"], changed_count=place["changed"])


def shown(tx: Tx, object: str, row: Any) -> pb.CardFacts:
    """The facts of a row as far as the caller may see them."""
    found = pb.CardFacts.FromString(row["facts"])
    setattr(found, f"{object}_id", str(row["id"]))
    hidden, readable = tx.rights.hidden(object), tx.rights.readable
    allowed = None if readable is None else readable.get(object, frozenset())

    def is_hidden(path: str) -> bool:
        if any(path == h or path.startswith(f"{h}.") for h in hidden):
            return True
        return allowed is not None and not any(
            path == a or path.startswith(f"{a}.") for a in allowed
        )

    rules.without_hidden(found, is_hidden)
    return found


# -- parts ---------------------------------------------------------------------------------------------


def _moves(tx: Tx) -> bool:
    return tx.event is not None and tx.event.type in rules.STAGE_MOVES


def _ids_of(event: Message, option: Any) -> Concerned:
    """Whom the event's contract names."""
    found: Concerned = {}
    for object, paths in (("contact", option.contact_ids), ("company", option.company_ids)):
        for path in paths:
            value: Any = contracts.at_path(event, path)
            ids = [value] if isinstance(value, str) else list(value or ())
            found.setdefault(object, set()).update(id for id in ids if id)
    return {object: ids for object, ids in found.items() if ids}


async def _of_request(tx: Tx, request: request_pb2.Request, change: Any) -> Concerned:
    """Whose the request is, and whose it was before this change."""
    found = {"contact": {request.contact_id}, "company": {request.company_id}}
    if {"contact_id", "company_id"} & set(change.changed_fields) and change.version > 1:
        before = await store.card_facts.parties_before(tx, request.id, change.version - 1)
        for object, id in before.items():
            found[object].add(id)
    return {object: ids - {""} for object, ids in found.items() if ids - {""}}


async def _after_merge(tx: Tx, event: Any) -> None:
    """One who went into another takes his touches there; who comes back gets from the tables what is his."""
    object = "contact" if hasattr(event, "contact_id") else "company"
    others = event.merged_ids if hasattr(event, "merged_ids") else event.restored_ids
    ids = {getattr(event, f"{object}_id"), *others}
    await recompute(tx, object, ids, keep=hasattr(event, "merged_ids"))


async def _living(tx: Tx, object: str, ids: Collection[str]) -> list[str]:
    """Under which ids these live now."""
    survivors = await store.merges.survivors(tx, object, ids)
    return sorted({survivors.get(id, id) for id in ids})


async def _families(tx: Tx, object: str, ids: Collection[str]) -> dict[str, list[str]]:
    """Each id -> all who are one with it, itself first."""
    into = await store.merges.family(tx, object, ids)
    families: dict[str, list[str]] = {id: [id] for id in sorted(ids)}
    for member in into:
        above = member
        while above := into.get(above, ""):
            if above in families:
                families[above].append(member)
    return families


def _copy(facts: pb.CardFacts) -> pb.CardFacts:
    new = pb.CardFacts()
    new.CopyFrom(facts)
    return new


def _count(facts: pb.CardFacts, row: Any) -> None:
    facts.open_requests = row["open"] if row else 0
    facts.last_request_id = str(row["last_id"]) if row else ""
    facts.ClearField("last_request_time")
    if row:
        facts.last_request_time.CopyFrom(to_timestamp(row["last_time"]))


def _contact_of(row: Any, *, way: str = "") -> pb.LastContact:
    return pb.LastContact(
        time=to_timestamp(row["time"]), user_id=str(row["user_id"] or ""), event_id=str(row["event_id"]),
        way=way or rules.TOUCHES[row["type"]].way,
    )  # fmt: skip


async def _write(tx: Tx, object: str, id: str, old: pb.CardFacts, new: pb.CardFacts) -> bool:
    if new == old:
        return False
    currency = tx.directory.tenant().get("currency") or ""
    await store.card_facts.write(tx, object, id, new, currency)
    return True


async def _move_stage(tx: Tx, object: str, id: str, moment: Any) -> None:
    """A fact moves the stage unless somebody set it after the fact: by hand wins until a later fact."""
    assert tx.event is not None
    record = await store.PARTIES[object].find(tx, id)
    if record is None:
        return
    stage = rules.stage_after(record.lifecycle_stage, tx.event.type)
    if stage == record.lifecycle_stage:
        return
    set_at = await store.card_facts.stage_set_at(tx, object, id)
    if set_at is not None and set_at > moment:
        return
    record.lifecycle_stage = stage
    store.PARTIES[object].save(tx, record)
