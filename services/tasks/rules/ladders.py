"""Ladders: what one must be, which one a task gets, and whom a step tells.

Whom a step tells is decided at the moment when it tells, over the directory (chassis.stand_in): whoever is away is stood in
for. Nobody is told about his own delay in another's place: if the head's stand-in is the assignee, the next head is told.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Violation
from chassis.hours.resolving import path_up
from chassis.stand_in import absence_at, is_away, stand_in
from chassis.tenant_view import TenantView
from crm.tasks.v1 import ladder_pb2, task_pb2
from services.tasks import errors

Ladder = ladder_pb2.Ladder
LadderStep = ladder_pb2.LadderStep
Told = ladder_pb2.Told

MOST_STEPS = 20
MOST_TOLD = 100
"""Of a queue with more people so many are told."""
_WAYS = (LadderStep.WAY_FEED, LadderStep.WAY_PUSH)


# -- what a ladder must be -------------------------------------------------------------------------------------------------


def normalise(ladder: Ladder) -> None:
    """One spelling of the name, each condition once, and of each step its kind and ways where it does not say them."""
    ladder.name = " ".join(ladder.name.split())
    for name in ("form_ids", "source_ids", "department_ids", "type_ids"):
        ids = getattr(ladder, name)
        ids[:] = list(dict.fromkeys(ids))
    for step in ladder.steps:
        own = step.whom == LadderStep.WHOM_OWNER
        step.kind = step.kind or (LadderStep.KIND_REMINDER if own else LadderStep.KIND_ESCALATION)
        step.ways[:] = list(dict.fromkeys(step.ways or _WAYS))


def check(ladder: Ladder, known_users: Collection[str]) -> None:
    """LadderInvalid with everything that no ladder can be; `known_users` are those whom steps may name."""
    wrong = [] if ladder.name else [Violation("name", "must say something besides blanks")]
    if not 1 <= len(ladder.steps) <= MOST_STEPS:
        said = f"has {len(ladder.steps)} steps; give 1 to {MOST_STEPS}"
        wrong.append(Violation("steps", said))
    before = 0
    for at, step in enumerate(ladder.steps):
        wrong += [
            Violation(f"steps[{at}].{fault.field}", fault.description)
            for fault in _faults(step, before, known_users)
        ]
        before = max(before, step.after_minutes)
    if wrong:
        raise errors.LadderInvalid(wrong)


def _faults(step: LadderStep, before: int, known_users: Collection[str]) -> Iterator[Violation]:
    if step.after_minutes < before:
        said = f"is {step.after_minutes}, and a step above comes after {before}; put the steps in order"
        yield Violation("after_minutes", said)
    if step.whom == LadderStep.WHOM_UNSPECIFIED:
        yield Violation("whom", "is required: say who is told")
    if LadderStep.WAY_UNSPECIFIED in step.ways:
        yield Violation("ways", "names no way; choose WAY_FEED, WAY_PUSH, WAY_MAIL or WAY_SMS")
    if step.whom == LadderStep.WHOM_USER:
        if not step.user_id:
            yield Violation("user_id", "is required, because whom is WHOM_USER")
        elif step.user_id not in known_users:
            yield Violation("user_id", f"there is no active user {step.user_id}")
    elif step.user_id:
        yield Violation("user_id", "is for whom WHOM_USER only; leave it empty")


def first_ladder() -> Ladder:
    """The ladder with which a company begins (S52, S53): reminders, then the head, then his deputy."""
    steps = [
        (10, LadderStep.WHOM_OWNER),
        (15, LadderStep.WHOM_OWNER),
        (20, LadderStep.WHOM_HEAD),
        (30, LadderStep.WHOM_HEADS_DEPUTY),
    ]
    ladder = Ladder(
        name="Reaction to a request",
        clock=Ladder.CLOCK_REACTION,
        steps=[LadderStep(after_minutes=minutes, whom=whom) for minutes, whom in steps],
    )
    normalise(ladder)
    return ladder


# -- which ladder a task gets ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matter:
    """What the conditions of ladders ask about a task."""

    clock: "Ladder.Clock"
    type_id: str = ""
    departments: Sequence[str] = ()
    """The department that has to act, and those above it."""
    form_id: str = ""
    source_id: str = ""


def chosen(ladders: Iterable[Ladder], matter: Matter) -> Ladder | None:
    """The most specific ladder whose conditions all hold; None if no ladder is for such a task.

    One that names the form goes before one that names the source, then the type, the department, the clock; of several
    alike the newest.
    """
    fitting = [each for each in ladders if not each.retired and _holds(each, matter)]
    return max(fitting, key=_specific, default=None)


def _holds(ladder: Ladder, matter: Matter) -> bool:
    return (
        ladder.clock in (Ladder.CLOCK_UNSPECIFIED, matter.clock)
        and (not ladder.form_ids or matter.form_id in ladder.form_ids)
        and (not ladder.source_ids or matter.source_id in ladder.source_ids)
        and (not ladder.type_ids or matter.type_id in ladder.type_ids)
        and (
            not ladder.department_ids or bool(set(ladder.department_ids) & set(matter.departments))
        )
    )


def _specific(ladder: Ladder) -> tuple[bool, bool, bool, bool, bool, str]:
    conditions = (ladder.form_ids, ladder.source_ids, ladder.type_ids, ladder.department_ids)
    form, source, type, department = (bool(each) for each in conditions)
    return form, source, type, department, bool(ladder.clock), ladder.id


# -- whom a step tells -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Duty:
    """Who has to do a task."""

    owner_id: str = ""
    department_id: str = ""
    candidate_ids: tuple[str, ...] = ()


def duty_of(task: task_pb2.Task) -> Duty:
    """Who has to do the task now."""
    return Duty(task.owner_id, task.department_id, tuple(task.candidate_ids))


def home_of(people: TenantView, duty: Duty) -> str:
    """The department that has to act: the assignee's, else the queue's."""
    owner = people.user(duty.owner_id) or {} if duty.owner_id else {}
    return owner.get("department_id") or duty.department_id


def told(people: TenantView, duty: Duty, step: LadderStep, moment: datetime) -> list[Told]:
    """Whom the step tells at this moment, and why; administrators where nobody nearer is there.

    Empty only for a company without an active administrator.
    """
    found: Sequence[Told | None] = ()
    if step.whom == LadderStep.WHOM_OWNER:
        found = _owner(people, duty, moment)
    elif step.whom == LadderStep.WHOM_HEAD:
        found = [_head(people, duty, moment, 0)]
    elif step.whom == LadderStep.WHOM_HEADS_DEPUTY:
        found = [_deputy(people, duty, moment) or _head(people, duty, moment, 1)]
    elif step.whom == LadderStep.WHOM_NEXT_HEAD:
        found = [_head(people, duty, moment, 1)]
    elif step.whom == LadderStep.WHOM_USER:
        found = [_acting(people, step.user_id, moment, Told.BECAUSE_NAMED)]
    return [each for each in found if each is not None] or _administrators(people, moment)


def _owner(people: TenantView, duty: Duty, moment: datetime) -> Sequence[Told | None]:
    if duty.owner_id:
        return [_acting(people, duty.owner_id, moment, Told.BECAUSE_OWNER)]
    queue = people.members(duty.department_id) if duty.department_id else ()
    ids = duty.candidate_ids or sorted(queue)
    there = [id for id in ids if _is_there(people, id, moment)][:MOST_TOLD]
    if not there:
        return [_head(people, duty, moment, 0)]
    return [Told(user_id=id, because=Told.BECAUSE_QUEUE) for id in there]


def _head(people: TenantView, duty: Duty, moment: datetime, level: int) -> Told | None:
    """The head `level` heads above the nearest, or who stands in for him; the next one where that is the assignee himself."""
    for number, (_, head) in enumerate(_heads(people, duty)):
        if number < level:
            continue
        nearest = number == 0 and not _heads_his_own(people, duty)
        because = Told.BECAUSE_HEAD if nearest else Told.BECAUSE_NEXT_HEAD
        acting = _acting(people, head, moment, because)
        if acting is not None and acting.user_id != duty.owner_id:
            return acting
    return None


def _deputy(people: TenantView, duty: Duty, moment: datetime) -> Told | None:
    for department_id, _ in _heads(people, duty)[:1]:
        deputy = (people.department(department_id) or {}).get("deputy_id") or ""
        acting = _acting(people, deputy, moment, Told.BECAUSE_DEPUTY) if deputy else None
        if acting is not None and acting.user_id != duty.owner_id:
            return acting
    return None


def _heads(people: TenantView, duty: Duty) -> list[tuple[str, str]]:
    """(department, head) from the nearest up, each head once and never the assignee."""
    found: dict[str, str] = {}
    for id in path_up(people, home_of(people, duty)):
        head = (people.department(id) or {}).get("head_id") or ""
        if head and head != duty.owner_id:
            found.setdefault(head, id)
    return [(id, head) for head, id in found.items()]


def _heads_his_own(people: TenantView, duty: Duty) -> bool:
    """True if the assignee is the nearest head himself."""
    return bool(duty.owner_id) and people.head_of(home_of(people, duty)) == duty.owner_id


def _administrators(people: TenantView, moment: datetime) -> list[Told]:
    """Those who are there; all, if none is: somebody must see it when he returns."""
    roles = {
        id for id, role in people.entries("role").items() if role.get("built_in") == "administrator"
    }
    active = [
        id
        for id, user in sorted(people.users().items())
        if user.get("state") == "active" and not roles.isdisjoint(user.get("role_ids") or ())
    ]
    there = [id for id in active if _is_there(people, id, moment)] or active
    return [Told(user_id=id, because=Told.BECAUSE_ADMINISTRATOR) for id in there[:MOST_TOLD]]


def _is_there(people: TenantView, user_id: str, moment: datetime) -> bool:
    user = people.user(user_id) or {}
    return user.get("state") == "active" and not is_away(user, moment)


def _acting(
    people: TenantView, asked: str, moment: datetime, because: "Told.Because"
) -> Told | None:
    """Who acts for the asked at this moment, and why he; None if nobody does."""
    if _is_there(people, asked, moment):
        return Told(user_id=asked, because=because)
    acting = stand_in(people, asked, moment)
    if not acting:
        return None
    return Told(user_id=acting, because=_why(people, asked, acting, moment), instead_of_id=asked)


def _why(people: TenantView, asked: str, acting: str, moment: datetime) -> "Told.Because":
    """By which part of the rule of stand-ins somebody acts for the asked."""
    if acting in _delegates(people, asked, moment):
        return Told.BECAUSE_DELEGATE
    home = (people.user(asked) or {}).get("department_id") or ""
    own = people.department(home) or {}
    if acting == own.get("deputy_id"):
        return Told.BECAUSE_DEPUTY
    if acting == own.get("head_id"):
        return Told.BECAUSE_HEAD
    heads = {(people.department(id) or {}).get("head_id") for id in path_up(people, home)}
    return Told.BECAUSE_NEXT_HEAD if acting in heads else Told.BECAUSE_ADMINISTRATOR


def _delegates(people: TenantView, user_id: str, moment: datetime) -> set[str]:
    seen: set[str] = set()
    while user_id and user_id not in seen:
        seen.add(user_id)
        user = people.user(user_id) or {}
        away = absence_at(user, moment) or {}
        user_id = away.get("delegate_id") or user.get("delegate_id") or ""
    return seen
