"""What a provider tells of calls by signed calls, as facts. Pure. docs/telephony.md says what a provider writes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from chassis.errors import Violation
from services.telephony import errors
from services.telephony.pbx.facts import Fact, Kind, Side

MOST_EVENTS = 100
_TYPES = {kind.value.replace(" ", "_"): kind for kind in Kind}
_SIDES = {"": Side.UNKNOWN, "outside": Side.OUTSIDE, "colleague": Side.COLLEAGUE}
_LONGEST = {
    "id": 100, "type": 40, "call_id": 100, "leg_id": 100, "time": 40, "side": 20, "number": 60, "line": 60,
    "dialled": 60, "room": 100, "recording": 1000,
}  # fmt: skip
_OF_THE_CALL = (Kind.RECORDING, Kind.RECORDED)
_MOST_CAUSE = 127  # Q.850 has seven bits


def read(content: bytes, host: str) -> list[Fact]:
    """The facts in a body; EventInvalid with everything that is wrong. Recordings lie on `host` only."""
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        given = None
    events = given.get("events") if isinstance(given, dict) else None
    if not isinstance(events, list) or not events:
        raise errors.EventInvalid([Violation("content", "must be a JSON object with events, a list that is not empty")])  # fmt: skip
    if len(events) > MOST_EVENTS:
        raise errors.EventInvalid([Violation("events", f"has {len(events)} events; send at most {MOST_EVENTS} at once")])  # fmt: skip
    wrong: list[Violation] = []
    facts = [_fact(event, f"events[{at}]", host, wrong) for at, event in enumerate(events)]
    if wrong:
        raise errors.EventInvalid(wrong)
    return [fact for fact in facts if fact is not None]


def recordings_host(address: str, named: str) -> str:
    """Where recordings of a provider lie: on the host that is named, else where it is asked to dial."""
    return named.lower() or (urlsplit(address).hostname or "")


def _fact(event: Any, path: str, host: str, wrong: list[Violation]) -> Fact | None:
    """The fact in one event; None after noting what is wrong."""
    if not isinstance(event, dict):
        wrong.append(Violation(path, "must be an object"))
        return None
    found = _texts(event, path)
    texts = {key: event.get(key) or "" for key in _LONGEST}
    if not found:
        found = _meaning(event, texts, path, host)
    wrong += found
    if found:
        return None
    kind = _TYPES[texts["type"]]
    number = texts["number"]
    return Fact(
        call=texts["call_id"],
        leg="" if kind in _OF_THE_CALL else f"{texts['call_id']}/{texts['leg_id']}",
        kind=kind,
        time=datetime.fromisoformat(texts["time"]),
        side=_SIDES[texts["side"]],
        number=number,
        line=texts["line"],
        dialled=texts["dialled"],
        withheld=event.get("withheld") is True and not number,
        room=texts["room"],
        cause=event.get("cause") or 0,
        recording=texts["recording"],
    )


def _texts(event: Mapping[str, Any], path: str) -> list[Violation]:
    """What of the texts is none, or too long."""
    found = []
    for key, most in _LONGEST.items():
        value = event.get(key)
        needed = key in ("type", "call_id", "time")
        if (value is None and not needed) or (isinstance(value, str) and (value or not needed)):
            if len(value or "") > most:
                found.append(Violation(f"{path}.{key}", f"has {len(value)} characters; at most {most}"))  # fmt: skip
            elif "\x00" in (value or ""):
                found.append(Violation(f"{path}.{key}", "holds a character that no text has, U+0000"))  # fmt: skip
        else:
            found.append(Violation(f"{path}.{key}", "must be a text" + (" and not empty" if needed else "")))  # fmt: skip
    return found


def _meaning(
    event: Mapping[str, Any], texts: Mapping[str, str], path: str, host: str
) -> list[Violation]:
    """What the texts cannot mean."""
    kind, found = _TYPES.get(texts["type"]), []
    if kind is None:
        found.append(Violation(f"{path}.type", f"must be one of {', '.join(_TYPES)}"))
    if texts["side"] not in _SIDES:
        found.append(Violation(f"{path}.side", "must be outside or colleague"))
    if not _is_moment(texts["time"]):
        found.append(Violation(f"{path}.time", "is no time with its zone, e.g. 2026-11-20T12:00:00Z"))  # fmt: skip
    cause = event.get("cause") or 0
    if type(cause) is not int or not 0 <= cause <= _MOST_CAUSE:
        found.append(Violation(f"{path}.cause", f"must be a number from 0 to {_MOST_CAUSE}"))
    if kind in _OF_THE_CALL:
        found += _address(texts["recording"], f"{path}.recording", host)
    elif not texts["leg_id"]:
        found.append(Violation(f"{path}.leg_id", "must say which phone of the call it is"))
    elif kind is Kind.BEGAN and not texts["side"]:
        found.append(Violation(f"{path}.side", "must be said where a phone begins"))
    return found


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _address(text: str, path: str, host: str) -> list[Violation]:
    """A recording is fetched later, so its address may not lead anywhere else."""
    try:
        parts = urlsplit(text)
        fits = (parts.scheme, parts.hostname) == ("https", host) and parts.port in (None, 443)
        if fits and not (parts.username or parts.password):
            return []
    except ValueError:
        pass
    return [Violation(path, f"must be an https address on {host or 'the host that the exchange names for recordings'}")]  # fmt: skip
