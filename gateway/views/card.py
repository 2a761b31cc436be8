"""GET /v1/contacts/{id}/card: a contact with the company, what happened lately, what is open (requests, deals, quotes, invoices, tasks,
missed calls), the last calls, and what colleagues noted."""

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
from crm.deals.v1 import deal_pb2, invoice_pb2, pipeline_pb2, quote_pb2
from crm.tasks.v1 import task_pb2
from crm.telephony.v1 import call_messages_pb2
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
_DEALS = "/crm.deals.v1.DealsService/"
_INVOICES = "/crm.deals.v1.InvoicesService/ListInvoices"
_QUOTES = "/crm.deals.v1.QuotesService/ListQuotes"
_CALLS = "/crm.telephony.v1.CallsService/ListCalls"
_EACH = 20
_OF_PERSON = 'contact_id = "{id}" AND '
_REQUESTS = _OF_PERSON + "state != CLOSED AND state != LINKED"
_PINNED = _OF_PERSON + "pinned = true"
_OPEN = _OF_PERSON + "state = OPEN"
_TAKES_PART = 'party_ids:"{id}" AND state = OPEN'
_OWED = _OF_PERSON + "(state = ISSUED OR state = PARTLY_PAID)"
_CALLED = 'contact_id = "{id}"'
_MISSED = _OF_PERSON + "missed_state = OPEN"
_OFFERED = _OF_PERSON + "state = SENT"


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
        # The id stands inside a filter: only what looks like one may get there.
        of_person = id if set(id) <= _ID_LETTERS else ""

        def some(request: type[Any], filter: str, order_by: str = "") -> Any:
            return request(page_size=_EACH, filter=filter.format(id=of_person), order_by=order_by)

        timeline = timeline_pb2.ListContactTimelineRequest(id=id, page_size=_EACH)
        consents = consent_pb2.BatchGetConsentStatesRequest(contact_ids=[id])
        lists = {
            "timeline": (_CONTACTS + "ListContactTimeline", timeline, "entries"),
            "requests": (_CONTACTS + "ListRequests", some(request_pb2.ListRequestsRequest, _REQUESTS), "requests"),
            "openDeals": (_DEALS + "ListDeals", some(deal_pb2.ListDealsRequest, _TAKES_PART), "deals"),
            "openQuotes": (_QUOTES, some(quote_pb2.ListQuotesRequest, _OFFERED, "valid_until"), "quotes"),
            "openInvoices": (_INVOICES, some(invoice_pb2.ListInvoicesRequest, _OWED, "instalments.due_date"), "invoices"),
            "openTasks": (_TASKS + "ListTasks", some(task_pb2.ListTasksRequest, _OPEN, "due_time"), "tasks"),
            "notes": (_NOTES + "ListNotes", some(note_pb2.ListNotesRequest, _PINNED), "notes"),
            "agreements": (_NOTES + "ListAgreements", some(agreement_pb2.ListAgreementsRequest, _OPEN), "agreements"),
            "calls": (_CALLS, some(call_messages_pb2.ListCallsRequest, _CALLED, "start_time desc"), "calls"),
            "missedCalls": (_CALLS, some(call_messages_pb2.ListCallsRequest, _MISSED, "start_time"), "calls"),
            "consents": (_CONSENTS + "BatchGetConsentStates", consents, "contacts"),
        }  # fmt: skip
        (contact, company), facts, *found = await together(
            self._person(parts, id),
            parts.one(_FACTS, card_facts_pb2.GetContactFactsRequest(id=id)),
            *(parts.many(*asked) for asked in lists.values()),
        )
        card = {"contact": contact, "company": company, "facts": facts}
        card |= dict(zip(lists, found, strict=True))
        card["consents"] = card["consents"][0].get("states", []) if card["consents"] else []
        card["pipelines"] = await self._pipelines(parts, card["openDeals"])
        return card

    async def _pipelines(self, parts: Parts, deals: list[Any]) -> list[Any]:
        """The pipelines in which the deals stand, for the names of their stages."""
        ids = sorted({deal["pipelineId"] for deal in deals if "pipelineId" in deal})
        if not ids:
            return []
        request = pipeline_pb2.BatchGetPipelinesRequest(ids=ids)
        return await parts.many(_DEALS + "BatchGetPipelines", request, "pipelines")

    async def _person(self, parts: Parts, id: str) -> tuple[bytes, Any]:
        contact = await parts.needed(_CONTACTS + "GetContact", contact_pb2.GetContactRequest(id=id))
        company_id = orjson.loads(contact).get("companyId", "")
        if not company_id:
            return contact, None
        return contact, await parts.one(
            _CONTACTS + "GetCompany", company_pb2.GetCompanyRequest(id=company_id)
        )


_ID_LETTERS = frozenset("0123456789abcdefABCDEF-")
