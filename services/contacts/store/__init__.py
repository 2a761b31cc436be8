"""contacts' tables and statements, one module per resource; callers write `store.contacts.get(...)`."""

from services.contacts.store import (
    calls,
    card_facts,
    duplicates,
    handovers,
    match_keys,
    merges,
    overview,
    referring,
    segments,
)
from services.contacts.store.catalogues import (
    find_form,
    forms,
    labels,
    missing_entries,
    needs,
    source_id_of,
    sources,
)
from services.contacts.store.consents import append as append_consent
from services.contacts.store.consents import entries_of as consent_entries_of
from services.contacts.store.consents import of_contacts as consents_of_contacts
from services.contacts.store.consents import of_family as consents_of_family
from services.contacts.store.consents import page_of as consents_page
from services.contacts.store.consents import purposes, purposes_of
from services.contacts.store.data_links import (
    data_changes,
    data_changes_standing,
    data_links,
    data_links_standing,
    find_link,
    keep_key,
    keep_values,
    values_of,
    waiting_changes,
)
from services.contacts.store.external_ids import (
    claim_external_ids,
    claim_many,
    release_external_ids,
)
from services.contacts.store.imports import (
    catalogue,
    holders_of_keys,
    imports,
    note_guards,
    referred,
)
from services.contacts.store.layouts import all_layouts, layouts
from services.contacts.store.notes import agreements, agreements_standing, notes, notes_standing
from services.contacts.store.parties import (
    PARTIES,
    companies,
    contacts,
    missing,
    refresh_company_names,
)
from services.contacts.store.reception import (
    holders_of_email,
    holders_of_phone,
    last_turn_for_update,
    open_counts,
    pass_turn,
    requests,
    submissions,
)
from services.contacts.store.schema import custom_fields, metadata, saved_views
from services.contacts.store.subjects import SUBJECTS
from services.contacts.store.timeline import (
    add_entry,
    note_guard,
    read_parties,
    read_party,
    read_period,
)

STANDING = (notes_standing, agreements_standing, data_links_standing, data_changes_standing)
"""All that stands on contacts, companies and requests and is read by who may read those."""

__all__ = [
    "PARTIES",
    "STANDING",
    "SUBJECTS",
    "add_entry",
    "agreements",
    "all_layouts",
    "append_consent",
    "calls",
    "card_facts",
    "catalogue",
    "claim_external_ids",
    "claim_many",
    "companies",
    "consent_entries_of",
    "consents_of_contacts",
    "consents_of_family",
    "consents_page",
    "contacts",
    "custom_fields",
    "data_changes",
    "data_links",
    "duplicates",
    "find_form",
    "find_link",
    "forms",
    "handovers",
    "holders_of_email",
    "holders_of_keys",
    "holders_of_phone",
    "imports",
    "keep_key",
    "keep_values",
    "labels",
    "last_turn_for_update",
    "layouts",
    "match_keys",
    "merges",
    "metadata",
    "missing",
    "missing_entries",
    "needs",
    "note_guard",
    "note_guards",
    "notes",
    "open_counts",
    "overview",
    "pass_turn",
    "purposes",
    "purposes_of",
    "read_parties",
    "read_party",
    "read_period",
    "referred",
    "referring",
    "refresh_company_names",
    "release_external_ids",
    "requests",
    "saved_views",
    "segments",
    "source_id_of",
    "sources",
    "submissions",
    "values_of",
    "waiting_changes",
]
