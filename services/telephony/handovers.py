"""telephony's part of handovers and absences: who is called instead.

calls         stay: who spoke is who spoke, and missed ones are called back by the tasks that were made of them
lines         the leaver's phone rings no more for strangers; where nobody else was named, everybody present in the department rings
extensions    go to whoever follows; one of which the leaver's profile told is retired with his account (consumers.py)

While somebody is away nothing changes: who is called then follows from the absence itself (screens.py).
"""

from chassis.kit.handover import Held, Owner
from services.telephony import store
from services.telephony.store import moves

_LINES = Held(resource=store.lines, field="user_ids", lent=False)
_EXTENSIONS = Held(
    resource=store.extensions, field="user_id", condition=moves.OWN_EXTENSIONS, lent=False
)

parts = Owner(store.metadata, [_LINES, _EXTENSIONS])
"""telephony's consumer and operations of handovers."""
