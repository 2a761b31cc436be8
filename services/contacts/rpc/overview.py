"""A person with everything of contacts that his card shows, each part as its own RPC would give it."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from chassis import codec, errors, permits
from chassis.call import Raw
from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.kit.about import FIRST, About, first_of
from chassis.tx import Tx
from crm.contacts.v1 import contact_overview_pb2 as pb
from crm.contacts.v1 import timeline_pb2
from services.contacts import facts, store
from services.contacts.rpc import timeline
from services.contacts.rules import consents as consent_rules

_CONTACTS = "/crm.contacts.v1.ContactsService/"
_NOTES = "/crm.contacts.v1.NotesService/"
_FACTS = "/crm.contacts.v1.CardFactsService/GetContactFacts"
_CONSENTS = "/crm.contacts.v1.ConsentsService/BatchGetConsentStates"
_OF_PERSON = 'contact_id = "{id}" AND '
_OPEN = {
    "requests": About(
        _CONTACTS + "ListRequests", store.requests, _OF_PERSON + "state != CLOSED AND state != LINKED"
    ),
    "notes": About(_NOTES + "ListNotes", store.notes, _OF_PERSON + "pinned = true"),
    "agreements": About(_NOTES + "ListAgreements", store.agreements, _OF_PERSON + "state = OPEN"),
}  # fmt: skip


class Overview(Servicer):
    """`/v1/contacts/{id}/overview`."""

    @reads
    async def GetContactOverview(self, request: pb.GetContactOverviewRequest, tx: Tx) -> Raw:
        assert tx.call is not None
        permits.require(tx, _CONTACTS + "GetContact")
        json = tx.call.wants_json
        row = await _person(tx, request.id, json=json)
        id = str(row["id"])
        family = await store.merges.family(tx, "contact", [id]) if row["is_survivor"] else {id: ""}
        parts: dict[str, Any] = {"contact": _record(tx, store.contacts, row, json=json)}
        if (company := await _company(tx, row, json=json)) is not None:
            parts["company"] = company
        if permits.may(tx, _FACTS):
            parts["facts"] = _encoded(facts.shown(tx, "contact", row), json=json)
        told = [*await _timeline(tx, id, family)]
        parts["timeline"] = [_encoded(entry, json=json) for entry in told]
        parts |= await first_of(tx, id, _OPEN)
        states = await _consents(tx, row, family)
        parts["consents"] = [_encoded(state, json=json) for state in states]
        return Raw(showing.joined(pb.ContactOverview, parts, json=json), json=json)


async def _person(tx: Tx, id: str, *, json: bool) -> Any:
    """The contact's row, or that of the survivor of whom it is a part; NotFound if the caller may not read it."""
    kinds = [
        showing.column_shown(tx, store.PARTIES[of], json=json) for of in ("contact", "company")
    ]
    for asked in (id, ""):
        asked = asked or await store.merges.survivor(tx, "contact", id)
        row = await store.overview.read(tx, asked, *kinds)
        if row is not None and _is_readable(tx, store.contacts, row):
            return row
    raise store.contacts.not_found(id)


async def _company(tx: Tx, row: Any, *, json: bool) -> bytes | None:
    """The person's company; None without one, or where the caller sees neither it nor whom he works for."""
    if row["company_id"] is None or not permits.may(tx, _CONTACTS + "GetCompany"):
        return None
    try:
        showing.refuse_unreadable(tx, store.contacts, ["company_id"])
        company = store.overview.company_in(row)
        if not _is_readable(tx, store.companies, company):
            now = await store.merges.survivor(tx, "company", str(row["company_id"]))
            column = showing.column_shown(tx, store.companies, json=json)
            company = await store.companies.row(tx, now, column)
    except (errors.PermissionDenied, errors.NotFound):
        return None
    return _record(tx, store.companies, company, json=json)


def _is_readable(tx: Tx, resource: Any, row: Any) -> bool:
    alive = row["version"] is not None and row["delete_time"] is None
    return alive and bool(resource.reaches(tx, row, "read"))


async def _timeline(tx: Tx, id: str, family: Mapping[str, str]) -> list[Any]:
    if not permits.may(tx, _CONTACTS + "ListContactTimeline"):
        return []
    request = timeline_pb2.ListContactTimelineRequest(id=id, page_size=FIRST)
    return list((await timeline.page_of(tx, request, list(family))).entries)


async def _consents(tx: Tx, row: Any, family: Mapping[str, str]) -> list[Any]:
    if not permits.may(tx, _CONSENTS):
        return []
    if not tx.rights.reaches("consent", "read", *store.contacts.scope_of(row)):
        return []
    return consent_rules.effective(await store.consents_of_family(tx, family))


def _record(tx: Tx, resource: Any, row: Any, *, json: bool) -> bytes:
    return showing.shown(tx, resource, row, "json" if json else "doc")


def _encoded(message: Message, *, json: bool) -> bytes:
    return codec.to_json(message) if json else message.SerializeToString()
