"""What counts as being in touch with the customer of a deal, and by which way. Pure.

A service that comes later adds a line, by its event's full name: its contract says which fields name the customer.
"""

from collections.abc import Mapping

WAYS: Mapping[str, str] = {
    "crm.contacts.v1.RequestReceived": "request",
    "crm.contacts.v1.RequestAnswered": "request",
    "crm.deals.v1.QuoteSent": "quote",
    "crm.notifications.v1.MessageReceived": "message",
    "crm.notifications.v1.MessageSent": "message",
    "crm.telephony.v1.CallEnded": "call",
    "crm.telephony.v1.CallMissed": "call",
}
_BY_TYPE = frozenset({"call", "visit", "meeting", "message", "quote"})


def way_of_task(type_key: str) -> str:
    """The way of a task that was done, by the key of its type."""
    return type_key if type_key in _BY_TYPE else "task"
