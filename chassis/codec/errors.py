"""What the codec refuses, and the words it uses for it.

ValueError
+-- DecodeError   the caller's JSON or path is wrong; carries every violation
+-- EncodeError   the message holds what JSON cannot say, such as NaN in a Value
+-- Expected      inside the codec only: one value is not what its field takes
"""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Long enough to recognise one's own value, short enough for one line of an answer.
_SHOWN_CHARS = 60
# Names of map keys and unknown fields are the caller's, of any length; paths in answers are not.
_PATH_CHARS = 200
# No field takes so many bits, and printing a huge integer costs quadratic time.
_SHOWN_BITS = 256


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault: `field` is a JSON path such as `phones[2].number`, empty for the body itself."""

    field: str
    description: str


class DecodeError(ValueError):
    """The JSON or the path was refused; `violations` holds all faults, in the order of the body.

    Its text names fields only, never values, so that it may be logged.
    """

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = list(violations)
        named = ", ".join(violation.field or "(body)" for violation in self.violations[:5])
        rest = len(self.violations) - 5
        super().__init__(f"refused: {named}" + (f" and {rest} more" if rest > 0 else ""))


class EncodeError(ValueError):
    """The message has no JSON form; `field` is the JSON path of the fault."""

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description
        self.field = ""

    def within(self, name: str) -> "EncodeError":
        """The same fault seen from the message that holds it in its field `name`."""
        self.field = f"{name}.{self.field}" if self.field else name
        return self

    def __str__(self) -> str:
        return f"{self.field}: {self.description}" if self.field else self.description


class Expected(ValueError):
    """A value is not what its field takes; the text says what that is ("true or false")."""

    def describe(self, value: Any) -> str:
        """The violation's description for the refused `value`."""
        return f"expected {self}, got {shown(value)}"


def shown_path(path: str) -> str:
    """A path as an answer may repeat it: 200 characters at most."""
    return path if len(path) <= _PATH_CHARS else path[: _PATH_CHARS - 1] + "…"


def shown(value: Any) -> str:
    """`value` as an answer may repeat it: 60 characters at most, containers by their kind."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return "a very large number"
    if isinstance(value, str):
        return _shortened(json.dumps(value[:_SHOWN_CHARS], ensure_ascii=False), len(value))
    if value is None or isinstance(value, bool | int | float):
        return _shortened(json.dumps(value), 0)
    return type(value).__name__


def _shortened(text: str, full_length: int) -> str:
    if len(text) <= _SHOWN_CHARS and full_length <= _SHOWN_CHARS:
        return text
    return text[: _SHOWN_CHARS - 1] + "…"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The description for a field nobody knows, with the closest known name when one is close."""
    by_folded = {_folded(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_folded(name[:_SHOWN_CHARS]), by_folded, n=1)
    described = f"unknown field {shown(name)}"
    return f"{described}, did you mean {shown(by_folded[close[0]])}?" if close else described


def _folded(name: str) -> str:
    """Names that differ only in case and underscores count as the same for a suggestion."""
    return name.replace("_", "").lower()
