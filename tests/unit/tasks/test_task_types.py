"""Task types."""

import pytest

from crm.common.v1 import common_pb2 as common
from crm.tasks.v1.task_pb2 import Reminder
from crm.tasks.v1.task_type_pb2 import Outcome, ResultField, TaskType
from services.tasks import errors
from services.tasks.rules import task_types as rules

NUMBER, TEXT, CHOICE = (
    common.CUSTOM_FIELD_TYPE_NUMBER, common.CUSTOM_FIELD_TYPE_TEXT, common.CUSTOM_FIELD_TYPE_CHOICE,
)  # fmt: skip


def field(**values: object) -> ResultField:
    return ResultField(**{"key": "a", "label": "A", "type": TEXT, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type", "where"),
    [
        (TaskType(name="N", result_fields=[field(), field()]), "result_fields"),
        (TaskType(name="N", outcomes=[Outcome(key="o"), Outcome(key="o")]), "outcomes"),
        (TaskType(name="N", result_fields=[field(type=CHOICE)]), "result_fields[0].choices"),
        (TaskType(name="N", result_fields=[field(type=CHOICE, choices=["x", "x"])]), "result_fields[0].choices"),
        (TaskType(name="N", result_fields=[field(choices=["x"])]), "result_fields[0].choices"),
        (TaskType(name="N", result_fields=[field(min=1)]), "result_fields[0].min"),
        (TaskType(name="N", result_fields=[field(type=NUMBER, min=2, max=1)]), "result_fields[0].min"),
        (TaskType(name=""), "name"),
    ],
)  # fmt: skip
def test_a_schema_that_nobody_could_fill_in_is_refused(type: TaskType, where: str) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.check(type)
    assert [v.field for v in refused.value.violations] == [where]


def test_the_key_stays() -> None:
    rules.keep_key(TaskType(key="a", name="B"), TaskType(key="a", name="A"))
    with pytest.raises(errors.KeyFixed, match="'a'"):
        rules.keep_key(TaskType(key="b"), TaskType(key="a"))


def test_reminders_stand_once_and_the_earliest_first() -> None:
    type = TaskType(name=" Call  back ", reminders=[Reminder(minutes_before=n) for n in (0, 15, 0)])
    rules.normalise(type)
    assert (type.name, [r.minutes_before for r in type.reminders]) == ("Call back", [15, 0])


def test_the_first_types_are_good_ones() -> None:
    types = rules.first_types()
    assert [t.key for t in types] == ["call", "catalogue", "visit", "meeting_preparation", "other"]
    for type in types:
        rules.check(type)
