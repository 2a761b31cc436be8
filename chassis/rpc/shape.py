"""The declared rules of the contract, compiled once per message and checked on every request."""

import math
import re
import zoneinfo
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from google.protobuf import struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis import contracts, errors
from chassis.errors import Violation
from crm.options.v1 import options_pb2

_LONGEST_TEXT, _LONGEST_KEY, _MOST_ITEMS = 1000, 100, 100  # where the contract says nothing
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FORMATS: dict[int, tuple[re.Pattern[str], str]] = {
    options_pb2.FORMAT_UUID: (_UUID, "a UUID"),
    options_pb2.FORMAT_FILE: (_UUID, "the id of a file"),
    # Deliberately loose: one @, a dot in the domain, no blanks; the mail itself is the real test.
    options_pb2.FORMAT_EMAIL: (
        re.compile(r"[^\s@<>,;]+@[^\s@<>,;.]+(\.[^\s@<>,;.]+)+"),
        "an e-mail address",
    ),
    options_pb2.FORMAT_URI: (re.compile(r"https?://[^\s/?#]+[^\s]*"), "an http or https address"),
    options_pb2.FORMAT_LANGUAGE: (
        re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*"),
        "a language tag such as pl or id-ID",
    ),
    options_pb2.FORMAT_CURRENCY: (re.compile(r"[A-Z]{3}"), "a currency code such as PLN"),
    options_pb2.FORMAT_COUNTRY: (re.compile(r"[A-Z]{2}"), "a country code such as PL"),
    options_pb2.FORMAT_KEY: (
        re.compile(r"[a-z][a-z0-9_-]*"),
        "a key of a-z, 0-9, _ and -, beginning with a letter",
    ),
    options_pb2.FORMAT_COLOR: (re.compile(r"#[0-9a-fA-F]{6}"), "a colour such as #1f6feb"),
    options_pb2.FORMAT_TIME_OF_DAY: (
        re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]"),
        "a time of day such as 09:30",
    ),
}
Check = Callable[[Any, str, list[Violation]], None]
FieldCheck = Callable[[Any, Any, str, list[Violation]], None]
"""Of (message, the field's value or None where it is empty, path, violations found so far)."""


class InvalidShape(errors.InvalidArgument):
    """Fields that break the contract's declared rules."""

    reason = "INVALID_FIELDS"


def check(message: Message, *, writes: bool) -> None:
    """Raises InvalidShape with every violation of the declared rules.

    `output_only` fields of a resource that is sent in are cleared rather than refused where they echo what was read
    (id, etag and times come back in every honest round trip).
    """
    found: list[Violation] = []
    _checker(message.DESCRIPTOR)(message, "", found)
    if found:
        first = found[0]
        raise InvalidShape(f"{first.field}: {first.description}", found)


@cache
def _checker(descriptor: Descriptor) -> Check:
    """The check of one message type; lazily of its parts, so that recursive types end."""
    checks = [
        (field.name, _minds_absence(field), made)
        for field in descriptor.fields
        if (made := _field_check(field)) is not None
    ]

    def check_message(message: Any, path: str, found: list[Violation]) -> None:
        filled = {field.name: value for field, value in message.ListFields()}
        for name, always, check_field in checks:
            if name in filled:  # most fields of most messages are empty
                check_field(message, filled[name], f"{path}{name}", found)
            elif always:
                check_field(message, None, f"{path}{name}", found)

    return check_message


def _minds_absence(field: FieldDescriptor) -> bool:
    """True if a field may be wrong by being empty: a required one, or a number whose zero is out of range."""
    rules = field.GetOptions().Extensions[options_pb2.rules]
    plain = not (field.is_repeated or field.has_presence)
    number = field.type != FieldDescriptor.TYPE_STRING
    limited = rules.HasField("min") or rules.HasField("max")
    return bool(rules.required or (plain and number and limited))


def _field_check(field: FieldDescriptor) -> FieldCheck | None:
    options = field.GetOptions()
    rules = (
        options.Extensions[options_pb2.rules]
        if options.HasExtension(options_pb2.rules)
        else options_pb2.FieldRules()
    )
    text = field.type == FieldDescriptor.TYPE_STRING
    ours = field.message_type is not None and field.message_type.full_name.startswith("crm.")
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    of_value = None
    if text:
        of_value = _text_check(rules)
    elif rules.HasField("min") or rules.HasField("max"):
        of_value = _number_check(rules)
    if field.is_repeated:
        return _repeated_check(field, rules, of_value, is_map=is_map, ours=ours)
    partial = _is_resource_of_update(field)
    zero_counts = of_value is not None and not text and not field.has_presence

    def check_single(message: Any, value: Any, path: str, found: list[Violation]) -> None:
        if value is None:
            if rules.required:
                found.append(Violation(path, "is required"))
            elif zero_counts:
                of_value(0, path, found)  # type: ignore[misc]  # zero_counts says that there is one
            return
        if of_value is not None and (value or not text):
            of_value(value, path, found)
        if partial:
            _check_partial(message, value, path, found)
        elif ours:
            _checker(field.message_type)(value, f"{path}.", found)

    return check_single if rules.required or of_value is not None or ours else None


