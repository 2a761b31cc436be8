"""identity's own part of a leaver's handover: departments that he leads, API tokens, and people for whom he stands in.

Few records, so it is done in the transaction of the verb. What was changed lies in the kit's table of moves, from which it is
given back where nobody has changed it since.
"""

from collections.abc import Iterable
from typing import Any

from chassis.kit import handover_moves
from chassis.kit.handover_moves import DONE, KEPT, RETURNED, Move
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.common.v1 import handover_pb2 as common
from crm.identity.v1 import handover_pb2 as pb
from services.identity import absence_rules, auditing, saving, store

Handover = pb.Handover
Kept = common.HandoverKept


async def counts(tx: Tx, one: Handover) -> list[common.HandoverCount]:
    """What confirming would change here; nothing for an absence."""
    if one.kind != Handover.KIND_LEAVER:
        return []
    found: dict[tuple[str, str], common.HandoverCount] = {}
    for move, _ in await _moves(tx, one, await _likely_heads(tx, one)):
        key = move.object, move.field
        count = found.setdefault(key, common.HandoverCount(object=key[0], field=key[1]))
        count.count += 1
        if len(count.sample_ids) < 5:
            count.sample_ids.append(move.record_id)
        if move.to_user_id:
            share = next((s for s in count.shares if s.user_id == move.to_user_id), None)
            (share or count.shares.add(user_id=move.to_user_id)).count += 1
    return list(found.values())


async def hand_over(tx: Tx, one: Handover, heads: dict[str, str]) -> None:
    """Changes everything here that names the leaver; `heads` is the new head of each department that he heads."""
    moves = await _moves(tx, one, heads)
    for object in ("department", "absence", "user", "api_token"):
        for id in dict.fromkeys(move.record_id for move, _ in moves if move.object == object):
            mine = [move for move, _ in moves if (move.object, move.record_id) == (object, id)]
            await tx.flush()  # a user's record may just have been told of an absence
            record: Any = await _RESOURCES[object].find(tx, id)
            old = type(record)()
            old.CopyFrom(record)
            for move in mine:
                setattr(record, move.field, move.to_user_id)
            if object != "api_token" or mine[0].to_user_id:  # revoked with the deactivation
                await _save(tx, object, record, old)
    await handover_moves.keep(tx, one.id, [move for move, _ in moves], DONE)


async def give_back(tx: Tx, one: Handover) -> list[common.HandoverKept]:
    """Undoes what still stands; tells what does not."""
    kept, ends = [], []
    for object in ("department", "absence", "user", "api_token"):
        moves = await handover_moves.standing(tx, one.id, object)
        for id in dict.fromkeys(move.record_id for move in moves):
            mine = [move for move in moves if move.record_id == id]
            await tx.flush()
            record: Any = await _RESOURCES[object].find(tx, id)
            old = type(record)() if record is not None else None
            if old is not None:
                old.CopyFrom(record)
            for move in mine:
                reason = _why_not(move, record)
                if reason:
                    kept.append(Kept(object=object, id=id, field=move.field, reason=reason))
                else:
                    setattr(record, move.field, move.from_user_id)
                ends.append((move, KEPT if reason else RETURNED, int(reason)))
            if record is not None and record != old:
                await _save(tx, object, record, old)
    await handover_moves.settle(tx, one.id, ends)
    return kept


def _why_not(move: Move, record: Any) -> Any:
    if move.object == "api_token" and not move.to_user_id:
        return Kept.REASON_ENDED
    if record is None:
        return Kept.REASON_DELETED
    over = move.object == "absence" and record.state == absence_rules.Absence.STATE_ENDED
    if over:
        return Kept.REASON_FINISHED
    return 0 if getattr(record, move.field) == move.to_user_id else Kept.REASON_MOVED_ON


# --- what names the leaver --------------------------------------------------------------------------------------------------


async def _likely_heads(tx: Tx, one: Handover) -> dict[str, str]:
    """The new heads as far as they are named; confirming refuses where one is missing."""
    deputies = {d.id: d.deputy_id for d in await store.led_departments(tx, one.owner_id)}
    return {
        head.department_id: deputies.get(head.department_id, "")
        if head.deputy_takes_over
        else head.head_id
        for head in one.heads
    }


async def _moves(tx: Tx, one: Handover, heads: dict[str, str]) -> list[tuple[Move, Any]]:
    leaver, found = one.owner_id, list[tuple[Move, Any]]()
    for department in await store.led_departments(tx, leaver):
        if department.head_id == leaver:
            new = heads.get(department.id, "")
            found.append((Move("department", department.id, "head_id", leaver, new), department))
            if new and department.deputy_id == new:
                found.append((Move("department", department.id, "deputy_id", new), department))
        if department.deputy_id == leaver:
            found.append((Move("department", department.id, "deputy_id", leaver), department))
    for absence in await store.delegations_to(tx, leaver):
        to = _stands_in_now(one, absence.owner_id)
        found.append((Move("absence", absence.id, "delegate_id", leaver, to), absence))
    delegating = [
        id for id, user in tx.directory.users().items() if user.get("delegate_id") == leaver
    ]
    for user in await store.users.find_many(tx, sorted(delegating)):
        if user.delegate_id == leaver:
            to = _stands_in_now(one, user.id)
            found.append((Move("user", user.id, "delegate_id", leaver, to), user))
    for token in await store.tokens_of(tx, leaver):
        found.append((Move("api_token", token.id, "owner_id", leaver, one.program_owner_id), token))
    return found


def _stands_in_now(one: Handover, absent_id: str) -> str:
    """The one person who gets everything else; nobody where there are several: then who leads stands in."""
    last: Iterable[str] = one.rules[-1].user_ids if one.rules else ()
    people = [id for id in last if id != absent_id]
    return people[0] if len(people) == 1 else ""


_RESOURCES: dict[str, Resource[Any]] = {
    "department": store.departments,
    "absence": store.absences,
    "user": store.users,
    "api_token": store.api_tokens,
}


async def _save(tx: Tx, object: str, record: Any, old: Any) -> None:
    await (
        tx.flush()
    )  # a user may be told of several absences: each is read as the one before left it
    if object == "department":
        store.departments.save(tx, record)
        saving.put_department(tx, record)
        await auditing.department_saved(tx, record, old)
    elif object == "absence":
        absence_rules.readers(record)
        store.absences.save(tx, record)
        await tx.flush()
        await saving.tell_absences(tx, record)
    elif object == "user":
        saving.save_user(tx, record)
    else:
        store.api_tokens.save(tx, record)
        await saving.put_token(tx, record)
        await auditing.token_saved(tx, record, old)
