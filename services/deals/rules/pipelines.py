"""Pipelines: what one must be, and the one that a company begins with. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from chassis.errors import Violation
from crm.deals.v1 import pipeline_pb2
from services.deals import errors
from services.deals.rules import fields

Pipeline = pipeline_pb2.Pipeline
Stage = pipeline_pb2.Stage


def keep_keys(new: Pipeline, old: Pipeline | None) -> None:
    """Refuses a new key of the pipeline or of a stage: rules, programs and reports know them by it."""
    if old is None:
        return
    if new.key != old.key:
        raise errors.KeyFixed("pipeline", old.key)
    known = {stage.id: stage.key for stage in old.stages}
    for at, stage in enumerate(new.stages):
        if stage.id in known and stage.key != known[stage.id]:
            raise errors.KeyFixed("stage", known[stage.id], f"stages[{at}].key")


def normalise(pipeline: Pipeline, new_id: Callable[[], str]) -> None:
    """One spelling of names; every stage has an id."""
    pipeline.name = " ".join(pipeline.name.split())
    pipeline.party = pipeline.party or Pipeline.PARTY_CUSTOMER
    for stage in pipeline.stages:
        stage.id = stage.id or new_id()
        stage.name = " ".join(stage.name.split())


# -- stages that are removed -------------------------------------------------------------------------------------------------


def removed(new: Pipeline, old: Pipeline | None) -> list[str]:
    """The stages that `new` leaves out, and those that were removed before and are still there."""
    sent = {stage.id for stage in new.stages}
    return [] if old is None else [s.id for s in old.stages if s.retired or s.id not in sent]


def keep_occupied(new: Pipeline, old: Pipeline | None, occupied: Collection[str]) -> None:
    """Of the removed stages those in which deals stand stay, retired, behind all others; nobody else is retired."""
    gone = set(removed(new, old))
    living = [stage for stage in new.stages if stage.id not in gone]
    for stage in living:
        stage.retired = False
    stay = [stage for stage in (old.stages if old else ()) if stage.id in gone & set(occupied)]
    _set_stages(new, [*living, *map(_retired, stay)])


def drop_emptied(pipeline: Pipeline, occupied: Collection[str]) -> bool:
    """Drops the retired stages in which no deal stands any more; False if there is none."""
    stay = [stage for stage in pipeline.stages if not stage.retired or stage.id in occupied]
    if len(stay) == len(pipeline.stages):
        return False
    _set_stages(pipeline, stay)
    return True


def _retired(stage: Stage) -> Stage:
    """The stage as it waits for its last deal to leave: whatever it wanted, it wants no more."""
    made = Stage()
    made.CopyFrom(stage)
    made.retired = True
    for field in ("next_stage_ids", "enter", "leave"):
        made.ClearField(field)
    return made


def _set_stages(pipeline: Pipeline, stages: Iterable[Stage]) -> None:
    copies = [Stage.FromString(stage.SerializeToString()) for stage in stages]
    del pipeline.stages[:]
    pipeline.stages.extend(copies)


def shows_otherwise(new: Pipeline, old: Pipeline | None) -> bool:
    """True if deals of the pipeline show other steps, or are idle at another time, than before."""
    before = {stage.id: stage for stage in (old.stages if old else ())}
    return any(
        list(stage.steps) != list(before[stage.id].steps)
        or stage.idle_days != before[stage.id].idle_days
        for stage in new.stages
        if stage.id in before
    )


# -- what a pipeline must be -------------------------------------------------------------------------------------------------


def check(pipeline: Pipeline, old: Pipeline | None, custom_keys: Collection[str]) -> None:
    """Refuses stages and steps that cannot be told apart, ways that lead nowhere, and guards of fields that do not exist."""
    stages = pipeline.stages
    wrong = [] if pipeline.name else [Violation("name", "must say something besides blanks")]
    wrong += _repeated("stages.key", (stage.key for stage in stages))
    wrong += _repeated("stages.id", (stage.id for stage in stages))
    ids = {stage.id for stage in stages if not stage.retired}
    if not ids:
        wrong.append(Violation("stages", "must hold at least one stage that is not removed"))
    if pipeline.paid_stage_id and pipeline.paid_stage_id not in ids:
        wrong.append(Violation("paid_stage_id", f"{pipeline.paid_stage_id} is no stage of this pipeline"))  # fmt: skip
    known = {path for stage in (old.stages if old else ()) for path in _guarded(stage)}
    for at, stage in enumerate(stages):
        if not stage.name:
            wrong.append(Violation(f"stages[{at}].name", "must say something besides blanks"))
        wrong += _repeated(f"stages[{at}].steps.key", (step.key for step in stage.steps))
        wrong += [
            Violation(f"stages[{at}].next_stage_ids", f"{id} is no stage of this pipeline")
            for id in stage.next_stage_ids
            if id not in ids
        ]
        wrong += _unknown_fields(at, stage, known, custom_keys)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _guarded(stage: Stage) -> list[str]:
    return [*stage.enter.fields, *stage.leave.fields]


def _unknown_fields(
    at: int, stage: Stage, known: Collection[str], custom_keys: Collection[str]
) -> list[Violation]:
    """Guards of fields that do not exist; what stood there before never blocks, its field may be deleted since."""
    return [
        Violation(
            f"stages[{at}].{side}.fields",
            f"{path!r} is no field of a deal, its contact or its company, as deal.amount or contact.phones are",
        )
        for side in ("enter", "leave")
        for path in getattr(stage, side).fields
        if path not in known and not fields.is_known(path, custom_keys)
    ]


def _repeated(path: str, keys: Iterable[str]) -> list[Violation]:
    return [
        Violation(path, f"{key} stands {count} times; each once")
        for key, count in Counter(keys).items()
        if count > 1
    ]


def stage_of(pipeline: Pipeline, stage_id: str) -> Stage | None:
    """The stage with this id, retired or not."""
    return next((stage for stage in pipeline.stages if stage.id == stage_id), None)


def first_stage(pipeline: Pipeline) -> Stage:
    """Where a new deal begins."""
    return next(stage for stage in pipeline.stages if not stage.retired)


def first_pipeline() -> Pipeline:
    """The sales pipeline with which a company begins."""
    stages = (
        ("new", "New", "#64748b", 10, 3), ("needs", "Needs known", "#0ea5e9", 25, 7),
        ("quoted", "Quoted", "#6366f1", 50, 7), ("agreed", "Agreed", "#f59e0b", 80, 7),
        ("fulfilment", "Fulfilment", "#10b981", 95, 14),
    )  # fmt: skip
    made = Pipeline(key="sales", name="Sales", party=Pipeline.PARTY_CUSTOMER)
    for key, name, color, probability, idle_days in stages:
        made.stages.add(
            key=key, name=name, color=color, probability=probability, idle_days=idle_days
        )
    return made
