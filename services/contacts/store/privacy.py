"""Where this service keeps something of a person, and the statements that count, read and take it away.

Every table of the service is in one of four groups, and a test fails for a table in none:

    resources that stand on a contact or its requests    rows and history go
    requests                                             stay without what tells who asked
    plain rows that name a contact or such a record      go
    NOT_PERSONAL                                         hold nothing of anybody

A new area needs no line here if its tables name the contact as the others do (`_NAMING`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.contacts.store import card_facts, merges, timeline
from services.contacts.store.erasures import OWN
from services.contacts.store.parties import contacts
from services.contacts.store.reception import requests
from services.contacts.store.schema import metadata

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_ALL = bindparam("all_ids", type_=ARRAY(Uuid))
"""The contacts' ids and those of all that stood on them, requests too; `ids` leaves the requests out."""

_NAMING = ("contact_id", "party_id", "record_id", "linked_id", "holder_id", "low_id", "high_id")
"""Columns of plain tables that name whose row it is."""

NOT_PERSONAL = {
    *(table.name for table in OWN), "assignment_turns", "form_submissions", "audience_pages", "handover_stages",
}  # fmt: skip
"""Plain tables without anything of a person; a submission's address is a hash that ends with its minute."""

_ANONYMOUS = {card_facts.items.name}
"""Figures that stay: they only forget whose they were."""


# -- the groups ----------------------------------------------------------------------------------------


@cache
def standing() -> dict[str, Resource[Any]]:
    """Table -> the resources whose records stand on contacts or their requests, and go with them."""
    found = {}
    for table in metadata.tables.values():
        resource = table.info.get("resource")
        if resource in (None, contacts, requests):
            continue
        if {"contact_id", "request_id"} & set(resource.extra):
            found[resource.name] = resource
    return found


def rule(table: Table) -> Any:
    """Which rows of a plain table are the person's; None for a table that names nobody."""
    c = table.c
    match table.name:
        case "merges":
            return or_(c.survivor_id == any_(_IDS), c.merged_ids.overlap(_IDS))
        case "merged_parties":
            return or_(c.survivor_id == any_(_IDS), c.id == any_(_IDS))
        case "displaced_references":  # of his records, and what led from others to him
            return or_(c.record_id == any_(_ALL), c.targets.overlap(_IDS))
        case "data_link_keys":
            return c.data_link_id == any_(_IDS)
        case "timeline_guards":
            return c.object_id == any_(_IDS)
    columns = [c[name] for name in _NAMING if name in c]
    return or_(*(column == any_(_IDS) for column in columns)) if columns else None


def plain_tables() -> Iterator[Table]:
    """The tables of plain rows that hold something of persons."""
    for table in metadata.sorted_tables:
        skipped = (
            "resource" in table.info or table.info.get("history") or table.name in NOT_PERSONAL
        )
        if not skipped and table.name not in _ANONYMOUS and rule(table) is not None:
            yield table


def unplaced() -> list[str]:
    """Tables in none of the groups: nobody has thought about what they hold of a person."""
    known = {table.name for table in plain_tables()} | NOT_PERSONAL | _ANONYMOUS
    return [
        table.name
        for table in metadata.sorted_tables
        if "resource" not in table.info
        and not table.info.get("history")
        and table.name not in known
    ]


# -- reading -------------------------------------------------------------------------------------------


