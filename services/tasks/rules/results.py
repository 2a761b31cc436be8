"""The typed result of a task against its type's schema (S55)."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.struct_pb2 import Value

from chassis import codec
from chassis.errors import Violation
from chassis.kit import custom_types
from crm.common.v1 import common_pb2 as common
from crm.tasks.v1 import task_type_pb2
from services.tasks import errors

TaskType = task_type_pb2.TaskType
ResultField = task_type_pb2.ResultField


def plain(result: Mapping[str, Value]) -> dict[str, Any]:
    """What was said, as plain values: keys without a value are left out."""
    given: dict[str, Any] = {key: codec.to_dict(value) for key, value in result.items()}
    return {key: value for key, value in given.items() if value not in (None, "", [])}


def possible_files(result: Mapping[str, Value]) -> set[str]:
    """The values that may name files, before anybody knows the schema."""
    return {value for value in plain(result).values() if custom_types.is_id(value)}


def check(
    type: TaskType, outcome: str, result: Mapping[str, Value], files: Collection[str]
) -> list[str]:
    """ResultInvalid with everything that does not fit; returns the files of the result.

    `files` are those that the caller may use: his own uploads, and those that the task has already.
    """
    chosen = next((each for each in type.outcomes if each.key == outcome), None)
    fields = {field.key: field for field in type.result_fields}
    given, wrong = plain(result), []
    if chosen is None and (outcome or type.outcomes):
        known = ", ".join(each.key for each in type.outcomes) or "none"
        said = f"is {outcome!r}; the" if outcome else "is required; the"
        wrong.append(Violation("outcome", f"{said} outcomes of this type are {known}"))
    for key, value in given.items():
        if key not in fields:
            wrong.append(
                Violation(
                    f"result.{key}",
                    f"is unknown; the result fields are {', '.join(fields) or 'none'}",
                )
            )
        elif problem := _problem(fields[key], value, files):
            wrong.append(Violation(f"result.{key}", problem))
    if chosen is None or not chosen.without_result:
        wrong += [
            Violation(f"result.{key}", "is required")
            for key, field in fields.items()
            if field.required and key not in given
        ]
    if wrong:
        raise errors.ResultInvalid(wrong)
    return [v for k, v in given.items() if fields[k].type == common.CUSTOM_FIELD_TYPE_FILE]


def _problem(field: ResultField, given: Any, files: Collection[str]) -> str:
    """Why the value does not fit the field; empty if it does."""
    if unfit := custom_types.problem(field.type, field.choices, given):
        return unfit
    if field.type == common.CUSTOM_FIELD_TYPE_FILE and given not in files:
        return f"there is no file {given} of yours; upload it at /v1/files and send its id"
    number = Decimal(str(given)) if field.HasField("min") or field.HasField("max") else Decimal()
    if field.HasField("min") and number < Decimal(repr(field.min)):
        return f"is {given}{_unit(field)}, at least {field.min:g}{_unit(field)} is allowed"
    if field.HasField("max") and number > Decimal(repr(field.max)):
        return f"is {given}{_unit(field)}, at most {field.max:g}{_unit(field)} is allowed"
    return ""


def _unit(field: ResultField) -> str:
    return f" {field.unit}" if field.unit else ""
