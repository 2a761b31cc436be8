"""vCards: 4.0 (RFC 6350) out; 4.0, 3.0 (RFC 2426) and 2.1 in, streamed card by card.

Of our own, because the kept library (vobject) writes no 4.0 and reads a whole file at once.
"""

import quopri
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_HEADERS = (
    "display_name", "family_name", "given_name", "salutation", "phones", "emails", "company.name", "position", "birthday",
    "address.street", "address.city", "address.region", "address.postal_code", "address.country", "language", "time_zone",
    "labels", "external_ids",
)  # fmt: skip
_COMPANY_HEADERS = (
    "name", "phones", "emails", "website", "address.street", "address.city", "address.region", "address.postal_code",
    "address.country", "language", "time_zone", "labels", "external_ids",
)  # fmt: skip
_MOST_LINES = 2_000
"""Lines of one card that are read; a photograph has thousands, and none is needed."""
_LONGEST_LINE = 8_000
_UNESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPLIT = {mark: re.compile(rf"(?<!\\){mark}") for mark in ";,"}
_SYSTEM = "vcard"

Property = tuple[str, dict[str, str], str]
"""Name, parameters and raw value."""


def rows(path: Path, encoding: str, *, companies: bool) -> Iterator[list[str]]:
    """A line of headers, which are the imports' own, then one line for each card."""
    headers = _COMPANY_HEADERS if companies else _HEADERS
    yield list(headers)
    for card_ in cards(path, encoding):
        cells = _company_cells(card_) if companies else _contact_cells(card_)
        yield [cells.get(header, "") for header in headers]


def cards(path: Path, encoding: str) -> Iterator[list[Property]]:
    """The properties of each card; what stands outside of cards is left out."""
    current: list[Property] | None = None
    with path.open(encoding=encoding or "utf-8", errors="strict", newline=None) as file:
        for line in _unfolded(file):
            found = _property(line)
            if found is None:
                continue
            if found[0] == "BEGIN":
                current = []
            elif found[0] == "END" and current is not None:
                yield current
                current = None
            elif current is not None and len(current) < _MOST_LINES:
                current.append(found)


def _unfolded(lines: Any) -> Iterator[str]:
    """Logical lines: a line that begins with a blank goes on with the one before, as does quoted-printable with `=`."""
    held = ""
    for raw in lines:
        line = raw.rstrip("\r\n")
        if line[:1] in (" ", "\t") and held:
            held = (held + line[1:])[:_LONGEST_LINE]
        elif held.endswith("=") and "QUOTED-PRINTABLE" in held.upper():
            held = held[:-1] + line
        else:
            if held:
                yield held
            held = line
    if held:
        yield held


def _property(line: str) -> Property | None:
    match = re.match(r'((?:[^":]|"[^"]*")*):(.*)', line, re.DOTALL)
    if match is None:
        return None
    name, *rest = re.findall(r'(?:[^";]|"[^"]*")+', match[1]) or [""]
    parameters: dict[str, str] = {}
    for item in rest:
        key, equals, value = item.partition("=")
        if not equals:
            key, value = "TYPE", item  # 2.1 writes TEL;HOME;VOICE
        before = parameters.get(key.upper(), "")
        parameters[key.upper()] = f"{before},{value.strip(chr(34))}".strip(",")
    value = match[2]
    if "QUOTED-PRINTABLE" in parameters.get("ENCODING", "").upper():
        charset = parameters.get("CHARSET", "utf-8")
        try:
            value = quopri.decodestring(value.encode()).decode(charset, errors="replace")
        except LookupError:
            value = quopri.decodestring(value.encode()).decode(errors="replace")
    return name.rpartition(".")[2].upper(), parameters, value


def _text(value: str) -> str:
    return _UNESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], value).strip()


def _split(value: str, mark: str = ";") -> list[str]:
    return [_text(part) for part in _SPLIT[mark].split(value)]


