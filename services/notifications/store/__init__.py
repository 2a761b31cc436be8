"""The service's tables and statements, one module per resource; callers write `store.notices.page(...)`."""

from services.notifications.store import comments, deliveries, guards, notices, push, visits
from services.notifications.store.notice_rules import keys as rule_keys
from services.notifications.store.notice_rules import listening, notice_rules
from services.notifications.store.preferences import of_user as preferences_of
from services.notifications.store.preferences import preferences
from services.notifications.store.schema import metadata

__all__ = [
    "comments",
    "deliveries",
    "guards",
    "listening",
    "metadata",
    "notice_rules",
    "notices",
    "preferences",
    "preferences_of",
    "push",
    "rule_keys",
    "visits",
]
