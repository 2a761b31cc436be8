"""GET /v1/search?q=: contacts, companies, requests, deals, quotes, invoices and calls at once, up to ten of each."""

from chassis import errors
from chassis.errors import Violation
from crm.contacts.v1 import company_pb2, contact_pb2, request_pb2
from crm.deals.v1 import deal_pb2, invoice_pb2, quote_pb2
from crm.telephony.v1 import call_messages_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/search"

_CONTACTS = "/crm.contacts.v1.ContactsService/"
_DEALS = "/crm.deals.v1."
_CALLS = "/crm.telephony.v1.CallsService/ListCalls"
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
        lists = {
            "contacts": (_CONTACTS + "ListContacts", contact_pb2.ListContactsRequest),
            "companies": (_CONTACTS + "ListCompanies", company_pb2.ListCompaniesRequest),
            "requests": (_CONTACTS + "ListRequests", request_pb2.ListRequestsRequest),
            "deals": (_DEALS + "DealsService/ListDeals", deal_pb2.ListDealsRequest),
            "quotes": (_DEALS + "QuotesService/ListQuotes", quote_pb2.ListQuotesRequest),
            "invoices": (_DEALS + "InvoicesService/ListInvoices", invoice_pb2.ListInvoicesRequest),
            "calls": (_CALLS, call_messages_pb2.ListCallsRequest),
        }
        found = await together(
            *(
                parts.many(method, request(q=q, page_size=_EACH), plural)
                for plural, (method, request) in lists.items()
            )
        )
        return Response(200, parts.compose(dict(zip(lists, found, strict=True))))
