"""Tasks and meetings follow the contacts and companies that are merged, and come back when a merge is undone.

Their open call tasks stay two: each has its own deadline, ladder and history, and answers its own request.
"""

from chassis.kit.following import Following
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from services.tasks.rules import following as rules
from services.tasks.store import moves

parties = Following(
    "tasks",
    united={contacts.ContactMerged: "contact", contacts.CompanyMerged: "company"},
    divided={contacts.ContactUnmerged: "contact", contacts.CompanyUnmerged: "company"},
    naming=lambda: moves.FOLLOWING,
    rules=rules,
)
