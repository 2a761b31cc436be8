"""contacts' manifest: what runs here."""

from chassis.service import Service
from services.contacts import (
    audiences,
    certificates,
    consumers,
    consumers_calls,
    consumers_deals,
    duplicates,
    erasing,
    erasure_list,
    facts,
    handovers,
    personal_data,
    segments,
    store,
    timers,
)
from services.contacts.rpc import ContactsRpcs
from services.contacts.rpc.card_facts import CardFactsRpcs
from services.contacts.rpc.consents import ConsentsRpcs
from services.contacts.rpc.data_links import DataLinksRpcs
from services.contacts.rpc.duplicates import Duplicates
from services.contacts.rpc.explain import Access
from services.contacts.rpc.imports import IMPORT_OPERATIONS, ImportsRpcs, forget_imports
from services.contacts.rpc.layouts import LayoutsRpcs
from services.contacts.rpc.notes import NotesRpcs
from services.contacts.rpc.privacy import Privacy
from services.contacts.rpc.segments import SegmentsRpcs

service = Service(
    name="contacts",
    servicers=[
        ContactsRpcs,
        ImportsRpcs,
        Access,
        NotesRpcs,
        LayoutsRpcs,
        ConsentsRpcs,
        DataLinksRpcs,
        Duplicates,
        SegmentsRpcs,
        CardFactsRpcs,
        Privacy,
    ],
    consumers=[
        consumers.seed_sources,
        consumers.record,
        duplicates.compare,
        duplicates.compare_imported,
        duplicates.note_pair,
        facts.follow,
        consumers_deals.follow,
        consumers_calls.follow,
        audiences.note_request,
        *handovers.parts.consumers,
        *certificates.consumers(),
        *personal_data.consumers(),
    ],
    timers=[timers.company_renamed, duplicates.scan_later, segments.night, erasing.watch],
    operations=[
        *IMPORT_OPERATIONS,
        *handovers.parts.operations,
        erasing.erase,
        personal_data.export,
        duplicates.scan,
        duplicates.merge_all,
        duplicates.undo_all,
        facts.rebuild,
        audiences.resolve,
        segments.evaluate_changed,
        segments.evaluate_by_hand,
        segments.evaluate_nightly,
    ],
    metadata=store.metadata,
    nightly=[forget_imports],
    on_start=erasure_list.reapply,
)
