"""GET /v1/contacts/{id}/card: a contact with the company, what happened lately, the open requests and tasks, and what colleagues noted."""

from typing import Any

import orjson

from crm.contacts.v1 import (
    agreement_pb2,
    card_facts_pb2,
    company_pb2,
    consent_pb2,
    contact_pb2,
    note_pb2,
    request_pb2,
    timeline_pb2,
)
from crm.tasks.v1 import task_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/contacts/{id}/card"

_CONTACTS = "/crm.contacts.v1.ContactsService/"
_FACTS = "/crm.contacts.v1.CardFactsService/GetContactFacts"
_NOTES = "/crm.contacts.v1.NotesService/"
_CONSENTS = "/crm.contacts.v1.ConsentsService/"
_TASKS = "/crm.tasks.v1.TasksService/"
_TIMELINE_SIZE, _REQUESTS_SIZE, _TASKS_SIZE = 20, 20, 20
_NOTES_SIZE, _AGREEMENTS_SIZE = 20, 20
_OPEN = 'contact_id = "{id}" AND state != CLOSED AND state != LINKED'
_PINNED = 'contact_id = "{id}" AND pinned = true'
_STILL_OPEN = 'contact_id = "{id}" AND state = OPEN'


class Card:
    """The screen's handler."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        parts = Parts(
            self._calls, self._calls.metadata(exchange, self._sessions.authorization(exchange))
        )
        card = await self._card(parts, variables[0])
        now = orjson.loads(card["contact"]).get("id", "")
        if (
            now and now != variables[0].lower()
        ):  # merged: what is found by the id is found by the survivor's
            card = await self._card(parts, now)
        return Response(200, parts.compose(card))

    async def _card(self, parts: Parts, id: str) -> dict[str, Any]:
        timeline = timeline_pb2.ListContactTimelineRequest(id=id, page_size=_TIMELINE_SIZE)
        # The id stands inside a filter: only what looks like one may get there.
        of_person = id if set(id) <= _ID_LETTERS else ""
        requests = request_pb2.ListRequestsRequest(
            page_size=_REQUESTS_SIZE, filter=_OPEN.format(id=of_person)
        )
        pinned = note_pb2.ListNotesRequest(
            page_size=_NOTES_SIZE, filter=_PINNED.format(id=of_person)
        )
        to_keep = agreement_pb2.ListAgreementsRequest(
            page_size=_AGREEMENTS_SIZE, filter=_STILL_OPEN.format(id=of_person)
        )
        to_do = task_pb2.ListTasksRequest(
            page_size=_TASKS_SIZE, filter=_STILL_OPEN.format(id=of_person), order_by="due_time"
        )
        consents = consent_pb2.BatchGetConsentStatesRequest(contact_ids=[id])
        (
            (contact, company),
            facts,
            entries,
            open_requests,
            open_tasks,
            notes,
            agreements,
            known,
        ) = await together(
            self._person(parts, id),
            parts.one(_FACTS, card_facts_pb2.GetContactFactsRequest(id=id)),
            parts.many(_CONTACTS + "ListContactTimeline", timeline, "entries"),
            parts.many(_CONTACTS + "ListRequests", requests, "requests"),
            parts.many(_TASKS + "ListTasks", to_do, "tasks"),
            parts.many(_NOTES + "ListNotes", pinned, "notes"),
            parts.many(_NOTES + "ListAgreements", to_keep, "agreements"),
            parts.many(_CONSENTS + "BatchGetConsentStates", consents, "contacts"),
        )
        return {
            "contact": contact,
            "company": company,
            "facts": facts,
            "timeline": entries,
            "requests": open_requests,
            "openTasks": open_tasks,
            "notes": notes,
            "agreements": agreements,
            "consents": known[0].get("states", []) if known else [],
        }

    async def _person(self, parts: Parts, id: str) -> tuple[bytes, Any]:
        contact = await parts.needed(_CONTACTS + "GetContact", contact_pb2.GetContactRequest(id=id))
        company_id = orjson.loads(contact).get("companyId", "")
        if not company_id:
            return contact, None
        return contact, await parts.one(
            _CONTACTS + "GetCompany", company_pb2.GetCompanyRequest(id=company_id)
        )


_ID_LETTERS = frozenset("0123456789abcdefABCDEF-")
