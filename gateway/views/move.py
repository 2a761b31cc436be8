"""POST /v1/deals/{id}:move, so that who fills the customer's card and moves the deal at once is never told that it is missing.

deals knows of customers by events, some milliseconds late. A move that is refused for fields of the customer is therefore asked
once more with the versions that the caller would read now, and deals waits for those. A client that sends contactEtag and
companyEtag itself spares the second question.
"""

from collections.abc import Mapping
from hashlib import sha256

import orjson
from google.protobuf.message import Message

from chassis import errors
from crm.contacts.v1 import company_pb2, contact_pb2
from crm.deals.v1 import deal_pb2
from crm.deals.v1.deal_verbs_pb2 import MoveDealRequest
from gateway import transcode
from gateway.app import told
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.routes import Binding, Target
from gateway.sessions import Sessions
from gateway.views.parts import Parts

PATH = "/v1/deals/{id}:move"

_CONTACTS = "/crm.contacts.v1.ContactsService/"
_DEAL = "/crm.deals.v1.DealsService/GetDeal"
_PARTIES = ("contact", "company")


class Move:
    """The handler around the RPC that is bound there."""

    def __init__(
        self, target: Target, calls: Calls, sessions: Sessions, body_timeout_s: float
    ) -> None:
        assert isinstance(target, Binding)
        self._binding, self._calls, self._sessions = target, calls, sessions
        self._body_timeout_s = body_timeout_s

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        body = transcode.parse_body(exchange, await exchange.body(self._body_timeout_s))
        metadata = self._calls.metadata(exchange, self._sessions.authorization(exchange))
        request = transcode.decode(self._binding, variables, exchange, body)
        assert isinstance(request, MoveDealRequest)
        try:
            return await self._ask(request, metadata)
        except errors.FailedPrecondition as refusal:
            if not await self._seen(request, refusal, metadata):
                raise told(refusal, self._binding) from None
        except errors.CrmError as refusal:
            raise told(refusal, self._binding) from None
        try:
            return await self._ask(request, metadata)
        except errors.CrmError as refusal:
            raise told(refusal, self._binding) from None

    async def _ask(self, request: MoveDealRequest, metadata: Mapping[str, str]) -> Response:
        answer, trailing = await self._calls.json(
            self._binding.method, request.SerializeToString(), metadata
        )
        tag = b'"%b"' % trailing["crm-etag"].encode()
        return Response(200, answer, headers=[(b"etag", tag)])

    async def _seen(
        self, request: MoveDealRequest, refusal: errors.CrmError, metadata: Mapping[str, str]
    ) -> bool:
        """Adds what the caller would see of the customer now; False if that is not what the move was refused for."""
        named = {violation.field.partition(".")[0] for violation in refusal.violations}
        if request.contact_etag or request.company_etag or not named & set(_PARTIES):
            return False
        parts = Parts(self._calls, metadata)
        deal = orjson.loads(await parts.needed(_DEAL, deal_pb2.GetDealRequest(id=request.id)))
        asked: dict[str, tuple[str, Message]] = {
            "contact": ("GetContact", contact_pb2.GetContactRequest(id=deal.get("contactId", ""))),
            "company": ("GetCompany", company_pb2.GetCompanyRequest(id=deal.get("companyId", ""))),
        }
        for party in _PARTIES:
            method, question = asked[party]
            found = (
                await parts.one(_CONTACTS + method, question) if deal.get(f"{party}Id") else None
            )
            if found is not None:
                setattr(request, f"{party}_etag", orjson.loads(found)["etag"])
        if request.request_id:  # another request than the one that was refused: a key of its own
            request.request_id = f"seen-{sha256(request.request_id.encode()).hexdigest()}"
        return bool(request.contact_etag or request.company_etag)
