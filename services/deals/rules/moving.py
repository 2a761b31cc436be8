"""Moving a deal: which ways there are, and what must be filled (S32-S35). Pure."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_change_pb2, deal_pb2, pipeline_pb2
from crm.deals.v1 import events_pb2 as events
from services.deals import errors
from services.deals.rules import pipelines

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline
Stage = pipeline_pb2.Stage

Filled = Callable[[str], bool]
"""Whether a field is filled, by its path, e.g. deal.amount or contact.phones."""


@dataclass(frozen=True, slots=True)
class Way:
    """From the stage in which a deal stands to another one."""

    here: Stage
    there: Stage
    pipeline: Pipeline
    """That of the stage to which it goes."""
    passed: list[Stage]
    forward: bool


def require_open(deal: Deal, verb: str) -> None:
    """DealWrongState unless it is worked on."""
    if deal.state != Deal.STATE_OPEN:
        raise errors.DealWrongState(verb, state_of(deal), "open; use :reopen first")


def state_of(deal: Deal) -> str:
    """The state as people say it."""
    return Deal.State.Name(deal.state).removeprefix("STATE_").lower()


def _place(pipeline: Pipeline, stage_id: str) -> int:
    return next(at for at, stage in enumerate(pipeline.stages) if stage.id == stage_id)


def is_forward(pipeline: Pipeline, here: str, there: str) -> bool:
    """Whether `there` comes after `here`."""
    return _place(pipeline, here) < _place(pipeline, there)


def skipped(pipeline: Pipeline, here: str, there: str) -> list[Stage]:
    """The stages between, that are passed over on the way forward."""
    first, last = _place(pipeline, here) + 1, _place(pipeline, there)
    return [stage for stage in pipeline.stages[first:last] if not stage.retired]


def check_offered(pipeline: Pipeline) -> None:
    """MoveNotAllowed where no deal shall come any more."""
    if pipeline.retired:
        raise errors.MoveNotAllowed(
            f"the pipeline {pipeline.name!r} is not offered any more; choose another one", "pipeline_id"
        )  # fmt: skip


def check_entry(stage: Stage, roles: Collection[str] | None) -> None:
    """MoveNotAllowed for a removed stage, and for who has none of its roles; None is who needs no role."""
    if stage.retired:
        raise errors.MoveNotAllowed(f"the stage {stage.name!r} was removed; choose another one")
    if roles is not None and stage.mover_role_ids and not set(stage.mover_role_ids) & set(roles):
        raise errors.MoveNotAllowed(
            f"your role may not move deals to {stage.name!r}; ask somebody whose role may"
        )


def check_way(pipeline: Pipeline, here: Stage, there: Stage, *, reason: str) -> list[Stage]:
    """The stages that are passed over; MoveNotAllowed where the way is closed, SkipReasonMissing where it must be explained."""
    passed = skipped(pipeline, here.id, there.id)
    nearest = is_forward(pipeline, here.id, there.id) and not passed
    if here.next_stage_ids and there.id not in here.next_stage_ids and not nearest:
        names = [stage.name for stage in pipeline.stages if stage.id in here.next_stage_ids]
        raise errors.MoveNotAllowed(
            f"from {here.name!r} a deal goes to the next stage or to {', '.join(map(repr, names))}, not to {there.name!r}"
        )
    needing = [stage.name for stage in passed if not stage.may_be_skipped]
    if needing and not reason.strip():
        raise errors.SkipReasonMissing(needing)
    return passed


def way(
    deal: Deal, before: Pipeline | None, pipeline: Pipeline, there: Stage, *, roles: Collection[str] | None, reason: str
) -> Way:  # fmt: skip
    """The way of the deal to this stage of `pipeline`; MoveNotAllowed or SkipReasonMissing where it is closed.

    `before` is the pipeline in which it stands; `roles` is None for what moves by itself.
    """
    here = pipelines.stage_of(before, deal.stage_id) if before is not None else None
    if pipeline.id != deal.pipeline_id:
        check_offered(pipeline)
        check_entry(there, roles)
        return Way(here or Stage(), there, pipeline, [], here is not None and not here.retired)
    assert here is not None, "a stage in which a deal stands stays in its pipeline"
    check_entry(there, roles)
    passed = check_way(pipeline, here, there, reason=reason)
    return Way(here, there, pipeline, passed, is_forward(pipeline, here.id, there.id))


def missing(deal: Deal, here: Stage, there: Stage, filled: Filled, *, forward: bool) -> list[Violation]:  # fmt: skip
    """Everything that the guards of both stages want and that is not filled, each named once."""
    wanted: dict[str, str] = {}
    if forward:
        wanted.update(dict.fromkeys(here.leave.fields, f"must be filled to leave {here.name!r}"))
    wanted.update(dict.fromkeys(there.enter.fields, f"must be filled to enter {there.name!r}"))
    found = [Violation(path, why) for path, why in wanted.items() if not filled(path)]
    if forward:
        found += [
            Violation(
                f"done_steps.{step.key}", f"{step.text!r} must be done to leave {here.name!r}"
            )
            for step in here.steps
            if step.required and step.key not in deal.done_steps
        ]
    return found


def enter(deal: Deal, pipeline: Pipeline, stage: Stage, at: datetime) -> None:
    """Puts the deal into the stage; what was done in another stage is no step of this one."""
    deal.pipeline_id, deal.stage_id = pipeline.id, stage.id
    deal.stage_time.CopyFrom(to_timestamp(at))
    del deal.done_steps[:]
    deal.ClearField("blocked_move")
    show_steps(deal, stage)
    act(deal, stage, at)


def moved(
    deal: Deal, before: Deal | deal_change_pb2.DealPlacement, at: datetime, *, passed: Iterable[Stage] = (), reason: str = ""
) -> events.DealStageChanged:  # fmt: skip
    """What tells that the deal stands elsewhere than before; without the deal."""
    elsewhere = before.pipeline_id != deal.pipeline_id
    return events.DealStageChanged(
        previous_stage_id=before.stage_id, previous_pipeline_id=before.pipeline_id if elsewhere else "",
        previous_stage_seconds=int((at - to_datetime(before.stage_time)).total_seconds()),
        skipped_stage_ids=[stage.id for stage in passed], skip_reason=reason,
    )  # fmt: skip


def act(deal: Deal, stage: Stage, at: datetime) -> None:
    """Something happened; so long as the stage says nothing more has to (S35)."""
    deal.activity_time.CopyFrom(to_timestamp(at))
    show_idle(deal, stage)


def show_idle(deal: Deal, stage: Stage) -> None:
    """When the deal is idle, by the days of its stage; never if it has ended or the stage says so."""
    deal.ClearField("idle_time")
    if deal.state == Deal.STATE_OPEN and stage.idle_days:
        since = to_datetime(deal.activity_time)
        deal.idle_time.CopyFrom(to_timestamp(since + timedelta(days=stage.idle_days)))


def show_steps(deal: Deal, stage: Stage) -> None:
    """The first step that is not done, and the one after it (S33)."""
    left = [step.key for step in stage.steps if step.key not in deal.done_steps]
    deal.current_step = left[0] if left else ""
    deal.following_step = left[1] if len(left) > 1 else ""


def check_steps(deal: Deal, stage: Stage, before: Collection[str] = ()) -> None:
    """ValuesInvalid for steps that the stage does not have; each is done once, and those that it had before are forgotten."""
    known = {step.key for step in stage.steps}
    wrong = [
        Violation(f"done_steps[{at}]", f"{key!r} is no step of the stage {stage.name!r}")
        for at, key in enumerate(deal.done_steps)
        if key not in known and key not in before
    ]
    if wrong:
        raise errors.ValuesInvalid(wrong)
    set_steps(deal, dict.fromkeys(key for key in deal.done_steps if key in known), stage)


def do_steps(deal: Deal, stage: Stage, task_type_key: str) -> bool:
    """Steps that a task of this type does are done; False if there is none that was not."""
    found = [
        step.key
        for step in stage.steps
        if step.task_type_key == task_type_key and step.key not in deal.done_steps
    ]
    set_steps(deal, [*deal.done_steps, *found], stage)
    return bool(found)


def set_steps(deal: Deal, done: Iterable[str], stage: Stage) -> None:
    """Exactly these steps are done."""
    done = list(done)
    del deal.done_steps[:]
    deal.done_steps.extend(done)
    show_steps(deal, stage)
