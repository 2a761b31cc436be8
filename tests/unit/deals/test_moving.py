"""Which ways a deal may go, what its stages want, and what it shows of them."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.times import to_datetime
from crm.deals.v1.deal_pb2 import Deal
from crm.deals.v1.pipeline_pb2 import Pipeline, Stage
from services.deals import errors
from services.deals.rules import moving as rules

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def made() -> Pipeline:
    pipeline = Pipeline(id="p", key="sales", name="Sales")
    for key in ("new", "needs", "quoted", "agreed"):
        pipeline.stages.add(id=key, key=key, name=key.title(), idle_days=3)
    return pipeline


def deal(stage: str = "new") -> Deal:
    made = Deal(state=Deal.STATE_OPEN, stage_id=stage)
    made.activity_time.FromDatetime(NOW)
    return made


def way(pipeline: Pipeline, here: str, there: str, reason: str = "") -> list[str]:
    stages = {stage.id: stage for stage in pipeline.stages}
    return [s.id for s in rules.check_way(pipeline, stages[here], stages[there], reason=reason)]


def test_passing_over_stages_needs_a_reason_and_names_them() -> None:
    pipeline = made()
    with pytest.raises(errors.SkipReasonMissing, match="'Needs', 'Quoted'"):
        way(pipeline, "new", "agreed", "  ")
    assert way(pipeline, "new", "agreed", "he came back") == ["needs", "quoted"]


def test_stages_that_may_be_skipped_and_removed_ones_need_none() -> None:
    pipeline = made()
    pipeline.stages[1].may_be_skipped = True
    pipeline.stages[2].retired = True
    assert way(pipeline, "new", "agreed") == ["needs"]


def test_backwards_needs_no_reason() -> None:
    assert way(made(), "agreed", "new") == []


def test_the_next_stage_and_named_ones_are_open_and_others_closed() -> None:
    pipeline = made()
    pipeline.stages[0].next_stage_ids.append("agreed")
    assert way(pipeline, "new", "needs") == []
    assert way(pipeline, "new", "agreed", "at once") == ["needs", "quoted"]
    with pytest.raises(
        errors.MoveNotAllowed, match="to the next stage or to 'Agreed', not to 'Quoted'"
    ):
        way(pipeline, "new", "quoted", "why not")


def test_only_some_roles_move_deals_into_a_stage() -> None:
    stage = Stage(name="Agreed", mover_role_ids=["head"])
    rules.check_entry(stage, {"head", "seller"})
    rules.check_entry(stage, None)
    with pytest.raises(errors.MoveNotAllowed, match="your role"):
        rules.check_entry(stage, {"seller"})
    with pytest.raises(errors.MoveNotAllowed, match="removed"):
        rules.check_entry(Stage(name="Old", retired=True), None)


def test_every_missing_field_and_step_is_named_once() -> None:
    here = Stage(id="a", name="Needs")
    here.leave.fields.extend(["deal.amount", "contact.phones"])
    here.steps.add(key="measure", text="Measure", required=True)
    here.steps.add(key="thank", text="Thank him")
    there = Stage(id="b", name="Quoted")
    there.enter.fields.extend(["deal.amount", "deal.promise.time", "deal.title"])

    found = rules.missing(deal(), here, there, lambda path: path == "deal.title", forward=True)

    assert [each.field for each in found] == [
        "deal.amount", "contact.phones", "deal.promise.time", "done_steps.measure",
    ]  # fmt: skip
    backwards = rules.missing(deal(), here, there, lambda path: False, forward=False)
    assert [v.field for v in backwards] == ["deal.amount", "deal.promise.time", "deal.title"]


def test_a_stage_shows_its_first_step_that_is_not_done_and_the_next_one() -> None:
    stage = Stage(name="Needs")
    for key, type_key in (("call", "call"), ("measure", "measure"), ("thank", "")):
        stage.steps.add(key=key, text=key, task_type_key=type_key)
    subject = deal()

    rules.show_steps(subject, stage)
    assert (subject.current_step, subject.following_step) == ("call", "measure")

    assert rules.do_steps(subject, stage, "measure")
    assert (subject.current_step, subject.following_step) == ("call", "thank")
    assert not rules.do_steps(subject, stage, "measure")
    assert not rules.do_steps(subject, stage, "visit")

    subject.done_steps.extend(["thank", "call", "call"])
    rules.check_steps(subject, stage)
    assert list(subject.done_steps) == ["measure", "thank", "call"]
    assert (subject.current_step, subject.following_step) == ("", "")

    subject.done_steps.append("sing")
    with pytest.raises(errors.ValuesInvalid, match="1 value") as caught:
        rules.check_steps(subject, stage)
    assert next(iter(caught.value.violations)).field == "done_steps[3]"


def test_entering_forgets_the_steps_of_the_stage_before_and_sets_the_idle_time() -> None:
    pipeline, subject = made(), deal()
    subject.done_steps.append("call")
    subject.blocked_move.stage_id = "x"

    rules.enter(subject, pipeline, pipeline.stages[2], NOW)

    assert (subject.stage_id, list(subject.done_steps)) == ("quoted", [])
    assert not subject.HasField("blocked_move")
    assert to_datetime(subject.idle_time) == NOW + timedelta(days=3)


def test_a_deal_that_ended_or_whose_stage_never_asks_is_never_idle() -> None:
    subject = deal()
    rules.show_idle(subject, Stage())
    assert not subject.HasField("idle_time")
    subject.state = Deal.STATE_WON
    rules.show_idle(subject, Stage(idle_days=1))
    assert not subject.HasField("idle_time")
