"""GET /v1/calls/{id}/popup: what somebody sees whose phone rings: the call and the person first, then the owner, open deals and debt,
what happened last, open tasks.

Who it is comes from telephony's own copy of numbers, so it is there when contacts is down; whoever does not answer within `_WAIT_S`
is left out, so the person is there within a second whatever else is down.
"""

from typing import Any

import orjson
from google.protobuf.field_mask_pb2 import FieldMask

from crm.contacts.v1 import card_facts_pb2, company_pb2, contact_pb2, timeline_pb2
from crm.deals.v1 import deal_pb2, invoice_pb2, pipeline_pb2
from crm.identity.v1 import user_pb2
from crm.tasks.v1 import task_pb2
from crm.telephony.v1 import call_messages_pb2, call_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/calls/{id}/popup"

_CALLS = "/crm.telephony.v1.CallsService/"
_CONTACTS = "/crm.contacts.v1.ContactsService/"
_FACTS = "/crm.contacts.v1.CardFactsService/"
_DEALS = "/crm.deals.v1.DealsService/"
_INVOICES = "/crm.deals.v1.InvoicesService/ListInvoices"
_TASKS = "/crm.tasks.v1.TasksService/ListTasks"
_USERS = "/crm.identity.v1.IdentityService/BatchGetUsers"
_WAIT_S = 0.4
"""What others may take; two such waits follow on each other, and the call itself takes milliseconds."""
_EACH = 10
_LAST = 5

_Person = dict[str, str]


class Popup:
    """The screen's handler."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls, self._sessions = calls, sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        metadata = self._calls.metadata(exchange, self._sessions.authorization(exchange))
        parts = Parts(self._calls, metadata, within_s=_WAIT_S)
        found = await parts.needed(
            _CALLS + "GetCall", call_messages_pb2.GetCallRequest(id=variables[0])
        )
        call = orjson.loads(found)
        callers, contact, company, beside = await together(
            _callers(parts, call.get("number", "")),
            _contact(parts, call.get("contactId", "")),
            _company(parts, call.get("companyId", "")),
            _beside(parts, call.get("contactId", ""), call.get("companyId", "")),
        )
        person = _person(call, callers, contact, company)
        owner_id = person.get("ownerId") or call.get("ownerId", "")
        owner, pipelines = await together(
            _owner(parts, owner_id), _pipelines(parts, beside.get("openDeals", []))
        )
        popup = {"call": found, "person": person, "callers": callers, "contact": contact, "company": company, "owner": owner}  # fmt: skip
        return Response(200, parts.compose({**popup, **beside, "pipelines": pipelines}))


async def _callers(parts: Parts, number: str) -> list[_Person]:
    """Everybody who has the number, as telephony knows it."""
    request = call_pb2.LookUpCallerRequest(number=number)
    return await parts.many(_CALLS + "LookUpCaller", request, "callers") if number else []


async def _contact(parts: Parts, id: str) -> bytes | None:
    request = contact_pb2.GetContactRequest(id=id)
    return await parts.one(_CONTACTS + "GetContact", request) if id else None


async def _company(parts: Parts, id: str) -> bytes | None:
    request = company_pb2.GetCompanyRequest(id=id)
    return await parts.one(_CONTACTS + "GetCompany", request) if id else None


def _person(
    call: dict[str, Any], callers: list[_Person], contact: bytes | None, company: bytes | None
) -> _Person:
    """Who the call names: as the contact says, else as telephony knows him; a stranger has no name."""
    for key, record, name in (
        ("contactId", contact, "displayName"),
        ("companyId", company, "name"),
    ):
        id = call.get(key, "")
        if not id:
            continue
        if record is not None:
            known = orjson.loads(record)
            shown = {key: known.get("id", id), "name": known.get(name, "")}
            return shown | {"ownerId": known.get("ownerId", "")}
        return next((each for each in callers if each.get(key) == id), {key: id, "name": ""})
    return {"name": ""}


async def _owner(parts: Parts, id: str) -> Any:
    """The customer's manager, or whose call it is; None if nobody's."""
    request = user_pb2.BatchGetUsersRequest(ids=[id], fields=FieldMask(paths=["name", "extension"]))
    users = await parts.many(_USERS, request, "users") if id else []
    return users[0] if users else None


async def _beside(parts: Parts, contact_id: str, company_id: str) -> dict[str, Any]:
    """What is open with the person or company, and what happened last; nothing for a stranger."""
    id = contact_id or company_id
    if not id:
        return {}
    of, his = ("contact", "Contact") if contact_id else ("company", "Company")
    facts = getattr(card_facts_pb2, f"Get{his}FactsRequest")(id=id)
    timeline = getattr(timeline_pb2, f"List{his}TimelineRequest")(id=id, page_size=_LAST)
    deals = deal_pb2.ListDealsRequest(page_size=_EACH, filter=f'party_ids:"{id}" AND state = OPEN')
    owed = invoice_pb2.ListInvoicesRequest(
        page_size=_EACH, order_by="instalments.due_date",
        filter=f'{of}_id = "{id}" AND (state = ISSUED OR state = PARTLY_PAID)',
    )  # fmt: skip
    tasks = task_pb2.ListTasksRequest(
        page_size=_EACH, order_by="due_time", filter=f'{of}_id = "{id}" AND state = OPEN'
    )
    missed = call_messages_pb2.ListCallsRequest(
        page_size=_EACH, filter=f'{of}_id = "{id}" AND missed_state = OPEN'
    )
    lists = {
        "openDeals": (_DEALS + "ListDeals", deals, "deals"),
        "openInvoices": (_INVOICES, owed, "invoices"),
        "timeline": (_CONTACTS + f"List{his}Timeline", timeline, "entries"),
        "openTasks": (_TASKS, tasks, "tasks"),
        "missedCalls": (_CALLS + "ListCalls", missed, "calls"),
    }
    shown, *found = await together(
        parts.one(_FACTS + f"Get{his}Facts", facts), *(parts.many(*each) for each in lists.values())
    )
    return {"facts": shown} | dict(zip(lists, found, strict=True))


async def _pipelines(parts: Parts, deals: list[Any]) -> list[Any]:
    """For the names of the stages in which the deals stand."""
    ids = sorted({deal["pipelineId"] for deal in deals if "pipelineId" in deal})
    request = pipeline_pb2.BatchGetPipelinesRequest(ids=ids)
    return await parts.many(_DEALS + "BatchGetPipelines", request, "pipelines") if ids else []