def _shared(properties: Sequence[Property]) -> dict[str, str]:
    """What persons and companies have alike."""
    cells: dict[str, str] = {}

    def add(target: str, text: str) -> None:
        if text:
            cells[target] = f"{cells[target]}; {text}" if target in cells else text

    for name, _, value in properties:
        if name == "TEL":
            add("phones", re.sub(r"^tel:|;ext=", lambda m: " ext. " if "ext" in m[0] else "", _text(value)))  # fmt: skip
        elif name == "EMAIL":
            add("emails", _text(value).removeprefix("mailto:"))
        elif name == "ADR" and "address.city" not in cells and "address.street" not in cells:
            parts = [*_split(value), *[""] * 7][:7]
            cells["address.street"] = "\n".join(p for p in (parts[2], parts[1], parts[0]) if p)
            for target, text in zip(("city", "region", "postal_code", "country"), parts[3:], strict=True):  # fmt: skip
                cells[f"address.{target}"] = text
        elif name == "LANG":
            cells.setdefault("language", _text(value))
        elif name == "TZ" and "/" in value:
            cells.setdefault("time_zone", _text(value))
        elif name == "CATEGORIES":
            add("labels", "; ".join(p for p in _split(value, ",") if p))
        elif name == "UID":
            cells.setdefault("external_ids", f"{_SYSTEM}/{_text(value)}"[:200])
        elif name == "URL":
            cells.setdefault("website", _text(value))
        elif name == "ORG":
            cells.setdefault("organisation", _split(value)[0])
        elif name == "FN":
            cells.setdefault("display_name", _text(value))
    return cells


def _contact_cells(properties: Sequence[Property]) -> dict[str, str]:
    cells = _shared(properties)
    cells["company.name"] = cells.get("organisation", "")
    for name, _, value in properties:
        if name == "N":
            parts = [*_split(value), *[""] * 5][:5]
            cells["family_name"] = parts[0]
            cells["given_name"] = " ".join(p for p in parts[1:3] if p)
            cells["salutation"] = parts[3]
        elif name == "TITLE":
            cells["position"] = _text(value)
        elif name == "BDAY":
            cells["birthday"] = _date(_text(value))
    if any(n == "KIND" and v.strip().lower() == "org" for n, _, v in properties):
        cells = {"company.name": cells["company.name"] or cells.get("display_name", "")}
    return cells


def _company_cells(properties: Sequence[Property]) -> dict[str, str]:
    cells = _shared(properties)
    cells["name"] = cells.get("organisation") or cells.get("display_name", "")
    return cells


def _date(text: str) -> str:
    """`19850412` and `--0412` with dashes; anything else as it is."""
    digits = text.partition("T")[0]
    if re.fullmatch(r"\d{8}", digits):
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return f"{digits[:4]}-{digits[4:]}" if re.fullmatch(r"--\d{4}", digits) else digits


# -- out -------------------------------------------------------------------------------------------


def card(party: Any, names: Mapping[str, Mapping[str, str]]) -> str:
    """A contact or company as a vCard 4.0."""
    person = hasattr(party, "given_name")
    lines = ["BEGIN:VCARD", "VERSION:4.0", f"KIND:{'individual' if person else 'org'}"]

    def add(name: str, *parts: str) -> None:
        if any(parts):
            lines.append(f"{name}:{';'.join(map(_escaped, parts))}")

    add("UID", f"urn:uuid:{party.id}")
    add("FN", party.display_name if person else party.name)
    if person:
        add("N", party.family_name, party.given_name, "", party.salutation, "")
        add("ORG", names["companies"].get(party.company_id, ""))
        add("TITLE", party.position)
        add("BDAY", _compact(party.birthday) if party.HasField("birthday") else "")
    else:
        add("ORG", party.name)
        add("URL", party.website)
    for phone in party.phones:
        extension = f";ext={phone.extension}" if phone.extension else ""
        lines.append(f"TEL;VALUE=uri:tel:{phone.number}{extension}")
    for email in party.emails:
        add("EMAIL", email.address)
    for address in party.addresses:
        street = "\n".join(address.lines)
        add(
            "ADR",
            "",
            "",
            street,
            address.city,
            address.region,
            address.postal_code,
            address.country,
        )
    add("LANG", party.language)
    add("TZ", party.time_zone)
    labels = [_escaped(names["labels"][id]) for id in party.label_ids if id in names["labels"]]
    if labels:
        lines.append(f"CATEGORIES:{','.join(labels)}")
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCARD"])


def _escaped(text: str) -> str:
    for plain, written in (("\\", "\\\\"), (",", "\\,"), (";", "\\;"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return text.replace("\r", "")


def _compact(born: Any) -> str:
    return f"{f'{born.year:04}' if born.year else '--'}{born.month:02}{born.day:02}"


def _folded(line: str) -> str:
    """At most 75 octets in a line; a character is never cut."""
    parts, size = [""], 0
    for letter in line:
        octets = len(letter.encode())
        if size + octets > 75:
            parts.append("")
            size = 1
        parts[-1] += letter
        size += octets
    return "\r\n ".join(parts)
