"""Cells that are alike for every resource: the tenant's own fields, and ids in other systems."""

import re
from datetime import date
from typing import Any

from google.protobuf.struct_pb2 import Value

from chassis import codec
from chassis.fold import search_key
from chassis.kit.imports import values
from chassis.kit.imports.adapter import LineRefused, Terms
from chassis.kit.imports.values import WrongValue
from crm.common.v1 import common_pb2 as common

SEVERAL = re.compile(r"\s*(?:[;\n|]|,(?!\d))\s*")
"""Between the values of one cell; `1,234` is one value."""
DEFAULT_SYSTEM = "import"
"""The system of external ids where the import names none."""


def put_custom(terms: Terms, message: Any, key: str, cell: str) -> None:
    """Puts a cell into the record's custom field; LineRefused if the field is gone, WrongValue if it holds no such value."""
    field = terms.custom.get(key)
    if field is None:
        raise LineRefused(f"there is no field custom.{key} any more; map its column anew")
    message.custom[key].CopyFrom(_value(field, cell, comma=terms.imported.options.decimal_comma))


def custom_cells(message: Any) -> dict[str, list[str]]:
    """The record's custom fields by target, as `put_custom` reads them."""
    return {f"custom.{key}": _cells(value) for key, value in message.custom.items()}


def put_external_id(terms: Terms, message: Any, cell: str) -> None:
    """The id in the system that the import names."""
    system = terms.imported.options.external_system or DEFAULT_SYSTEM
    message.external_ids.add(system=system, id=cell)


def put_external_ids(message: Any, cell: str) -> None:
    """Ids as `external_id_cells` writes them; WrongValue."""
    for text in cell.split("; "):
        system, slash, id = text.partition("/")
        if not (slash and system and id):
            raise WrongValue(f"{text!r} is not written as system/id")
        message.external_ids.add(system=system, id=id)


def external_id_cells(message: Any) -> list[str]:
    """system/id of each."""
    return [f"{each.system}/{each.id}" for each in message.external_ids]


def _value(field: common.CustomField, cell: str, *, comma: bool) -> Value:
    kind = field.type
    if kind == common.CUSTOM_FIELD_TYPE_TEXT:
        return Value(string_value=cell)
    if kind == common.CUSTOM_FIELD_TYPE_NUMBER:
        return Value(number_value=values.parse_whole(cell, comma=comma))
    if kind == common.CUSTOM_FIELD_TYPE_DECIMAL:
        return Value(string_value=values.parse_decimal(cell, comma=comma))
    if kind == common.CUSTOM_FIELD_TYPE_DATE:
        return Value(string_value=date(*values.parse_date(cell, values.DMY)).isoformat())
    if kind == common.CUSTOM_FIELD_TYPE_YES_NO:
        return Value(bool_value=values.parse_yes_no(cell))
    if kind not in (common.CUSTOM_FIELD_TYPE_CHOICE, common.CUSTOM_FIELD_TYPE_MULTI_CHOICE):
        raise WrongValue(f"{field.label} holds ids of records or files, which a file cannot bring")
    choices = {search_key(choice): choice for choice in field.choices}
    given = [cell] if kind == common.CUSTOM_FIELD_TYPE_CHOICE else SEVERAL.split(cell)
    chosen = [choices.get(search_key(text)) for text in given if text]
    if None in chosen:
        raise WrongValue(f"{cell!r} is none of {', '.join(field.choices)}")
    if kind == common.CUSTOM_FIELD_TYPE_CHOICE:
        return Value(string_value=chosen[0])
    made = Value()
    made.list_value.extend(chosen)
    return made


def _cells(value: Value) -> list[str]:
    given: Any = codec.to_dict(value)
    if isinstance(given, bool):
        return ["yes" if given else "no"]
    if isinstance(given, int | float):
        return [str(int(given))]
    return [str(item) for item in given] if isinstance(given, list) else [str(given or "")]
