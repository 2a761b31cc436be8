"""How fields of a message become columns that lists filter and sort by."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kit.filter import Field
from chassis.times import to_datetime


def choice(column: str, enum: Any, prefix: str, *, sortable: bool = False) -> Field:
    """A filter over an enum that is kept by its number; filters may say STATE_OPEN or OPEN."""
    names: Mapping[str, int] = dict(enum.items())
    short = {name.removeprefix(prefix): number for name, number in names.items()}
    return Field(column, "enum", enum={**names, **short}, sentinel=0, sortable=sortable)


def reference(id: str) -> str | None:
    """An id for a uuid column, where empty means none."""
    return id or None


def moment(record: Any, field: str) -> datetime | None:
    """The moment of a message's field; None where it is not set."""
    stamp: Timestamp = getattr(record, field)
    return to_datetime(stamp) if record.HasField(field) else None
