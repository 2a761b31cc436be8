"""Task types: what one must be, and those that a tenant begins with."""

from collections import Counter
from collections.abc import Iterable

from chassis.errors import Violation
from crm.common.v1 import common_pb2
from crm.tasks.v1 import task_pb2, task_type_pb2
from services.tasks import errors

TaskType = task_type_pb2.TaskType
ResultField = task_type_pb2.ResultField

CHOOSING = (common_pb2.CUSTOM_FIELD_TYPE_CHOICE, common_pb2.CUSTOM_FIELD_TYPE_MULTI_CHOICE)
COUNTING = (common_pb2.CUSTOM_FIELD_TYPE_NUMBER, common_pb2.CUSTOM_FIELD_TYPE_DECIMAL)


def normalise(type: TaskType) -> None:
    """One spelling of the name; each reminder once, the earliest first."""
    type.name = " ".join(type.name.split())
    reminders = unique_reminders(type.reminders)
    del type.reminders[:]
    type.reminders.extend(reminders)


def unique_reminders(reminders: Iterable[task_pb2.Reminder]) -> list[task_pb2.Reminder]:
    """Each once, the earliest first."""
    minutes = {reminder.minutes_before for reminder in reminders}
    return [task_pb2.Reminder(minutes_before=each) for each in sorted(minutes, reverse=True)]


def keep_key(new: TaskType, old: TaskType | None) -> None:
    """Refuses a new key: rules, programs and reports know the type by it."""
    if old is not None and new.key != old.key:
        raise errors.KeyFixed("task type", old.key)


def check(type: TaskType) -> None:
    """Refuses result fields and outcomes that nobody could fill in or tell apart."""
    wrong = [] if type.name else [Violation("name", "must say something besides blanks")]
    wrong += _repeated("result_fields", (field.key for field in type.result_fields))
    wrong += _repeated("outcomes", (outcome.key for outcome in type.outcomes))
    for at, field in enumerate(type.result_fields):
        wrong += [
            Violation(f"result_fields[{at}].{v.field}", v.description) for v in _faults(field)
        ]
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _repeated(path: str, keys: Iterable[str]) -> list[Violation]:
    return [
        Violation(path, f"the key {key} stands {count} times; each key once")
        for key, count in Counter(keys).items()
        if count > 1
    ]


def _faults(field: ResultField) -> list[Violation]:
    found = []
    if field.type in CHOOSING and not field.choices:
        found.append(Violation("choices", "is required for a choice"))
    if field.type not in CHOOSING and field.choices:
        found.append(Violation("choices", "is for types CHOICE and MULTI_CHOICE only"))
    found += _repeated("choices", field.choices)
    limited = field.HasField("min") or field.HasField("max")
    if limited and field.type not in COUNTING:
        found.append(Violation("min", "and max are for types NUMBER and DECIMAL only"))
    if field.HasField("min") and field.HasField("max") and field.min > field.max:
        found.append(Violation("min", f"is {field.min:g}, more than max, which is {field.max:g}"))
    return found


def first_types() -> list[TaskType]:
    """The types that a tenant begins with; it may change and retire all of them."""
    kinds = {
        "call": ("Call", TaskType.KIND_CALL, 10),
        "catalogue": ("Send a catalogue", TaskType.KIND_MESSAGE, 15),
        "visit": ("Visit or measurement", TaskType.KIND_VISIT, 60),
        "meeting_preparation": ("Prepare a meeting", TaskType.KIND_OTHER, 30),
        "other": ("Other", TaskType.KIND_OTHER, 0),
    }
    return [
        TaskType(key=key, name=name, kind=kind, estimated_minutes=minutes, position=position)
        for position, (key, (name, kind, minutes)) in enumerate(kinds.items(), start=1)
    ]
