"""POST /v1/requests/{id}:openDeal: the deal of a request. contacts has the request, deals makes the deal, and contacts notes it.

Each step repeats well: the same request and pipeline have one deal, and a tie that stands stays. So whoever is refused half-way
asks again, and what is missing is done.
"""

import asyncio
from typing import Any

import orjson

from chassis import errors
from chassis.errors import Violation
from crm.contacts.v1 import request_pb2, request_verbs_pb2
from crm.deals.v1 import deal_verbs_pb2
from gateway import transcode
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions

PATH = "/v1/requests/{id}:openDeal"

_REQUESTS = "/crm.contacts.v1.ContactsService/"
_OPEN = "/crm.deals.v1.DealsService/OpenDeal"
_PATIENCE_S = 3.0
"""As long as a request that was received this moment may take to be known to deals."""
_LOOK_AGAIN_S = 0.05


class RequestClosed(errors.FailedPrecondition):
    """A closed request leads to nothing."""

    reason = "REQUEST_CLOSED"

    def __init__(self) -> None:
        super().__init__("the request is closed; :reopen it first, then open the deal")


class OpenDeal:
    """The handler."""

    def __init__(self, calls: Calls, sessions: Sessions, body_timeout_s: float) -> None:
        self._calls, self._sessions, self._body_timeout_s = calls, sessions, body_timeout_s

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        body = transcode.parse_body(exchange, await exchange.body(self._body_timeout_s))
        wanted = _wanted(exchange, variables[0], body)
        authorization = self._sessions.authorization(exchange)
        if not authorization:
            raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
        metadata = self._calls.metadata(exchange, authorization)
        asked = request_pb2.GetRequestRequest(id=variables[0])
        request = orjson.loads(await self._calls.ask(_REQUESTS + "GetRequest", asked, metadata))
        if request["state"] == "STATE_CLOSED":
            raise RequestClosed
        answer = await self._open(wanted, metadata)
        deal_id = orjson.loads(answer)["id"]
        if deal_id not in request.get("dealIds", ()):
            tie = request_verbs_pb2.LinkRequestRequest(id=variables[0], deal_ids=[deal_id])
            await self._calls.ask(_REQUESTS + "LinkRequest", tie, metadata)
        return Response(200, answer)

    async def _open(self, wanted: deal_verbs_pb2.OpenDealRequest, metadata: Any) -> bytes:
        """The deal; asked for again while deals has not heard of the request, which exists for the caller."""
        clock = asyncio.get_running_loop()
        until = clock.time() + _PATIENCE_S
        while True:
            try:
                return await self._calls.ask(_OPEN, wanted, metadata)
            except errors.InvalidArgument as refusal:
                unheard = [v.field for v in refusal.violations] == ["from_request_id"]
                if not unheard or clock.time() >= until:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_S)  # a pace: no event tells what deals has heard


def _wanted(exchange: Exchange, request_id: str, body: Any) -> deal_verbs_pb2.OpenDealRequest:
    """What is asked of deals; InvalidArgument names what a body may not say."""
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise errors.InvalidArgument("the body must be a JSON object", [Violation("", "no object")])
    known = ("pipelineId", "title", "amount")
    if unknown := [key for key in body if key not in known]:
        raise errors.InvalidArgument(
            f"{unknown[0][:60]!r} is not asked for here; send {', '.join(known)}",
            [Violation(key, "is unknown") for key in unknown],
        )
    body = {**body, "fromRequestId": request_id}
    key = exchange.headers.get(b"idempotency-key")
    if key is not None:
        body["requestId"] = key.decode("latin-1").strip().strip('"')
    made = transcode.from_json(body, deal_verbs_pb2.OpenDealRequest)
    assert isinstance(made, deal_verbs_pb2.OpenDealRequest)
    return made
