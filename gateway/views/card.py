"""GET /v1/contacts/{id}/card: a contact with the company, what happened lately and the open requests."""

from typing import Any

import orjson

from crm.contacts.v1 import company_pb2, contact_pb2, request_pb2, timeline_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/contacts/{id}/card"

_CONTACTS = "/crm.contacts.v1.ContactsService/"
_TIMELINE_SIZE, _REQUESTS_SIZE = 20, 20
_OPEN = 'contact_id = "{id}" AND state != CLOSED AND state != LINKED'


class Card:
    """The screen's handler."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        parts = Parts(
            self._calls, self._calls.metadata(exchange, self._sessions.authorization(exchange))
        )
        id = variables[0]
        timeline = timeline_pb2.ListContactTimelineRequest(id=id, page_size=_TIMELINE_SIZE)
        # The id stands inside a filter: only what looks like one may get there.
        requests = request_pb2.ListRequestsRequest(
            page_size=_REQUESTS_SIZE, filter=_OPEN.format(id=id if set(id) <= _ID_LETTERS else "")
        )
        (contact, company), entries, open_requests = await together(
            self._person(parts, id),
            parts.many(_CONTACTS + "ListContactTimeline", timeline, "entries"),
            parts.many(_CONTACTS + "ListRequests", requests, "requests"),
        )
        return Response(
            200,
            parts.compose(
                {
                    "contact": contact,
                    "company": company,
                    "timeline": entries,
                    "requests": open_requests,
                }
            ),
        )

    async def _person(self, parts: Parts, id: str) -> tuple[bytes, Any]:
        contact = await parts.needed(_CONTACTS + "GetContact", contact_pb2.GetContactRequest(id=id))
        company_id = orjson.loads(contact).get("companyId", "")
        if not company_id:
            return contact, None
        return contact, await parts.one(
            _CONTACTS + "GetCompany", company_pb2.GetCompanyRequest(id=company_id)
        )


_ID_LETTERS = frozenset("0123456789abcdefABCDEF-")
