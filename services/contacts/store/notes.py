"""Notes and agreements: where they stand, and what lists find them by."""

from typing import Any

from sqlalchemy import Boolean, Column, Date, Index, SmallInteger, Text, Uuid

from chassis.fold import search_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from crm.contacts.v1 import agreement_pb2, note_pb2
from services.contacts.rules import days
from services.contacts.store.schema import metadata
from services.contacts.store.subjects import (
    Standing,
    subject_columns,
    subject_fields,
    subject_values,
)

_SEARCHED_TEXT = 5_000  # characters of a note that search looks into
_NOTE_ENDS = ("contact_id", "company_id", "request_id")
_AGREEMENT_ENDS = ("contact_id", "company_id")


def _end_indexes(table: str, ends: tuple[str, ...]) -> list[Index]:
    return [
        Index(f"ix_{table}_{end.removesuffix('_id')}", "tenant_id", end, "create_time", "id")
        for end in ends
    ]


notes = Resource(
    note_pb2.Note,
    metadata,
    table="notes",
    columns=[
        *subject_columns(*_NOTE_ENDS), Column("author_id", Uuid), Column("pinned", Boolean, nullable=False),
        Column("search", Text, nullable=False), Column("search_open", Text, nullable=False),
    ],
    values=lambda note: {
        **subject_values(note, *_NOTE_ENDS),
        "author_id": reference(note.author_id),
        "pinned": note.pinned,
        "search": search_key(note.text[:_SEARCHED_TEXT]),
        "search_open": "",  # what text search finds where the text is hidden from the caller
    },
    items=_end_indexes("notes", _NOTE_ENDS),
    fields={
        **subject_fields(*_NOTE_ENDS),
        "author_id": Field("author_id", "uuid"),
        "pinned": Field("pinned", "bool"),
    },
    search="search",
    open_search="search_open",
    search_reveals=("text",),
)  # fmt: skip


def _agreement_values(agreement: agreement_pb2.Agreement) -> dict[str, Any]:
    return {
        **subject_values(agreement, *_AGREEMENT_ENDS),
        "author_id": reference(agreement.author_id),
        "assignee_id": reference(agreement.assignee_id),
        "state": agreement.state,
        "date": days.day_of(agreement.date),
    }


agreements = Resource(
    agreement_pb2.Agreement,
    metadata,
    table="agreements",
    columns=[
        *subject_columns(*_AGREEMENT_ENDS), Column("author_id", Uuid), Column("assignee_id", Uuid),
        Column("state", SmallInteger, nullable=False), Column("date", Date, nullable=False),
    ],
    values=_agreement_values,
    items=[
        *_end_indexes("agreements", _AGREEMENT_ENDS),
        Index("ix_agreements_assignee", "tenant_id", "assignee_id", "state", "date", "id"),
    ],
    fields={
        **subject_fields(*_AGREEMENT_ENDS),
        "author_id": Field("author_id", "uuid"),
        "assignee_id": Field("assignee_id", "uuid"),
        "state": choice("state", agreement_pb2.Agreement.State, "STATE_"),
        "date": Field("date", "date", sortable=True),
    },
    default_order="date",
)  # fmt: skip

notes_standing = Standing(notes, *_NOTE_ENDS)
agreements_standing = Standing(agreements, *_AGREEMENT_ENDS)
