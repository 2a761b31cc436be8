"""Handovers: proposed with rules, previewed by every service, confirmed, retried, reverted."""

from chassis.errors import PermissionDenied, Violation
from chassis.handlers import Servicer, writes
from chassis.kit.handover_rules import recipients
from chassis.kit.standard import standard
from chassis.stand_in import stand_in
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import absence_pb2, department_pb2, user_pb2
from crm.identity.v1 import handover_pb2 as pb
from services.identity import (
    absence_rules,
    auditing,
    errors,
    handover_own,
    handovers,
    store,
)
from services.identity import handover_rules as rules
from services.identity import rules as user_rules
from services.identity.rpc.users import deactivate, reactivate

Handover = pb.Handover
_ACTIVE = user_pb2.USER_STATE_ACTIVE


async def check_handover(tx: Tx, new: Handover, old: Handover | None) -> None:
    """A new handover, or one whose rules changed, is previewed by every service."""
    await store.lock_people(tx)
    new.id = new.id or tx.new_id()
    if await store.users.find(tx, new.owner_id) is None:
        raise errors.ReferenceUnknown({"owner_id": new.owner_id})
    await _check_time(tx, new)
    rules.handover(new, old)
    await _check_recipients(tx, new)
    others = [one.id for one in await store.handovers_under_way(tx, new.owner_id)]
    if crossed := [id for id in others if id != new.id]:
        raise errors.HandoverUnderWay(crossed[0])
    await handovers.propose(tx, new)


async def _check_time(tx: Tx, new: Handover) -> None:
    """The absence is the person's own and not over; without rules, whoever stands in then gets everything."""
    if new.HasField("until_time") and to_datetime(new.until_time) <= tx.now:
        raise errors.ValueInvalid([Violation("until_time", "is over")])
    start = tx.now
    if new.absence_id:
        absence = await store.absences.find(tx, new.absence_id)
        if absence is None or absence.owner_id != new.owner_id:
            raise errors.ReferenceUnknown({"absence_id": new.absence_id})
        absence_rules.require_state(
            absence, absence_pb2.Absence.STATE_PLANNED, absence_pb2.Absence.STATE_STARTED
        )
        start = max(start, to_datetime(absence.start_time))
    if new.kind == Handover.KIND_TEMPORARY and not new.rules and new.owner_id:
        here = None if new.absence_id else {"delegate_id": ""}
        if id := stand_in(tx.directory, new.owner_id, start, absence=here):
            new.rules.add(user_ids=[id])


async def _check_recipients(tx: Tx, one: Handover) -> None:
    """RecipientNotActive for everybody named who does not work here, and for a department where nobody does."""
    named = {
        f"rules[{i}].user_ids[{n}]": id
        for i, rule in enumerate(one.rules)
        for n, id in enumerate(rule.user_ids)
    }
    named |= {
        f"heads[{i}].head_id": head.head_id for i, head in enumerate(one.heads) if head.head_id
    }
    if one.program_owner_id:
        named["program_owner_id"] = one.program_owner_id
    found = await store.users.find_many(tx, sorted(set(named.values())))
    active = {user.id for user in found if user.state == _ACTIVE}
    wrong = {field: id for field, id in named.items() if id not in active}
    for i, rule in enumerate(one.rules):
        if rule.department_id and not recipients(rule, tx.directory, one.owner_id):
            wrong[f"rules[{i}].department_id"] = f"nobody in {rule.department_id}"
    if wrong:
        raise errors.RecipientNotActive(wrong)


async def _new_heads(tx: Tx, one: Handover) -> dict[str, str]:
    """DepartmentWithoutHead unless every department that the leaver heads has an active new head."""
    led: list[department_pb2.Department] = await store.led_departments(tx, one.owner_id)
    headed = [d for d in led if d.head_id == one.owner_id]
    heads = rules.new_heads(one, [(d.id, d.name, d.deputy_id) for d in headed])
    found = await store.users.find_many(tx, sorted(set(heads.values())))
    active = {user.id for user in found if user.state == _ACTIVE}
    if wrong := {d.id: d.name for d in headed if heads[d.id] not in active}:
        raise errors.DepartmentWithoutHead(wrong)
    return heads


