"""Imports point one way: service -> rpc, consumers, timers, jobs -> store, rules -> errors.

The chassis knows neither services nor gateway; the gateway and each service know no other service.
"""

from collections.abc import Iterator

from tools.lint.source import ENTRY_ROOMS, Finding, Source, room_of

RULE = "import-direction"
_LEVEL = {
    "errors": 0,
    "rules": 1,
    "store": 1,
    **dict.fromkeys(ENTRY_ROOMS, 2),
    "service": 3,
}


def check(source: Source) -> Iterator[Finding]:
    """One finding per import that points the wrong way."""
    if source.place not in ("chassis", "services", "gateway"):
        return
    for line, name in source.imports():
        target = name.split(".")
        if target[0] not in ("services", "gateway"):
            continue
        message = _crosses(source, target) or _climbs(source, target)
        if message:
            yield Finding(source.path, line, RULE, message)


def _crosses(source: Source, target: list[str]) -> str | None:
    """The message for an import over the border of a place or service."""
    if source.place == "chassis":
        return f"the chassis must not know {target[0]}; let it be handed in"
    if source.place == "gateway" and target[0] == "services":
        return "the gateway must not import a service; call it over gRPC"
    if source.service and target[0] == "gateway":
        return "a service must not know the gateway"
    if source.service and target[1:2] and target[1] != source.service:
        return f"{source.service} must not import {target[1]}; consume its events instead"
    return None


def _climbs(source: Source, target: list[str]) -> str | None:
    """The message for an import from a lower room to a higher one within a service."""
    here, there = source.room, room_of(target[2:])
    if here not in _LEVEL or there not in _LEVEL or target[0] != "services":
        return None
    if _LEVEL[here] < _LEVEL[there] or (here, there) == ("rules", "store"):
        return f"{here} must not import {there}; hand it in as an argument or move the code"
    return None
