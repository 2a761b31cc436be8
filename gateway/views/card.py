"""GET /v1/contacts/{id}/card: a contact with the company, what happened lately, what is open (requests, deals, quotes, invoices, tasks,
missed calls), the last calls, and what colleagues noted.

Each service gives all of its parts in one call: a card costs as many calls as services have to do with a person.
"""

from typing import Any

import orjson

from crm.contacts.v1 import contact_overview_pb2
from crm.deals.v1 import contact_deals_pb2
from crm.tasks.v1 import task_pb2
from crm.telephony.v1 import call_messages_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/contacts/{id}/card"

_OVERVIEW = "/crm.contacts.v1.ContactsService/GetContactOverview"
_BESIDE: dict[str, Any] = {
    "/crm.deals.v1.DealsService/GetContactDeals": contact_deals_pb2.GetContactDealsRequest,
    "/crm.tasks.v1.TasksService/GetContactTasks": task_pb2.GetContactTasksRequest,
    "/crm.telephony.v1.CallsService/GetContactCalls": call_messages_pb2.GetContactCallsRequest,
}
_ONE = ("contact", "company", "facts")
_LISTS = (
    "timeline", "requests", "openDeals", "openQuotes", "openInvoices", "openTasks", "notes", "agreements", "calls", "missedCalls",
    "consents", "pipelines",
)  # fmt: skip


class Card:
    """The screen's handler."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        authorization = self._sessions.authorization(exchange)
        parts = Parts(self._calls, self._calls.metadata(exchange, authorization))
        overview, beside = await together(
            _overview(parts, variables[0]), _beside(parts, variables[0])
        )
        now = overview["contact"].get("id", "")
        if (
            now and now != variables[0].lower()
        ):  # merged: what is found by the id is found by the survivor's
            beside = await _beside(parts, now)
        found = overview | beside
        lists = {name: found.get(name, []) for name in _LISTS}
        return Response(200, parts.compose({name: found.get(name) for name in _ONE} | lists))


async def _overview(parts: Parts, id: str) -> dict[str, Any]:
    """The contact with all that contacts knows; without it there is no card."""
    request = contact_overview_pb2.GetContactOverviewRequest(id=id)
    return dict(orjson.loads(await parts.needed(_OVERVIEW, request)))


async def _beside(parts: Parts, id: str) -> dict[str, Any]:
    """What the other services know of the person."""
    found = await together(
        *(parts.whole(rpc, asked(contact_id=id)) for rpc, asked in _BESIDE.items())
    )
    return {name: part for each in found for name, part in each.items()}
