"""GET /v1/pipelines/{id}/board: the board of a pipeline with the names of the customers and colleagues whom its deals name.

deals keeps no names: the contacts', companies' and colleagues' owners are asked, as far as the caller may read them. What he may not
read, or whose owner is down, has no name, and its deal stays on the board.
"""

from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from chassis import errors
from crm.contacts.v1 import company_pb2, contact_pb2
from crm.identity.v1 import user_pb2
from gateway import transcode
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.routes import Binding, Table
from gateway.sessions import Sessions
from gateway.views.parts import Parts, together

PATH = "/v1/pipelines/{id}/board"

_BOARD = "/v1/boards/"
_CONTACTS = "/crm.contacts.v1.ContactsService/"
_USERS = "/crm.identity.v1.IdentityService/BatchGetUsers"
_AT_ONCE = 200
"""Ids that a batch get takes."""


class Board:
    """The screen's handler; its query is that of the deals' own board."""

    def __init__(self, calls: Calls, sessions: Sessions, table: Table) -> None:
        self._calls, self._sessions, self._table = calls, sessions, table

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        authorization = self._sessions.authorization(exchange)
        if not authorization:
            raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
        parts = Parts(self._calls, self._calls.metadata(exchange, authorization))
        binding, _ = self._table.match("GET", _BOARD + variables[0])
        assert isinstance(binding, Binding)
        request = transcode.decode(binding, variables, exchange, None)
        board = await parts.needed(binding.method.full_name, request)
        deals = [
            deal
            for column in orjson.loads(board).get("columns", [])
            for deal in column.get("deals", [])
        ]
        contacts, companies, users = await together(
            _named(parts, "contacts", _contacts, _ids("contactId", deals)),
            _named(parts, "companies", _companies, _ids("companyId", deals)),
            _named(parts, "users", _users, _ids("ownerId", deals)),
        )
        names = parts.compose({"contacts": contacts, "companies": companies, "users": users})
        return Response(200, board[:-1] + b"," + names[1:])


def _ids(name: str, deals: list[dict[str, Any]]) -> list[str]:
    """Whom the deals name here, each once."""
    return list(dict.fromkeys(id for deal in deals if (id := deal.get(name, ""))))


Asking = Callable[[list[str]], tuple[str, Message]]
"""The call, and the request for these ids."""


async def _named(parts: Parts, key: str, asking: Asking, ids: list[str]) -> list[Any]:
    """The records with their names, as far as there are any for the caller."""
    pages = [ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)]
    found = await together(*(parts.many(*asking(page), key) for page in pages))
    return [record for records in found for record in records]


def _contacts(ids: list[str]) -> tuple[str, Message]:
    mask = FieldMask(paths=["display_name"])
    return _CONTACTS + "BatchGetContacts", contact_pb2.BatchGetContactsRequest(ids=ids, fields=mask)


def _companies(ids: list[str]) -> tuple[str, Message]:
    mask = FieldMask(paths=["name"])
    return _CONTACTS + "BatchGetCompanies", company_pb2.BatchGetCompaniesRequest(
        ids=ids, fields=mask
    )


def _users(ids: list[str]) -> tuple[str, Message]:
    return _USERS, user_pb2.BatchGetUsersRequest(ids=ids, fields=FieldMask(paths=["name"]))
