"""contacts' tables and statements, one module per resource; callers write `store.contacts.get(...)`."""

from services.contacts.store.catalogues import (
    find_form,
    forms,
    labels,
    missing_entries,
    needs,
    source_id_of,
    sources,
)
from services.contacts.store.parties import (
    claim_external_ids,
    companies,
    contacts,
    missing,
    release_external_ids,
)
from services.contacts.store.reception import (
    count_submission,
    holders_of_email,
    holders_of_phone,
    last_turn_for_update,
    open_counts,
    pass_turn,
    requests,
)
from services.contacts.store.schema import custom_fields, metadata, saved_views
from services.contacts.store.timeline import add_entry, note_guard, read_party, read_period

__all__ = [
    "add_entry",
    "claim_external_ids",
    "companies",
    "contacts",
    "count_submission",
    "custom_fields",
    "find_form",
    "forms",
    "holders_of_email",
    "holders_of_phone",
    "labels",
    "last_turn_for_update",
    "metadata",
    "missing",
    "missing_entries",
    "needs",
    "note_guard",
    "open_counts",
    "pass_turn",
    "read_party",
    "read_period",
    "release_external_ids",
    "requests",
    "saved_views",
    "source_id_of",
    "sources",
]
