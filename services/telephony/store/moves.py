"""What follows contacts and companies that were merged (the kit writes it)."""

from typing import Any

from chassis.kit import following
from chassis.kit.resource import Resource
from services.telephony.store.calls import calls
from services.telephony.store.recordings import recordings
from services.telephony.store.schema import metadata

FOLLOWING: dict[str, Resource[Any]] = {"call": calls, "recording": recordings}
"""Object -> resource of what names a contact or company."""

following.declare(metadata)
