"""GET /v1/me/day and /v1/departments/{id}/day: what tasks says is to be done, with the names of whom it is about.

tasks keeps no names: the contacts', companies', agreements', deals' and colleagues' owners are asked for those that the day names, as far
as the caller may read them. What he may not read, or whose owner is down, has no name and stays in the day.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.errors import Violation
from crm.contacts.v1 import agreement_pb2, company_pb2, contact_pb2
from crm.deals.v1 import deal_pb2
from crm.identity.v1 import user_pb2
from crm.tasks.v1 import day_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

MY_PATH = "/v1/me/day"
DEPARTMENT_PATH = "/v1/departments/{id}/day"

_DAYS = "/crm.tasks.v1.DaysService/"
_CONTACTS = "/crm.contacts.v1.ContactsService/"
_AGREEMENTS = "/crm.contacts.v1.NotesService/BatchGetAgreements"
_DEALS = "/crm.deals.v1.DealsService/BatchGetDeals"
_USERS = "/crm.identity.v1.IdentityService/BatchGetUsers"
_LISTS = ("overdue", "dueToday", "runningLadders")


class MyDay:
    """What the caller has to do today."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls, self._sessions = calls, sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        parts = _parts(self._calls, self._sessions, exchange)
        request = day_pb2.GetDayRequest(
            page_size=_number(exchange, "pageSize"), page_token=exchange.argument("pageToken")
        )
        day = orjson.loads(await parts.needed(_DAYS + "GetDay", request))
        lines = day.get("lines", [])
        agreed = _ids("agreementId", (r for line in lines for r in line.get("reasons", [])))
        deals = _ids("dealId", (line.get("matter", {}) for line in lines))
        named = {
            "contacts": _contacts(parts, _ids("contactId", lines)),
            "companies": _companies(parts, _ids("companyId", lines)),
            "agreements": _agreements(parts, agreed),
            "deals": _deals(parts, deals),
        }
        named = dict(zip(named, await together(*named.values()), strict=True))
        return Response(200, parts.compose({"lines": lines, **day, **named}))


class DepartmentDay:
    """What is late and due in a department."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls, self._sessions = calls, sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        parts = _parts(self._calls, self._sessions, exchange)
        request = day_pb2.GetDepartmentDayRequest(department_id=variables[0])
        day = orjson.loads(await parts.needed(_DAYS + "GetDepartmentDay", request))
        tasks = [task for name in _LISTS for task in day.get(name, [])]
        customers = [*day.get("customers", []), *tasks]
        people = [*_ids("id", day.get("people", [])), *_ids("ownerId", tasks)]
        contacts, companies, users = await together(
            _contacts(parts, _ids("contactId", customers)),
            _companies(parts, _ids("companyId", customers)),
            _users(parts, list(dict.fromkeys(people))),
        )
        return Response(
            200,
            parts.compose({**day, "contacts": contacts, "companies": companies, "users": users}),
        )


def _parts(calls: Calls, sessions: Sessions, exchange: Exchange) -> Parts:
    authorization = sessions.authorization(exchange)
    if not authorization:
        raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
    return Parts(calls, calls.metadata(exchange, authorization))


# A day names at most 200 of each, which is what these calls take at once.


async def _contacts(parts: Parts, ids: list[str]) -> list[Any]:
    request = contact_pb2.BatchGetContactsRequest(ids=ids, fields=FieldMask(paths=["display_name"]))
    return await parts.many(_CONTACTS + "BatchGetContacts", request, "contacts") if ids else []


async def _companies(parts: Parts, ids: list[str]) -> list[Any]:
    request = company_pb2.BatchGetCompaniesRequest(ids=ids, fields=FieldMask(paths=["name"]))
    return await parts.many(_CONTACTS + "BatchGetCompanies", request, "companies") if ids else []


async def _agreements(parts: Parts, ids: list[str]) -> list[Any]:
    request = agreement_pb2.BatchGetAgreementsRequest(ids=ids, fields=FieldMask(paths=["subject"]))
    return await parts.many(_AGREEMENTS, request, "agreements") if ids else []


async def _deals(parts: Parts, ids: list[str]) -> list[Any]:
    request = deal_pb2.BatchGetDealsRequest(
        ids=ids, fields=FieldMask(paths=["title", "amount", "currency"])
    )
    return await parts.many(_DEALS, request, "deals") if ids else []


async def _users(parts: Parts, ids: list[str]) -> list[Any]:
    request = user_pb2.BatchGetUsersRequest(ids=ids, fields=FieldMask(paths=["name"]))
    return await parts.many(_USERS, request, "users") if ids else []


def _ids(name: str, records: Iterable[dict[str, Any]]) -> list[str]:
    """What the records say under this name, each once."""
    return list(dict.fromkeys(id for record in records if (id := record.get(name, ""))))


def _number(exchange: Exchange, name: str) -> int:
    text = exchange.argument(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise errors.InvalidArgument(
            f"{name} is no number", [Violation(name, "must be a number from 0 to 200")]
        )
    return int(text)
