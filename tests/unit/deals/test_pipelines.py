"""What a pipeline must be, and what becomes of stages that are removed."""

import itertools

import pytest

from crm.deals.v1.pipeline_pb2 import Pipeline, Stage
from services.deals import errors
from services.deals.rules import pipelines as rules


def made(*keys: str) -> Pipeline:
    pipeline = Pipeline(id="p", key="sales", name="Sales")
    for key in keys:
        pipeline.stages.add(id=f"id-{key}", key=key, name=key.title())
    return pipeline


def fields_of(caught: "pytest.ExceptionInfo[errors.ValuesInvalid]") -> list[str]:
    return [violation.field for violation in caught.value.violations]


def test_every_wrong_value_is_named_at_once() -> None:
    pipeline = made("new", "new", "won")
    pipeline.paid_stage_id = "elsewhere"
    pipeline.stages[0].next_stage_ids.append("nowhere")
    pipeline.stages[2].enter.fields.append("deal.colour")
    pipeline.stages[2].steps.add(key="call", text="Call")
    pipeline.stages[2].steps.add(key="call", text="Call again")

    with pytest.raises(errors.ValuesInvalid) as caught:
        rules.check(pipeline, None, ())

    assert fields_of(caught) == [
        "stages.key", "stages.id", "paid_stage_id", "stages[0].next_stage_ids", "stages[2].steps.key", "stages[2].enter.fields",
    ]  # fmt: skip


def test_a_guard_that_stood_there_before_never_blocks() -> None:
    old = made("new", "won")
    old.stages[1].enter.fields.append("deal.custom.gone")
    new = Pipeline.FromString(old.SerializeToString())
    new.stages[0].leave.fields.append("deal.custom.gone")

    rules.check(new, old, ())


def test_keys_never_change() -> None:
    old, new = made("new", "won"), made("new", "won")
    new.stages[1].key = "sold"

    with pytest.raises(errors.KeyFixed) as caught:
        rules.keep_keys(new, old)

    assert next(iter(caught.value.violations)).field == "stages[1].key"


def test_a_removed_stage_in_which_deals_stand_stays_retired_behind_the_others() -> None:
    old = made("new", "needs", "won")
    old.stages[1].leave.fields.append("deal.amount")
    new = made("new", "won")

    rules.keep_occupied(new, old, ["id-needs"])

    assert [(s.key, s.retired) for s in new.stages] == [("new", False), ("won", False), ("needs", True)]  # fmt: skip
    assert not new.stages[2].leave.fields
    assert rules.removed(made("new", "won"), old) == ["id-needs"]


def test_nobody_retires_a_stage_by_saying_so_and_a_retired_one_comes_not_back() -> None:
    old = made("new", "needs", "won")
    old.stages[1].retired = True
    new = made("new", "needs", "won")
    new.stages[0].retired = True

    rules.keep_occupied(new, old, rules.removed(new, old))

    assert [(s.key, s.retired) for s in new.stages] == [("new", False), ("won", False), ("needs", True)]  # fmt: skip


def test_an_empty_retired_stage_goes_with_the_next_save_or_the_last_deal() -> None:
    old = made("new", "needs", "won")
    old.stages[1].retired = True
    new = made("new", "needs", "won")

    rules.keep_occupied(new, old, [])

    assert [s.key for s in new.stages] == ["new", "won"]
    assert not rules.drop_emptied(old, ["id-needs"])
    assert rules.drop_emptied(old, [])
    assert [s.key for s in old.stages] == ["new", "won"]


def test_a_pipeline_of_removed_stages_only_is_refused() -> None:
    pipeline = made("new")
    pipeline.stages[0].retired = True

    with pytest.raises(errors.ValuesInvalid) as caught:
        rules.check(pipeline, None, ())

    assert fields_of(caught) == ["stages"]


def test_a_new_company_begins_with_a_pipeline_that_is_right() -> None:
    pipeline, numbers = rules.first_pipeline(), itertools.count()
    rules.normalise(pipeline, lambda: f"id{next(numbers)}")

    rules.check(pipeline, None, ())

    assert rules.first_stage(pipeline) == pipeline.stages[0]
    assert rules.stage_of(pipeline, "id4") == pipeline.stages[4]
    assert rules.stage_of(pipeline, "id5") is None
    assert isinstance(pipeline.stages[0], Stage)
