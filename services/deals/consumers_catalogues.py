"""What contacts tells of its labels and sources: their names, so that files may say them."""

from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.tx import Tx
from services.deals.store import catalogue_names

_KINDS = ("label", "source")


def _concerns_kinds(event: Any) -> bool:
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource in _KINDS


@on_any(durable="deals-catalogue-names", services=("contacts",), wants=_concerns_kinds)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    entry = getattr(event, option.resource)
    lives = not entry.HasField("delete_time")
    await catalogue_names.put_name(
        tx, option.resource, entry.id, event.change.version, name=entry.name if lives else "",
        key=getattr(entry, "key", "") if lives else "",
    )  # fmt: skip
