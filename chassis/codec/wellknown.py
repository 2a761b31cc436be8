"""Text forms of Timestamp, Duration and FieldMask, both ways, as plain values.

Sources: ProtoJSON (protobuf.dev/programming-guides/json), RFC 3339,
google/protobuf/{timestamp,duration,field_mask}.proto.
"""

import re
from datetime import datetime, timedelta
from functools import lru_cache

from chassis.codec.errors import EncodeError, Expected

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # seconds are counted from it, zones play no part
_DAY_S = 86_400
_NANOS = 1_000_000_000
# 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range timestamp.proto allows.
_TIMESTAMP_MIN_S, _TIMESTAMP_MAX_S = -62_135_596_800, 253_402_300_799
# 10,000 years, the range duration.proto allows.
_DURATION_MAX_S = 315_576_000_000

# Seconds, optional fraction, Z or offset. Capital letters only: ProtoJSON is stricter than RFC 3339
# here.
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
# Sign, seconds (12 digits hold the range), optional fraction.
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
# A path whose camelCase form leads back to it: lower-case words joined by single underscores.
_REVERSIBLE_PATH = re.compile(r"[^A-Z_]*(?:_[a-z][^A-Z_]*)*")


def timestamp_text(seconds: int, nanos: int) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits.

    Raises EncodeError outside the years 1 to 9999.
    """
    if not (_TIMESTAMP_MIN_S <= seconds <= _TIMESTAMP_MAX_S and 0 <= nanos < _NANOS):
        raise EncodeError(f"timestamp out of range: {seconds} s, {nanos} ns")
    days, second = divmod(seconds, _DAY_S)
    minute, second = divmod(second, 60)
    clock = f"{minute // 60:02d}:{minute % 60:02d}:{second:02d}"
    return f"{_day_text(days)}T{clock}{_fraction(nanos)}Z"


@lru_cache(4096)  # the days one process meets in a while; halves the cost of a time
def _day_text(days_since_epoch: int) -> str:
    return (_EPOCH + timedelta(days_since_epoch)).date().isoformat()


def duration_text(seconds: int, nanos: int) -> str:
    """Seconds with 0, 3, 6 or 9 fractional digits and "s".

    Raises EncodeError out of range and on mixed signs.
    """
    mixed_signs = seconds * nanos < 0
    if abs(seconds) > _DURATION_MAX_S or abs(nanos) >= _NANOS or mixed_signs:
        raise EncodeError(f"duration out of range: {seconds} s, {nanos} ns")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def _fraction(nanos: int) -> str:
    if not nanos:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    if nanos % 1_000 == 0:
        return f".{nanos // 1_000:06d}"
    return f".{nanos:09d}"


def timestamp_from(value: object) -> dict[str, int]:
    """Seconds and nanos of an RFC 3339 text with Z or an offset; raises Expected."""
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Expected("an RFC 3339 time such as 2026-01-31T09:30:00Z")
    local, fraction, sign, hours, minutes = match.groups()
    try:
        since_epoch = datetime.fromisoformat(local) - _EPOCH
    except ValueError as error:  # 30 February, hour 24, second 60
        raise Expected("a time that exists in the calendar") from error
    seconds = since_epoch.days * _DAY_S + since_epoch.seconds
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    if not _TIMESTAMP_MIN_S <= seconds <= _TIMESTAMP_MAX_S:
        raise Expected("a time within the years 0001 to 9999 UTC")
    return {"seconds": seconds, "nanos": _nanos(fraction)}


def duration_from(value: object) -> dict[str, int]:
    """Seconds and nanos (same sign) of a text such as "1.5s"; raises Expected."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > _DURATION_MAX_S:
        raise Expected(f'seconds such as "1.5s", at most {_DURATION_MAX_S}')
    sign = -1 if match[1] else 1
    return {"seconds": sign * int(match[2]), "nanos": sign * _nanos(match[3])}


def _nanos(fraction: str | None) -> int:
    return int(fraction.ljust(9, "0")) if fraction else 0


def field_mask_text(paths: list[str]) -> str:
    """Paths in camelCase joined by commas.

    Raises EncodeError for a path that would not survive the way back.
    """
    for path in paths:
        if not _REVERSIBLE_PATH.fullmatch(path):
            raise EncodeError(f"path {path!r} has no camelCase form")
    return ",".join(_camel(path) for path in paths)


def field_mask_from(value: object) -> dict[str, list[str]]:
    """Proto paths of a comma-separated text in camelCase or snake_case; raises Expected."""
    if not isinstance(value, str):
        raise Expected('paths joined by commas such as "displayName,owner.id"')
    return {"paths": [_snake(path) for path in value.split(",")] if value else []}


def _camel(path: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), path)


def _snake(path: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), path)
