"""Cells as moments: a day, perhaps with a time and an offset, before anybody knows in whose zone it is meant."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from chassis.kit.imports import values
from chassis.kit.imports.values import WrongValue

_TIME = re.compile(
    r"[T ,]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap]m)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_NOON, _LAST_MINUTE = time(12), time(23, 59)


@dataclass(frozen=True, slots=True)
class Said:
    """A day, or a moment on the clock of a zone that may be said too."""

    day: date
    clock: time | None = None
    offset: timezone | None = None

    def instant(self, zone: str) -> datetime:
        """The moment, read in `zone` where the cell names none; of a day alone, its noon."""
        clock = self.clock or _NOON
        where = ZoneInfo(zone) if self.offset is None else self.offset
        return datetime.combine(self.day, clock, where).astimezone(UTC)

    def until(self, zone: str) -> datetime:
        """The moment by which something is to be done: of a day alone, its last minute."""
        said = self if self.clock else replace(self, clock=_LAST_MINUTE)
        return said.instant(zone)

    def past(self, zone: str, now: datetime) -> datetime:
        """The moment of something that has happened: of today alone, now at the latest."""
        at = self.instant(zone)
        today = now.astimezone(ZoneInfo(zone)).date()
        return min(at, now) if self.clock is None and self.day == today else at


def moment(cell: str, order: int) -> Said:
    """A day, perhaps with a time and an offset; WrongValue."""
    day = date(*values.parse_date(cell, order))
    told = _TIME.search(cell.strip())
    if told is None:
        if ":" in cell:
            raise WrongValue(
                f"{cell!r} has no time that can be read; write it like 2026-12-31 16:30"
            )
        return Said(day)
    hour, minute, second, half, offset = told.groups()
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    try:
        clock = time(hours, int(minute), int(second or 0))
    except ValueError:
        raise WrongValue(f"{cell!r} is no time of the clock") from None
    return Said(day, clock, _offset(offset))


def written(at: datetime) -> str:
    """A moment as `moment` reads it, whatever the zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    if text in "Zz":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
