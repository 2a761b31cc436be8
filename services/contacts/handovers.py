"""contacts' part of handovers and absences: whose customers, requests and agreements go to whom, and come back.

What stands on a customer is read by who may read the customer: it follows in the same step. Requests and agreements go with
their customer where the rules allow it.
"""

from collections.abc import Sequence
from typing import Any

from chassis.call import Actor, Cause
from chassis.kit import bulk
from chassis.kit.handover import Described, Held, Owner, described
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.contacts.v1 import agreement_pb2, request_pb2
from services.contacts import store, subjects
from services.contacts.rules import subjects as subject_rules

Request = request_pb2.Request
Agreement = agreement_pb2.Agreement

_FINISHED = (Request.STATE_CLOSED, Request.STATE_LINKED)
"""Nobody has to do anything about such a request any more."""


def _reader_changed(agreement: Agreement, before: str, after: str) -> None:
    """Who sees to an agreement may read it, as its further reader unless it is his anyway."""
    readers = [after if id == before else id for id in agreement.follower_ids]
    if after and after not in readers:
        readers.append(after)
    agreement.follower_ids[:] = [
        id for id in dict.fromkeys(readers) if id and id != agreement.owner_id
    ]


def _held() -> list[Held]:
    requests = Held(
        resource=store.requests,
        unfinished=store.handovers.unfinished_requests(_FINISHED),
        finished=lambda request: request.state in _FINISHED,
    )
    agreements = Held(
        resource=store.agreements,
        field="assignee_id",
        condition=store.handovers.OPEN_AGREEMENTS,
        finished=lambda agreement: agreement.state != Agreement.STATE_OPEN,
        settle=_reader_changed,
    )
    views = Held(resource=store.saved_views, condition=store.handovers.SHARED_VIEWS, lent=False)
    first = [Held(resource=store.companies), Held(resource=store.contacts), requests, agreements]
    named = {one.object for one in (*first, views)}
    others = [Held(resource=each, lent=False) for each in _owned() if each.object not in named]
    followed = [
        Held(resource=each, field="follower_ids", lent=False)
        for each in (store.companies, store.contacts, store.requests)
    ]
    return [*first, *others, views, *followed]


def _owned() -> list[Resource[Any]]:
    """Every resource whose records have an owner of their own, not that of what they stand on."""
    copies = {standing.resource.object for standing in store.STANDING}
    found = [t.info["resource"] for t in store.metadata.tables.values() if "resource" in t.info]
    return [one for one in found if "owner_id" in one.extra and one.object not in copies]


_OF_CUSTOMERS = ("contact", "request", "agreement")
"""Kinds of records that may belong to a contact or company."""


async def describe(tx: Tx, object: str, records: Sequence[Any]) -> list[Described]:
    """Labels and addresses of the record, and of the customer to whom it belongs."""
    belongs = object in _OF_CUSTOMERS
    ends = [_belongs_to(object, record) if belongs else None for record in records]
    found: dict[tuple[str, str], Any] = {}
    for kind, resource in store.PARTIES.items():
        ids = sorted({end[1] for end in ends if end is not None and end[0] == kind})
        found |= {(kind, party.id): party for party in await resource.find_many(tx, ids)}
    return [
        described(record, end, [found[end]] if end in found and object not in store.PARTIES else ())
        for record, end in zip(records, ends, strict=True)
    ]


def _belongs_to(object: str, record: Any) -> tuple[str, str] | None:
    if object != "contact" and record.contact_id:
        return "contact", record.contact_id
    if object != "company" and record.company_id:
        return "company", record.company_id
    return None


async def follow(tx: Tx, object: str, records: Sequence[Any], actor: Actor, cause: Cause) -> None:
    """What stands on these customers and requests is read by their new owners at once."""
    if object not in store.SUBJECTS:
        return
    by_id = {record.id: record for record in records}
    for standing in store.STANDING:
        resource, writes = standing.resource, []
        for record in await standing.on(tx, object, list(by_id)):
            _, id = subject_rules.subject_of(resource.object, record)
            subject_rules.copy_scope(record, by_id[id], also=subjects.further_readers(record))
            _, doc = tx.loaded[resource.name, record.id]
            writes.append(bulk.Write(record, doc))
        if writes:
            await bulk.write(tx, resource, writes, actor=actor, cause=cause)


parts = Owner(store.metadata, _held(), describe=describe, after=follow)
"""contacts' consumer and operations of handovers."""
