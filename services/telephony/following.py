"""Calls and recordings follow the contacts and companies that are merged, and come back when a merge is undone.

Whose number it is follows by the records' own events (consumers_parties.py).
"""

from chassis.kit.following import Following
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from services.telephony.rules import following as rules
from services.telephony.store import moves

parties = Following(
    "telephony",
    united={contacts.ContactMerged: "contact", contacts.CompanyMerged: "company"},
    divided={contacts.ContactUnmerged: "contact", contacts.CompanyUnmerged: "company"},
    naming=lambda: moves.FOLLOWING,
    rules=rules,
)
