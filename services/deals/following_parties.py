"""Deals, and what is made for them, follow the contacts and companies that are merged, and come back when a merge is undone.

Deals stay as many as they were: each has its own way and its own end.
"""

from chassis.kit.following import Following
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from services.deals.rules import following as rules
from services.deals.store import moves

parties = Following(
    "deals",
    united={contacts.ContactMerged: "contact", contacts.CompanyMerged: "company"},
    divided={contacts.ContactUnmerged: "contact", contacts.CompanyUnmerged: "company"},
    naming=moves.naming,
    rules=rules,
)
