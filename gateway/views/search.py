"""GET /v1/search?q=: contacts, companies and requests at once, up to ten of each."""

from chassis import errors
from chassis.errors import Violation
from crm.contacts.v1 import company_pb2, contact_pb2, request_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/search"

_CONTACTS = "/crm.contacts.v1.ContactsService/"
_EACH = 10
_MAX_LENGTH = 200


class Search:
    """The screen's handler."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        q = exchange.argument("q").strip()
        if not q or len(q) > _MAX_LENGTH:
            raise errors.InvalidArgument(
                "say what to search for",
                [Violation("q", f"a text of 1 to {_MAX_LENGTH} characters")],
            )
        authorization = self._sessions.authorization(exchange)
        if not authorization:
            raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
        parts = Parts(self._calls, self._calls.metadata(exchange, authorization))
        contacts, companies, requests = await together(
            parts.many(
                _CONTACTS + "ListContacts",
                contact_pb2.ListContactsRequest(q=q, page_size=_EACH),
                "contacts",
            ),
            parts.many(
                _CONTACTS + "ListCompanies",
                company_pb2.ListCompaniesRequest(q=q, page_size=_EACH),
                "companies",
            ),
            parts.many(
                _CONTACTS + "ListRequests",
                request_pb2.ListRequestsRequest(q=q, page_size=_EACH),
                "requests",
            ),
        )
        return Response(
            200, parts.compose({"contacts": contacts, "companies": companies, "requests": requests})
        )
