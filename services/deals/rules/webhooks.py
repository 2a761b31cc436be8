"""What the bodies of signed calls say. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime

import orjson

from chassis.errors import Violation
from services.deals import errors


def texts(
    content: bytes, longest: Mapping[str, int], *, optional: Collection[str], types: Collection[str]
) -> dict[str, str]:
    """The texts in a body by these keys, empty for an optional one that it lacks; ValuesInvalid with all that is wrong.

    `type` is one of `types`. Keys that are not named are passed over.
    """
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise errors.ValuesInvalid([Violation("content", "is no JSON object; see Akrab-Signature in the documentation")])  # fmt: skip
    wrong = [
        found
        for key, most in longest.items()
        if (found := _wrong(key, given.get(key), most, needed=key not in optional))
    ]
    if not wrong and given["type"] not in types:
        wrong = [Violation("type", f"must be {' or '.join(types)}")]
    if wrong:
        raise errors.ValuesInvalid(wrong)
    return {key: given.get(key) or "" for key in longest}


def moment(text: str) -> datetime:
    """The time in a body; ValuesInvalid if it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None  # type: ignore[assignment]
    if found is None or found.tzinfo is None:
        raise errors.ValuesInvalid([Violation("time", "is no time with its zone, e.g. 2026-11-20T12:00:00Z")])  # fmt: skip
    return found


def _wrong(key: str, value: object, most: int, *, needed: bool) -> Violation | None:
    if value is None and not needed:
        return None
    if not isinstance(value, str) or (needed and not value):
        return Violation(key, "must be a text" + (" and not empty" if needed else ""))
    if len(value) > most:
        return Violation(key, f"has {len(value)} characters; at most {most}")
    if "\x00" in value:
        return Violation(key, "holds a character that no text has, U+0000")
    return None
