"""The inputs of a customer's data page: how a value of each kind of field is asked for, and how the answer becomes a value again.

Values are canonical JSON of the contact's fields, None where a field is empty. What an input does not show of a list's item (the
kind of a phone) stays as it is.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Field = dict[str, Any]
Posted = Mapping[str, Sequence[str]]

_LISTS = {
    "phones": ("number", "tel"),
    "emails": ("address", "email"),
    "tax_numbers": ("number", "text"),
}
_ADDRESS_PARTS = ("lines", "postalCode", "city", "region", "country")
CHANNELS = ("PHONE", "EMAIL", "SMS", "MESSENGER", "POST")
_CHANNEL = "PREFERRED_CHANNEL_"
_COMPLETE = {
    "given_name": "given-name", "family_name": "family-name", "salutation": "honorific-prefix", "birthday": "bday",
    "phones": "tel", "emails": "email", "position": "organization-title", "language": "language",
}  # fmt: skip
_WHOLE, _DATE = "CUSTOM_FIELD_TYPE_NUMBER", "CUSTOM_FIELD_TYPE_DATE"
_CHOICE, _CHOICES, _YES_NO = (
    f"CUSTOM_FIELD_TYPE_{kind}" for kind in ("CHOICE", "MULTI_CHOICE", "YES_NO")
)


def controls(field: Field, words: Mapping[str, str], described: str) -> str:
    """The inputs of a field; `described` are attributes that tie them to their error."""
    name, value = field["field"], field.get("value")
    kind = field.get("customType", "")
    if name in _LISTS:
        return _list(name, value or [], described)
    if name == "addresses":
        return "".join(_address(at, each, words) for at, each in enumerate(value or [{}]))
    if name == "preferred_channel":
        options = {f"{_CHANNEL}{channel}": words[channel] for channel in CHANNELS}
        return _select(name, options, value or "", words, described)
    if kind == _CHOICE:
        return _select(
            name, {c: c for c in field.get("choices", ())}, value or "", words, described
        )
    if kind == _YES_NO:
        shown = {True: "true", False: "false"}.get(value, "") if value is not None else ""
        return _select(name, {"true": words["yes"], "false": words["no"]}, shown, words, described)
    if kind == _CHOICES:
        return _ticks(name, field.get("choices", ()), value or [])
    if name == "birthday" or kind == _DATE:
        return _input(name, _day(value) if name == "birthday" else value or "", "date", described)
    return _input(name, _plain(value), "text", described)


def shown(field: Field, words: Mapping[str, str]) -> str:
    """A value that can only be read, as text."""
    name, value = field["field"], field.get("value")
    if value is None:
        return "–"
    if name in _LISTS:
        return ", ".join(str(each.get(_LISTS[name][0], "")) for each in value)
    if name == "addresses":
        return "; ".join(", ".join(filter(None, _texts(each).values())) for each in value)
    if name == "preferred_channel":
        return words.get(str(value).removeprefix(_CHANNEL), "–")
    if name == "birthday":
        return _day(value) or f"{value.get('day', '')}.{value.get('month', '')}."
    if isinstance(value, bool):
        return words["yes"] if value else words["no"]
    return ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)


def answer(field: Field, posted: Posted) -> Any:
    """The value that was sent for the field."""
    name, current, kind = field["field"], field.get("value"), field.get("customType", "")
    texts = [text.strip() for text in posted.get(name, ())]
    text = texts[0] if texts else ""
    if name in _LISTS:
        return _kept(current or [], _LISTS[name][0], texts)
    if name == "addresses":
        return _addresses(current or [], posted)
    if name == "birthday":
        return _date(text, current)
    if kind == _CHOICES:
        return [each for each in texts if each] or None
    if kind == _YES_NO:
        return {"true": True, "false": False}.get(text)
    if kind == _WHOLE and text.lstrip("+-").isdigit() and len(text) < 20:
        return int(text)
    return text or None


def _kept(current: list[dict[str, Any]], key: str, texts: list[str]) -> list[dict[str, Any]] | None:
    """The items in their order with their new texts; an item keeps its kind, and the rest of it if its text stays."""
    found = []
    for at, text in enumerate(texts):
        known = current[at] if at < len(current) else {}
        if text and text == known.get(key):
            found.append(known)
        elif text:
            found.append({**({"kind": known["kind"]} if "kind" in known else {}), key: text})
    return found or None


def _addresses(current: list[dict[str, Any]], posted: Posted) -> list[dict[str, Any]] | None:
    found = []
    for at in range(max(len(current), 1)):
        known = current[at] if at < len(current) else {}
        sent = {p: posted.get(f"addresses.{at}.{p}", [""])[0].strip() for p in _ADDRESS_PARTS}
        if any(sent.values()):
            address = {k: v for k, v in known.items() if k not in _ADDRESS_PARTS}
            address |= {part: text for part, text in sent.items() if text and part != "lines"}
            if lines := [line.strip() for line in sent["lines"].splitlines() if line.strip()]:
                address["lines"] = lines
            found.append(address)
    return found or None


def _date(text: str, current: Any) -> Any:
    """A birthday of which only the day is known has no place in a date input: left empty, it stays."""
    if not text:
        return current if current and not current.get("year") else None
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isdigit() and len(part) < 5 for part in parts):
        return {"year": 0}  # refused by the service, which says what a birthday is
    year, month, day = map(int, parts)
    return {"year": year, "month": month, "day": day}


def _day(value: Any) -> str:
    if not value or not value.get("year"):
        return ""
    return f"{value['year']:04}-{value.get('month', 0):02}-{value.get('day', 0):02}"


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _texts(address: dict[str, Any]) -> dict[str, str]:
    texts = {part: str(address.get(part, "")) for part in _ADDRESS_PARTS}
    return texts | {"lines": ", ".join(address.get("lines", ()))}


def _input(name: str, value: str, type_: str, described: str, place: str = "") -> str:
    complete = f' autocomplete="{_COMPLETE[name]}"' if name in _COMPLETE else ""
    id = escape(f"f-{name}{place}", quote=True)
    quoted = escape(value, quote=True)
    return (
        f'<input type="{type_}" id="{id}" name="{escape(name, quote=True)}" value="{quoted}" maxlength="4000"'
        f"{complete}{described}>"
    )


def _list(name: str, items: list[dict[str, Any]], described: str) -> str:
    """One input for each item and an empty one for another."""
    key, type_ = _LISTS[name]
    texts = [str(item.get(key, "")) for item in items] + [""]
    return "".join(
        _input(name, text, type_, described, f"-{at}" if at else "")
        for at, text in enumerate(texts)
    )


def _address(at: int, address: dict[str, Any], words: Mapping[str, str]) -> str:
    rows = []
    for part in _ADDRESS_PARTS:
        name = f"addresses.{at}.{part}"
        first = ' id="f-addresses"' if (at, part) == (0, "lines") else ""
        label = f' aria-label="{escape(words[part], quote=True)}" placeholder="{escape(words[part], quote=True)}"'
        if part == "lines":
            text = escape("\n".join(address.get("lines", ())))
            rows.append(f'<textarea{first} name="{name}" rows="2"{label}>{text}</textarea>')
        else:
            text = escape(str(address.get(part, "")), quote=True)
            rows.append(f'<input type="text" name="{name}" value="{text}" maxlength="200"{label}>')
    return f'<div class="address">{"".join(rows)}</div>'


def _select(
    name: str, options: Mapping[str, str], value: str, words: Mapping[str, str], described: str
) -> str:
    listed = "".join(
        f'<option value="{escape(key, quote=True)}"{" selected" if key == value else ""}>{escape(text)}</option>'
        for key, text in options.items()
    )
    id, quoted = escape(f"f-{name}", quote=True), escape(name, quote=True)
    return (
        f'<select id="{id}" name="{quoted}"{described}><option value="">{escape(words["choose"])}</option>'
        f"{listed}</select>"
    )


def _ticks(name: str, choices: Sequence[str], chosen: Sequence[str]) -> str:
    quoted = escape(name, quote=True)
    return "".join(
        f'<label class="choice"><input type="checkbox" name="{quoted}" value="{escape(choice, quote=True)}"'
        f"{' checked' if choice in chosen else ''}> {escape(choice)}</label>"
        for choice in choices
    )