@cache
def _of_contacts(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    ends = [
        t[name] == any_(bind)
        for name, bind in (("contact_id", _IDS), ("request_id", _ALL))
        if name in t
    ]
    return Statement(select(t.id).where(t.tenant_id == _TENANT, or_(*ends)).order_by(t.id))


@cache
def _versions(resource: Resource[Any]) -> Statement:
    t, h = resource.table.c, resource.history.c
    now = select(t.doc).where(t.tenant_id == _TENANT, t.id == any_(_IDS))
    return Statement(now.union(select(h.doc).where(h.tenant_id == _TENANT, h.id == any_(_IDS))))


_r = requests.table.c
_REQUESTS = Statement(
    select(_r.id, _r.doc, _r.delete_time).where(_r.tenant_id == _TENANT, _r.contact_id == any_(_IDS))
    .order_by(_r.id).with_for_update()
)  # fmt: skip
_REQUEST_IDS = Statement(select(_r.id).where(_r.tenant_id == _TENANT, _r.contact_id == any_(_IDS)))
_c, _h = contacts.table.c, contacts.history.c
_THERE = Statement(
    select(_c.id).where(_c.tenant_id == _TENANT, _c.id == any_(_IDS))
    .union(select(_h.id).where(_h.tenant_id == _TENANT, _h.id == any_(_IDS)))
)  # fmt: skip


async def request_ids(tx: Tx, ids: Sequence[str]) -> list[str]:
    """The requests of these contacts, deleted ones too."""
    return [str(row["id"]) for row in await tx.fetch(_REQUEST_IDS, ids=list(ids))]


async def requests_for_update(tx: Tx, ids: Sequence[str]) -> list[tuple[str, bytes, bool]]:
    """(id, document, is deleted) of the requests of these contacts, locked."""
    await tx.begin()
    rows = await tx.fetch(_REQUESTS, ids=list(ids))
    return [(str(row["id"]), row["doc"], row["delete_time"] is not None) for row in rows]


async def standing_on(
    tx: Tx, resource: Resource[Any], ids: Sequence[str], of_requests: Sequence[str]
) -> list[str]:
    """The records of one kind that stand on these contacts or requests."""
    statement = _of_contacts(resource)
    values = {"ids": list(ids), "all_ids": list(of_requests)}
    rows = await tx.fetch(statement, **{n: v for n, v in values.items() if n in statement.names})
    return [str(row["id"]) for row in rows]


async def versions(tx: Tx, resource: Resource[Any], ids: Sequence[str]) -> list[Any]:
    """Every version of these records, as messages."""
    rows = await tx.fetch(_versions(resource), ids=list(ids)) if ids else []
    return [resource.message.FromString(row["doc"]) for row in rows]


@cache
def _naming(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    file_id = func.unnest(bindparam("file_ids", type_=ARRAY(Text))).column_valued("file_id")
    named = select(t.id).where(t.tenant_id == _TENANT, t.json.contains(file_id)).exists()
    return Statement(select(file_id).where(named))


async def held_files(tx: Tx, ids: Collection[str]) -> set[str]:
    """Those of the files that some record names; few are ever asked for, so reading every record is worth it."""
    found: set[str] = set()
    for table in metadata.sorted_tables if ids else ():
        if (resource := table.info.get("resource")) is not None:
            rows = await tx.fetch(_naming(resource), file_ids=sorted(ids))
            found |= {row["file_id"] for row in rows}
    return found


async def still_there(tx: Tx, ids: Sequence[str]) -> list[str]:
    """Those of the ids of which a contact or an old version of one is kept."""
    return [str(row["id"]) for row in await tx.fetch(_THERE, ids=list(ids))]


# -- moments in which somebody else's record held the person's values: merges that were undone -----------

_m = merges.merges.c
_UNDONE = Statement(
    select(_m.survivor_id, _m.merged_ids, _m.create_time, _m.undo_time).where(
        _m.tenant_id == _TENANT, _m.undo_time.is_not(None), _m.object == "contact",
        or_(_m.survivor_id == any_(_IDS), _m.merged_ids.overlap(_IDS)),
    )
)  # fmt: skip
_FORGET_BETWEEN = Statement(
    delete(contacts.history).where(
        _h.tenant_id == _TENANT, _h.id == bindparam("id", type_=Uuid), _h.valid_to.is_not(None),
        _h.valid_from >= bindparam("begin", type_=Moment), _h.valid_from < bindparam("end", type_=Moment),
    )
)  # fmt: skip

Span = tuple[str, datetime, datetime]
"""Somebody else, and from when to when the two were one record."""


async def lived_as_one(tx: Tx, ids: Sequence[str]) -> list[Span]:
    """Others with whom the person was merged for a while."""
    found = []
    for row in await tx.fetch(_UNDONE, ids=list(ids)):
        for other in {str(row["survivor_id"]), *map(str, row["merged_ids"])} - set(ids):
            found.append((other, row["create_time"], row["undo_time"]))
    return found


async def forget_between(tx: Tx, span: Span) -> int:
    """Takes away the versions that the other record had in that time."""
    return await tx.execute(_FORGET_BETWEEN, id=span[0], begin=span[1], end=span[2])


# -- taking away and counting --------------------------------------------------------------------------


@cache
def _gone(table: Table) -> Statement:
    return Statement(delete(table).where(table.c.tenant_id == _TENANT, table.c.id == any_(_IDS)))


@cache
def _plain(table: Table, *, count: bool) -> Statement:
    mine = and_(table.c.tenant_id == _TENANT, rule(table))
    return Statement(
        select(func.count()).select_from(table).where(mine) if count else delete(table).where(mine)
    )


_OLD = Statement(
    delete(requests.history).where(
        requests.history.c.tenant_id == _TENANT, requests.history.c.id == any_(_IDS),
        requests.history.c.valid_to.is_not(None),
    )
)  # fmt: skip
_i, _t = card_facts.items.c, timeline.entries.c
_ITEMS = Statement(
    update(card_facts.items)
    .where(_i.tenant_id == _TENANT, _i.contact_id == any_(_IDS))
    .values(contact_id=None)
)
_HEADLINES = Statement(
    update(timeline.entries)
    .where(_t.tenant_id == _TENANT, _t.object_id == any_(_ALL), _t.headline != "")
    .values(headline="")
)
_HEADLINES_OF_EVENTS = Statement(
    update(timeline.entries)
    .where(
        _t.tenant_id == _TENANT, _t.headline != "",
        _t.event_id == any_(bindparam("event_ids", type_=ARRAY(Uuid))),
    )
    .values(headline="")
)  # fmt: skip
_EVENTS_OF = Statement(
    select(_t.event_id).where(_t.tenant_id == _TENANT, _t.party_id == any_(_IDS))
)


async def take_records(tx: Tx, resource: Resource[Any], ids: Sequence[str]) -> dict[str, int]:
    """Rows and history of these records."""
    if not ids:
        return {}
    tables = (resource.table, resource.history)
    return {table.name: await tx.execute(_gone(table), ids=list(ids)) for table in tables}


async def forget_old_versions(tx: Tx, ids: Sequence[str]) -> int:
    """What these requests were before their last change."""
    return await tx.execute(_OLD, ids=list(ids)) if ids else 0


async def take_rows(tx: Tx, ids: Sequence[str], of_requests: Sequence[str]) -> dict[str, int]:
    """All plain rows; entries on timelines of others keep their kind and time, and lose their headline."""
    events = [row["event_id"] for row in await tx.fetch(_EVENTS_OF, ids=list(ids))]
    values = {"ids": list(ids), "all_ids": [*ids, *of_requests]}
    counts = {
        table.name: await _run(tx, _plain(table, count=False), values) for table in plain_tables()
    }
    counts["headlines"] = await tx.execute(_HEADLINES, all_ids=values["all_ids"])
    counts["headlines"] += await tx.execute(_HEADLINES_OF_EVENTS, event_ids=events)
    counts[card_facts.items.name] = await tx.execute(_ITEMS, ids=list(ids))
    return counts


async def _run(tx: Tx, statement: Statement, values: Mapping[str, Any]) -> int:
    return await tx.execute(statement, **{n: v for n, v in values.items() if n in statement.names})


async def count_rows(tx: Tx, ids: Sequence[str], of_requests: Sequence[str]) -> dict[str, int]:
    """How many plain rows would go."""
    values = {"ids": list(ids), "all_ids": [*ids, *of_requests]}
    counts = {}
    for table in plain_tables():
        statement = _plain(table, count=True)
        counts[table.name] = await tx.fetchval(
            statement, **{n: v for n, v in values.items() if n in statement.names}
        )
    return counts


# -- the same values elsewhere -------------------------------------------------------------------------

MOST_ELSEWHERE = 50
_DIGITS, _EMAILS = bindparam("digits", type_=ARRAY(Text)), bindparam("emails", type_=ARRAY(Text))
_v, _q = contacts.view.c, requests.view.c
_CONTACTS_WITH = Statement(
    select(
        _v.id, *(_v[name] for name in contacts.row_columns), _v.phone_digits.overlap(_DIGITS).label("phone"),
        _v.email_addresses.overlap(_EMAILS).label("email"),
    )
    .where(
        _v.tenant_id == _TENANT, ~(_v.id == any_(_IDS)),
        or_(_v.phone_digits.overlap(_DIGITS), _v.email_addresses.overlap(_EMAILS),
            _v.name_search == any_(bindparam("names", type_=ARRAY(Text)))),
    )
    .limit(MOST_ELSEWHERE)
)  # fmt: skip
_REQUESTS_WITH = Statement(
    select(
        _q.id, *(_q[name] for name in requests.row_columns),
        (_q.phone_digits == any_(_DIGITS)).label("phone"), (_q.email == any_(_EMAILS)).label("email"),
    )
    .where(
        _q.tenant_id == _TENANT, ~(func.coalesce(_q.contact_id, text(f"'{timeline.NOBODY}'::uuid")) == any_(_IDS)),
        or_(_q.phone_digits == any_(_DIGITS), _q.email == any_(_EMAILS)),
    )
    .limit(MOST_ELSEWHERE)
)  # fmt: skip


async def found_elsewhere(
    tx: Tx,
    ids: Sequence[str],
    *,
    digits: Sequence[str],
    emails: Sequence[str],
    names: Sequence[str],
) -> list[tuple[Resource[Any], Any]]:
    """Records of others with one of these values: (resource, row with id, scope, phone, email)."""
    shared = {"ids": list(ids), "digits": list(digits), "emails": list(emails)}
    found: list[tuple[Resource[Any], Any]] = [
        (contacts, row) for row in await tx.fetch(_CONTACTS_WITH, names=list(names), **shared)
    ]
    found += [(requests, row) for row in await tx.fetch(_REQUESTS_WITH, **shared)]
    return found[:MOST_ELSEWHERE]