def _is_resource_of_update(field: FieldDescriptor) -> bool:
    return "update_mask" in field.containing_type.fields_by_name and (
        field.message_type is not None and contracts.resource_option(field.message_type) is not None
    )


def _check_partial(request: Any, resource: Any, path: str, found: list[Violation]) -> None:
    """In an update only the masked fields are checked; what is absent stays as it is."""
    masked = {p.partition(".")[0] for p in request.update_mask.paths}
    all_found: list[Violation] = []
    _checker(resource.DESCRIPTOR)(resource, "", all_found)
    for violation in all_found:
        if re.split(r"[.\[]", violation.field, maxsplit=1)[0] in masked:
            found.append(Violation(f"{path}.{violation.field}", violation.description))


def _repeated_check(
    field: FieldDescriptor,
    rules: options_pb2.FieldRules,
    of_value: Check | None,
    *,
    is_map: bool,
    ours: bool,
) -> FieldCheck:
    most = rules.max_items or _MOST_ITEMS
    check_map = _map_check(rules) if is_map else None

    def check_repeated(message: Any, values: Any, path: str, found: list[Violation]) -> None:
        if values is None:
            if rules.required:
                found.append(Violation(path, "is required"))
            return
        if len(values) > most:
            found.append(Violation(path, f"has {len(values)} items, at most {most} are allowed"))
            return
        if check_map is not None:
            check_map(values, path, found)
            return
        for index, value in enumerate(values):
            if of_value is not None:
                of_value(value, f"{path}[{index}]", found)
            elif ours:
                _checker(field.message_type)(value, f"{path}[{index}].", found)

    return check_repeated


def _map_check(rules: options_pb2.FieldRules) -> Check:
    """Keys and texts without NUL, which no database column holds; numbers that JSON has; messages by their own rules."""
    check_text = _text_check(rules)

    def check_map(values: Any, path: str, found: list[Violation]) -> None:
        for key, value in values.items():
            at = f"{path}.{key}"
            if isinstance(key, str) and (len(key) > _LONGEST_KEY or "\x00" in key):
                found.append(
                    Violation(
                        path,
                        f"the key {_shown(key)} has a NUL or more than {_LONGEST_KEY} characters",
                    )
                )
            elif isinstance(value, struct_pb2.Value):
                if problem := _value_problem(value):
                    found.append(Violation(at, problem))
            elif isinstance(value, str):
                check_text(value, at, found)
            elif isinstance(value, Message):
                _checker(value.DESCRIPTOR)(value, f"{at}.", found)

    return check_map


def _value_problem(value: struct_pb2.Value) -> str:
    """What is wrong with a JSON value; empty if nothing is."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return "" if math.isfinite(value.number_value) else "is not a number that JSON has"
    if kind == "string_value":
        return "contains a NUL character" if "\x00" in value.string_value else ""
    if kind == "list_value":
        return next(filter(None, map(_value_problem, value.list_value.values)), "")
    if kind == "struct_value":
        if any("\x00" in key for key in value.struct_value.fields):
            return "contains a NUL character"
        return next(filter(None, map(_value_problem, value.struct_value.fields.values())), "")
    return ""


def _text_check(rules: options_pb2.FieldRules) -> Check:
    shortest, longest = rules.min_length, rules.max_length or _LONGEST_TEXT
    pattern = re.compile(rules.pattern) if rules.pattern else None
    form = _FORMATS.get(rules.format)
    # Asked for each text of each record: reading them out of the rules every time would cost more than the checks.
    is_zone = rules.format == options_pb2.FORMAT_TIME_ZONE
    is_decimal = rules.format == options_pb2.FORMAT_DECIMAL

    def check_text(value: str, path: str, found: list[Violation]) -> None:
        if len(value) > longest:
            found.append(
                Violation(path, f"has {len(value)} characters, at most {longest} are allowed")
            )
        elif len(value) < shortest:
            found.append(
                Violation(path, f"has {len(value)} characters, at least {shortest} are needed")
            )
        elif "\x00" in value:
            found.append(Violation(path, "contains a NUL character"))
        elif pattern and not pattern.fullmatch(value):
            found.append(Violation(path, f"{_shown(value)} does not match {rules.pattern}"))
        elif form and not form[0].fullmatch(value):
            found.append(Violation(path, f"{_shown(value)} is not {form[1]}"))
        elif is_zone and value not in _zones():
            found.append(
                Violation(path, f"{_shown(value)} is not a time zone such as Europe/Warsaw")
            )
        elif is_decimal and not _is_decimal(value):
            found.append(Violation(path, f"{_shown(value)} is not a decimal number such as 12.50"))

    return check_text


def _number_check(rules: options_pb2.FieldRules) -> Check:
    least = rules.min if rules.HasField("min") else -math.inf
    most = rules.max if rules.HasField("max") else math.inf

    def check_number(value: float, path: str, found: list[Violation]) -> None:
        if value < least:
            found.append(Violation(path, f"{value:g} is below the least allowed, {least:g}"))
        if value > most:
            found.append(Violation(path, f"{value:g} is above the most allowed, {most:g}"))

    return check_number


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")
