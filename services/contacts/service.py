"""contacts' manifest: what runs here."""

from chassis.service import Service
from services.contacts import consumers, store
from services.contacts.rpc import ContactsRpcs

service = Service(
    name="contacts",
    servicers=[ContactsRpcs],
    consumers=[consumers.seed_sources, consumers.record],
    metadata=store.metadata,
)
