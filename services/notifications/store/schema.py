"""What all tables of this service share."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import DateTime, MetaData

from chassis.kit.filter import Field

metadata = MetaData(info={"package": "crm.notifications.v1"})
Moment = DateTime(timezone=True)


def choice(column: str, enum: Any, prefix: str, *, sortable: bool = False) -> Field:
    """A filter over an enum that is kept by its number; filters may say WAY_FEED or FEED."""
    names: Mapping[str, int] = dict(enum.items())
    short = {name.removeprefix(prefix): number for name, number in names.items()}
    return Field(column, "enum", enum={**names, **short}, sentinel=0, sortable=sortable)


def reference(id: str) -> str | None:
    """An id for a uuid column, where empty means none."""
    return id or None
