"""What a handover may say, and how far it is after each answer; pure, on resource messages."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from chassis.errors import Violation
from chassis.kit.handover_rules import catches_all
from chassis.times import to_datetime, to_timestamp
from crm.common.v1 import handover_pb2 as common
from crm.identity.v1 import handover_pb2 as pb
from services.identity import errors

Handover = pb.Handover
Part = common.HandoverPart

OWN = "identity"
"""identity's own part is done at once, in the transaction of the verb."""
REVERT_FOR = timedelta(days=30)
PREVIEW_HOURS = 24
"""A preview that is older says too little about what would happen now."""

STATE_NAMES: dict[int, str] = {
    Handover.STATE_PROPOSED: "proposed and not yet previewed",
    Handover.STATE_PREVIEWED: "previewed",
    Handover.STATE_SCHEDULED: "waiting for the absence",
    Handover.STATE_MOVING: "under way",
    Handover.STATE_DONE: "done",
    Handover.STATE_FAILED: "failed",
    Handover.STATE_RETURNING: "being given back",
    Handover.STATE_RETURNED: "given back",
}
_ANSWERS: dict[int, tuple[int, ...]] = {
    Handover.STATE_PROPOSED: (Part.STATE_PREVIEWED, Part.STATE_FAILED),
    Handover.STATE_PREVIEWED: (Part.STATE_PREVIEWED, Part.STATE_FAILED),
    Handover.STATE_MOVING: (Part.STATE_DONE, Part.STATE_FAILED),
    Handover.STATE_FAILED: (Part.STATE_DONE, Part.STATE_FAILED),
    Handover.STATE_RETURNING: (Part.STATE_RETURNED, Part.STATE_FAILED),
}
"""Which answers count in which state; others come from an earlier stage."""


def handover(new: Handover, old: Handover | None) -> None:
    """Refuses meanings that no state could accept, all of them at once, and changes of what is fixed."""
    if old is not None:
        require_state(old, Handover.STATE_PROPOSED, Handover.STATE_PREVIEWED)
        fixed = ("owner_id", "kind", "absence_id")
        if changed := [f for f in fixed if getattr(new, f) != getattr(old, f)]:
            raise errors.FieldFixed(changed)
    violations = [*_kind(new), *_rules(new), *_heads(new)]
    if violations:
        raise errors.ValueInvalid(violations)


def _kind(new: Handover) -> Iterable[Violation]:
    timed = (bool(new.absence_id), new.HasField("until_time"))
    if new.kind == Handover.KIND_LEAVER:
        if any(timed):
            yield Violation("kind", "is LEAVER, so absence_id and until_time must be empty")
    else:
        if sum(timed) != 1:
            yield Violation("absence_id", "or until_time is required, one of them")
        if new.heads or new.program_owner_id:
            yield Violation("heads", "and program_owner_id are for leavers: who is away stays head")
    if new.program_owner_id and new.program_owner_id == new.owner_id:
        yield Violation("program_owner_id", "must be somebody else")


def _rules(new: Handover) -> Iterable[Violation]:
    for index, rule in enumerate(new.rules):
        field = f"rules[{index}]"
        if bool(rule.user_ids) == bool(rule.department_id):
            yield Violation(f"{field}.user_ids", "or department_id is required, one of them")
        if new.owner_id in rule.user_ids:
            yield Violation(f"{field}.user_ids", "names the person whose records are handed over")
        if any(not (r.country or r.region or r.city) for r in rule.regions):
            yield Violation(f"{field}.regions", "has a region that says nothing")
    if not new.rules or not catches_all(new.rules[-1]):
        yield Violation(
            "rules", "must end with a rule without conditions, so that nothing is left over"
        )


def _heads(new: Handover) -> Iterable[Violation]:
    seen: set[str] = set()
    for index, head in enumerate(new.heads):
        if bool(head.head_id) == head.deputy_takes_over:
            yield Violation(
                f"heads[{index}].head_id", "or deputy_takes_over is required, one of them"
            )
        if head.head_id == new.owner_id:
            yield Violation(f"heads[{index}].head_id", "must be somebody else")
        if head.department_id in seen:
            yield Violation(f"heads[{index}].department_id", "is there twice")
        seen.add(head.department_id)


def require_state(current: Handover, *allowed: "Handover.State") -> None:
    """Raises HandoverStateWrong unless the handover is in one of the states."""
    if current.state not in allowed:
        wanted = " or ".join(STATE_NAMES[state] for state in allowed)
        raise errors.HandoverStateWrong(STATE_NAMES[current.state], wanted)


