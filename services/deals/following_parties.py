"""Deals, and what is made for them, follow the contacts and companies that are merged, and come back when a merge is undone.

Deals stay as many as they were: each has its own way and its own end. Sales facts stay what they are, but for whose they are.
"""

from chassis.kit.following import Following
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from services.deals.rules import following as rules
from services.deals.store import moves
from services.deals.store.sales_facts import sales_facts

parties = Following(
    "deals",
    united={contacts.ContactMerged: "contact", contacts.CompanyMerged: "company"},
    divided={contacts.ContactUnmerged: "contact", contacts.CompanyUnmerged: "company"},
    naming=moves.naming,
    rules=rules,
    rows=[sales_facts],
)
