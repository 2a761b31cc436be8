"""Where a reader is: the last sequence of each stream, as text `CONTACTS:120,IDENTITY:7` in the ids of live events."""

import re

from chassis import errors

Position = dict[str, int]

# Names as NATS has them, numbers that fit its 64 bits, no more parts than there could be services.
_PART = re.compile(r"([A-Z][A-Z0-9_]{0,39}):(\d{1,19})")
_MAX_PARTS = 50


def format_position(position: Position) -> str:
    """The position as an event id; streams in the order of their names, so that equal positions are equal texts."""
    return ",".join(f"{stream}:{sequence}" for stream, sequence in sorted(position.items()))


def parse_position(text: str) -> Position:
    """The inverse; InvalidArgument if the text never was an id of ours."""
    position: Position = {}
    parts = text.split(",")
    for part in parts[:_MAX_PARTS]:
        found = _PART.fullmatch(part.strip())
        if found is None or len(parts) > _MAX_PARTS:
            raise errors.InvalidArgument(
                "this is not a position in the live stream; begin without one",
                [errors.Violation("since", f"{text[:60]!r} is not an id that this stream sent")],
            )
        position[found[1]] = int(found[2])
    return position
