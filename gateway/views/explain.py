"""GET /v1/explain: why may (not) somebody do this; GET /v1/explain:who: who may. The record's owner says whose it is, identity
knows the people and roles: owners never call each other, so the two are put together here, for every kind of record."""

import functools
from typing import Any

import orjson
from google.protobuf.message import Message

from chassis import contracts, errors
from chassis.errors import Violation
from crm.common.v1 import access_pb2
from crm.identity.v1 import explain_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions

PATH = "/v1/explain"
WHO_PATH = "/v1/explain:who"

_IDENTITY = "/crm.identity.v1.ExplainService/"
_RECORD_ACCESS = "GetRecordAccess"


class Explain:
    """Why a user may or may not do something."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls, self._sessions = calls, sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        metadata = _metadata(self._calls, self._sessions, exchange)
        user_id = exchange.argument("userId")
        access = await _access(self._calls, exchange, metadata, user_id)
        question = explain_pb2.ExplainAccessRequest(
            user_id=user_id,
            api_token_id=exchange.argument("apiTokenId"),
            **_facts(exchange, access),
        )
        answer = orjson.loads(
            await self._calls.ask(_IDENTITY + "ExplainAccess", question, metadata)
        )
        if access is not None:
            custom = [{"path": path, "roleIds": []} for path in access.hidden_custom_fields]
            answer |= {
                "recordId": access.id,
                "hiddenFields": [*answer.get("hiddenFields", ()), *custom],
            }
        return Response(200, orjson.dumps(answer))


class Who:
    """The users who may do something, a page at a time."""

    def __init__(self, calls: Calls, sessions: Sessions) -> None:
        self._calls, self._sessions = calls, sessions

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        metadata = _metadata(self._calls, self._sessions, exchange)
        access = await _access(self._calls, exchange, metadata, "")
        question = explain_pb2.ListAccessRequest(
            page_size=_number(exchange, "pageSize"),
            page_token=exchange.argument("pageToken"),
            **_facts(exchange, access),
        )
        return Response(200, await self._calls.ask(_IDENTITY + "ListAccess", question, metadata))


def _metadata(calls: Calls, sessions: Sessions, exchange: Exchange) -> dict[str, str]:
    authorization = sessions.authorization(exchange)
    if not authorization:
        raise errors.Unauthenticated("sign in first: send 'Authorization: Bearer <token>'")
    return calls.metadata(exchange, authorization)


async def _access(
    calls: Calls, exchange: Exchange, metadata: dict[str, str], user_id: str
) -> access_pb2.RecordAccess | None:
    """Whose the record is, by its owner's word; None if none is asked about. NotFound where the caller may not read it."""
    object, id = exchange.argument("object"), exchange.argument("recordId")
    if not id:
        return None
    asked = access_pb2.GetRecordAccessRequest(object=object, id=id, user_id=user_id)
    refusals: list[errors.CrmError] = []
    for service in _services(object):
        try:
            return await _ask(calls, service, asked, metadata)
        except (errors.NotFound, errors.InvalidArgument) as refusal:
            refusals.append(refusal)
    raise next((r for r in refusals if isinstance(r, errors.NotFound)), refusals[0])


async def _ask(
    calls: Calls, service: str, asked: Message, metadata: dict[str, str]
) -> access_pb2.RecordAccess:
    answer: dict[str, Any] = orjson.loads(await calls.ask(_asking()[service], asked, metadata))
    return access_pb2.RecordAccess(
        id=answer["id"],
        owner_id=answer.get("ownerId", ""),
        department_id=answer.get("departmentId", ""),
        follower_ids=answer.get("followerIds", ()),
        unowned=answer.get("unowned", False),
        shared=answer.get("shared", False),
        hidden_custom_fields=answer.get("hiddenCustomFields", ()),
    )


def _services(object: str) -> list[str]:
    """The services that may hold such records: the one whose contract has them, or all for what they share."""
    desc = contracts.resources().get(object)
    if desc is None:
        known = ", ".join(sorted(contracts.resources()))
        raise errors.InvalidArgument(
            "say which kind of record",
            [Violation("object", f"{object[:60]!r} is not one of: {known}")],
        )
    service = contracts.service_of(desc.full_name)
    return sorted(_asking()) if service == "common" else [service]


@functools.cache
def _asking() -> dict[str, str]:
    """Service -> the RPC that says whose a record of it is."""
    methods = (contracts.method_of(m) for service in contracts.services() for m in service.methods)
    return {m.service: m.full_name for m in methods if m.name == _RECORD_ACCESS}


def _facts(exchange: Exchange, access: access_pb2.RecordAccess | None) -> dict[str, Any]:
    """What both questions say of the right and the record."""
    asked = {name: exchange.argument(name) for name in ("object", "action")}
    if access is None:
        return asked
    return {
        **asked,
        "of_record": True,
        "owner_id": access.owner_id,
        "department_id": access.department_id,
        "follower_ids": access.follower_ids,
        "unowned": access.unowned,
        "shared": access.shared,
    }


def _number(exchange: Exchange, name: str) -> int:
    text = exchange.argument(name)
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise errors.InvalidArgument(
            f"{name} is no number", [Violation(name, "must be a number from 0 to 200")]
        )
    return int(text)