async def drop(tx: Tx, one: Handover) -> None:
    """Only what was never carried out can be dropped."""
    await store.lock_people(tx)
    rules.require_state(
        one, Handover.STATE_PROPOSED, Handover.STATE_PREVIEWED, Handover.STATE_SCHEDULED
    )
    await handovers.drop(tx, one)


async def _leave(tx: Tx, one: Handover) -> None:
    """identity's part of a leaver's handover: departments, tokens, who stands in; then he is signed out everywhere."""
    if not tx.rights.may("user", "deactivate"):
        raise PermissionDenied(
            "handing over for good deactivates the user; you need the right user.deactivate"
        )
    if one.owner_id == tx.actor.user_id:
        raise errors.NotYourself("can hand himself over for good; ask another administrator")
    await _check_program_owner(tx, one)
    await handover_own.hand_over(tx, one, await _new_heads(tx, one))
    await tx.flush()
    user = await store.users.find(tx, one.owner_id)
    if user is not None and user.state != user_pb2.USER_STATE_DEACTIVATED:
        await deactivate(tx, user)
        one.deactivated = True
    one.revert_until_time.CopyFrom(to_timestamp(tx.now + rules.REVERT_FOR))


async def _check_program_owner(tx: Tx, one: Handover) -> None:
    """Keeps I3: a token may do what its owner may, so whoever gives it to somebody has his rights."""
    owner = await store.users.find(tx, one.program_owner_id) if one.program_owner_id else None
    for role in await store.roles.find_many(tx, list(owner.role_ids) if owner else []):
        if missing := user_rules.not_held(tx.rights.scope, user_rules.grant_rows(role.grants)):
            raise errors.GrantNotHeld(missing, "program_owner_id")


class Handovers(standard(store.handovers, on_save=check_handover, on_delete=drop), Servicer):  # type: ignore[misc]
    """`/v1/handovers`."""

    service = "crm.identity.v1.HandoversService"

    @writes
    async def PreviewHandover(self, request: pb.PreviewHandoverRequest, tx: Tx) -> Handover:
        await store.lock_people(tx)
        one = await store.handovers.get(tx, request.id, etag=request.etag)
        rules.require_state(one, Handover.STATE_PROPOSED, Handover.STATE_PREVIEWED)
        await _check_recipients(tx, one)
        await handovers.propose(tx, one)
        store.handovers.save(tx, one)
        return one

    @writes
    async def ConfirmHandover(self, request: pb.ConfirmHandoverRequest, tx: Tx) -> Handover:
        await store.lock_people(tx)
        one = await store.handovers.get(tx, request.id, etag=request.etag)
        rules.confirmable(one, at=tx.now, allow_missing=request.allow_missing)
        await _check_time(tx, one)
        await _check_recipients(tx, one)
        if one.kind == Handover.KIND_LEAVER:
            await _leave(tx, one)
        one.confirm_time.CopyFrom(to_timestamp(tx.now))
        one.confirmer_id = tx.actor.user_id
        await auditing.note(tx, "handover_confirmed", object="user", object_id=one.owner_id)
        absence = await store.absences.find(tx, one.absence_id) if one.absence_id else None
        if absence is not None and absence.state == absence_pb2.Absence.STATE_PLANNED:
            one.state = Handover.STATE_SCHEDULED
        else:
            await handovers.start(tx, one)
        store.handovers.save(tx, one)
        return one

    @writes
    async def RetryHandover(self, request: pb.RetryHandoverRequest, tx: Tx) -> Handover:
        one = await store.handovers.get(tx, request.id, etag=request.etag)
        rules.require_state(
            one, Handover.STATE_FAILED, Handover.STATE_MOVING, Handover.STATE_RETURNING
        )
        await handovers.retry(tx, one)
        store.handovers.save(tx, one)
        return one

    @writes
    async def RevertHandover(self, request: pb.RevertHandoverRequest, tx: Tx) -> Handover:
        await store.lock_people(tx)
        one = await store.handovers.get(tx, request.id, etag=request.etag)
        rules.revertible(one, at=tx.now)
        user = await store.users.find(tx, one.owner_id)
        if one.deactivated and user is not None and user.state == user_pb2.USER_STATE_DEACTIVATED:
            await reactivate(tx, user)
            await tx.flush()
        await handovers.give_back(tx, one)
        await auditing.note(tx, "handover_reverted", object="user", object_id=one.owner_id)
        store.handovers.save(tx, one)
        return one