# --- asking and hearing ---------------------------------------------------------------------------------------------------


def ask(
    one: Handover, state: "Handover.State", waiting: "Part.State", *, besides: Collection[int] = ()
) -> None:
    """The handover enters a state in which every service is to answer; those in a state of `besides` have."""
    one.state = state
    for part in one.parts:
        if part.state not in besides:
            part.state, part.error, part.missing = waiting, "", False


def hear(one: Handover, service: str, answer: Part, *, at: datetime) -> bool:
    """Takes a service's answer in and moves the handover on; False if the answer is not for what was asked last."""
    part = next((p for p in one.parts if p.service == service), None)
    if part is None or answer.round != one.round or answer.state not in _ANSWERS.get(one.state, ()):
        return False
    kept = list(part.counts) if answer.state == Part.STATE_FAILED else []
    part.CopyFrom(answer)
    part.counts.extend(kept)
    part.service = service
    settle(one, at=at)
    return True


def settle(one: Handover, *, at: datetime) -> None:
    """The state that follows from the parts."""
    states = {part.state for part in one.parts}
    if one.state == Handover.STATE_PROPOSED and states == {Part.STATE_PREVIEWED}:
        one.state = Handover.STATE_PREVIEWED
    elif one.state in (Handover.STATE_MOVING, Handover.STATE_FAILED):
        if states == {Part.STATE_DONE}:
            one.state = Handover.STATE_DONE
            one.done_time.CopyFrom(to_timestamp(at))
        elif Part.STATE_FAILED in states and Part.STATE_MOVING not in states:
            one.state = Handover.STATE_FAILED
        else:
            one.state = Handover.STATE_MOVING
    elif one.state == Handover.STATE_RETURNING and states == {Part.STATE_RETURNED}:
        one.state = Handover.STATE_RETURNED


def is_late(one: Handover) -> bool:
    """Marks the parts that have not answered in time; True if there are any that were not marked."""
    late = False
    for part in one.parts:
        waits = part.state in (Part.STATE_WAITING, Part.STATE_MOVING, Part.STATE_RETURNING)
        late = late or (waits and not part.missing)
        part.missing = waits
    return late


# --- before it is confirmed, and before it is reverted --------------------------------------------------------------------


def confirmable(one: Handover, *, at: datetime, allow_missing: bool) -> None:
    """Refuses what was not previewed, or too long ago."""
    require_state(one, Handover.STATE_PREVIEWED, Handover.STATE_PROPOSED)
    silent = [part.service for part in one.parts if part.state != Part.STATE_PREVIEWED]
    if silent and not allow_missing:
        raise errors.HandoverNotPreviewed(silent)
    age = (at - to_datetime(one.preview_time)) / timedelta(hours=1)
    if age > PREVIEW_HOURS:
        raise errors.HandoverPreviewOld(age, PREVIEW_HOURS)


def revertible(one: Handover, *, at: datetime) -> None:
    """Refuses what has not been moved, and what was moved too long ago."""
    require_state(one, Handover.STATE_DONE, Handover.STATE_FAILED, Handover.STATE_MOVING)
    if one.HasField("revert_until_time") and at > to_datetime(one.revert_until_time):
        raise errors.HandoverRevertLate(f"{to_datetime(one.revert_until_time):%Y-%m-%d %H:%M}")


def new_heads(one: Handover, led: Collection[tuple[str, str, str]]) -> dict[str, str]:
    """Department -> new head, for every department that the leaver heads; `led` is (id, name, deputy) of each."""
    said = {head.department_id: head for head in one.heads}
    found, missing = {}, {}
    for id, name, deputy_id in led:
        head = said.get(id)
        new = "" if head is None else deputy_id if head.deputy_takes_over else head.head_id
        if new and new != one.owner_id:
            found[id] = new
        else:
            missing[id] = name
    if missing:
        raise errors.DepartmentWithoutHead(missing)
    return found


def needless(one: Handover) -> bool:
    """True if nobody asked for it, and every service has found that there is nothing to hand over."""
    unasked = one.after_deactivation and one.state == Handover.STATE_PREVIEWED
    return unasked and not any(part.counts for part in one.parts)


def owned(one: Handover) -> dict[str, int]:
    """What a preview found, by kind of record."""
    counts: dict[str, int] = {}
    for part in one.parts:
        if part.service == OWN or part.state != Part.STATE_PREVIEWED:
            continue
        for count in part.counts:
            if count.field != "follower_ids":
                counts[count.object] = counts.get(count.object, 0) + count.count
    return counts
