"""What handovers moved, and what followed contacts and companies that were merged (the kit writes both)."""

from typing import Any

from chassis.kit import following, handover_moves
from chassis.kit.resource import Resource
from services.telephony.store.calls import calls
from services.telephony.store.catalogues import extensions
from services.telephony.store.recordings import recordings
from services.telephony.store.schema import metadata

FOLLOWING: dict[str, Resource[Any]] = {"call": calls, "recording": recordings}
"""Object -> resource of what names a contact or company."""

following.declare(metadata)

handover_moves.tables(metadata)

OWN_EXTENSIONS = extensions.view.c.from_profile.is_(False)
"""Extensions that profiles tell of stay with their profiles."""
