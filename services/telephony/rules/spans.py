"""Spans of time, from when (inclusive) to when (exclusive), the end None while it lasts. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

Span = tuple[datetime, datetime | None]


def paired(begins: Iterable[datetime], ends: Iterable[datetime], last: datetime | None) -> list[Span]:  # fmt: skip
    """A span for each begin (both ascending), until the first end from then on that no earlier begin took; at most until `last`."""
    found: list[Span] = []
    left = list(ends)
    for begin in begins:
        while left and left[0] < begin:
            left.pop(0)
        end = left.pop(0) if left else None
        end = min((t for t in (end, last) if t is not None), default=None)
        if end is None or begin < end:
            found.append((begin, end))
    return found


def union(*many: Iterable[Span]) -> list[Span]:
    """The same times, in ascending spans that do not touch."""
    found: list[Span] = []
    for begin, end in sorted((s for some in many for s in some), key=lambda s: s[0]):
        if not found or (found[-1][1] is not None and found[-1][1] < begin):
            found.append((begin, end))
        elif found[-1][1] is not None and (end is None or end > found[-1][1]):
            found[-1] = (found[-1][0], end)
    return found


def without(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """The times of some that are none of others."""
    left = list(some)
    for begin, end in others:
        parts: list[Span] = []
        for a, b in left:
            if (end is not None and end <= a) or (b is not None and b <= begin):
                parts.append((a, b))
                continue
            if a < begin:
                parts.append((a, begin))
            if end is not None and (b is None or end < b):
                parts.append((end, b))
        left = parts
    return left


def seconds(some: Sequence[Span]) -> int:
    """How long they last together, rounded to whole seconds; what is not over counts nothing yet."""
    whole = sum((end - begin for begin, end in union(some) if end), timedelta())
    return int(whole.total_seconds() + 0.5)
