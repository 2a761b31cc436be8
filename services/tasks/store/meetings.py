"""Meetings, and how those of several people in a stretch of time are found."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, SmallInteger, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.fold import search_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.tasks.v1 import meeting_pb2
from services.tasks.rules import occurrences
from services.tasks.store.schema import metadata

Meeting = meeting_pb2.Meeting
MOST_FOUND = 5_000
"""How many meetings a look into calendars reads: a hundred people's day, or twenty people's two months."""


def _values(meeting: Meeting) -> dict[str, Any]:
    first, last = occurrences.extent(meeting)
    people = [meeting.owner_id, *(each.user_id for each in meeting.participants)]
    return {
        "owner_id": reference(meeting.owner_id),
        "follower_ids": list(meeting.follower_ids),
        "person_ids": list(dict.fromkeys(id for id in people if id)),
        "contact_ids": list(meeting.contact_ids),
        "contact_id": reference(meeting.contact_id),
        "company_id": reference(meeting.company_id),
        "state": meeting.state,
        "start_time": to_datetime(meeting.start_time),
        "first_time": first,
        "last_time": last,
        "search": search_key(meeting.subject),
        "search_open": "",  # what text search finds where the subject is hidden from the caller
    }


meetings = Resource(
    Meeting,
    metadata,
    table="meetings",
    columns=[
        Column("owner_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("person_ids", ARRAY(Uuid), nullable=False), Column("contact_ids", ARRAY(Uuid), nullable=False),
        Column("contact_id", Uuid), Column("company_id", Uuid), Column("state", SmallInteger, nullable=False),
        Column("start_time", Moment, nullable=False), Column("first_time", Moment, nullable=False),
        Column("last_time", Moment, nullable=False), Column("search", Text, nullable=False),
        Column("search_open", Text, nullable=False),
    ],
    values=_values,
    items=[
        # Without a pending list, which every look into a calendar would read through.
        Index("ix_meetings_people", "person_ids", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        # Mostly what is to come is asked for; with the one above, five years that are over cost nothing.
        Index("ix_meetings_last_time", "tenant_id", "last_time"),
        Index("ix_meetings_contacts", "contact_ids", postgresql_using="gin", postgresql_where=text("contact_ids <> '{}'")),
        Index("ix_meetings_company", "tenant_id", "company_id", "start_time", "id", postgresql_where=text("company_id IS NOT NULL")),
    ],
    fields={
        "owner_id": Field("owner_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "contact_ids": Field("contact_ids", "uuid_array"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "state": choice("state", Meeting.State, "STATE_"),
        "start_time": Field("start_time", "timestamp", sortable=True),
    },
    search="search",
    open_search="search_open",
    search_reveals=("subject",),
    default_order="start_time",
)  # fmt: skip

_v = meetings.view.c
_OF_PEOPLE = meetings.select(
    _v.person_ids.overlap(bindparam("person_ids", type_=ARRAY(Uuid))),
    _v.last_time > bindparam("since", type_=Moment),
    _v.first_time < bindparam("until", type_=Moment),
    _v.state == int(Meeting.STATE_SCHEDULED),
    order=(_v.first_time, _v.id),
    limit=MOST_FOUND,
)


async def of_people(
    tx: Tx, person_ids: Iterable[str], since: datetime, until: datetime
) -> list[Meeting]:
    """The meetings that take place and have to do with any of these people, and whose first and last time, the way included,
    enclose a part of the stretch; whoever asks."""
    return await meetings.find_where(
        tx, _OF_PEOPLE, person_ids=list(person_ids), since=since, until=until
    )
