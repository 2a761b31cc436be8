"""Visits of tenants' sites, told by the snippet, published as events: the gateway keeps nothing of them (S122, S123).

A beacon cannot be answered to, so what is not readable is dropped with a 4xx that nobody reads, and a repetition of a beacon
publishes nothing new: the event's id is computed from what it tells.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from google.protobuf.message import Message
from nats.errors import Error as NatsError

from chassis import codec, errors, keys
from chassis.errors import Violation
from chassis.events.nats import Nats, stream_of
from chassis.times import to_timestamp
from crm.common.v1 import common_pb2
from crm.gateway.v1 import events_pb2
from gateway.exchange import Exchange, Response
from gateway.limits import Buckets, network_of
from gateway.public.forms import Forms
from gateway.routes import Table

PATH = "/v1/public/visits"
# One address may be an office of many visitors; a page view each 200 ms for ever is a program.
_RATE_PER_ADDRESS = 5.0
_NAMES = uuid.UUID("5b1de7b3-6b57-4c1e-9b0e-6a1f0c1a7d11")
_PUBLISH_S = 5.0
_TEXT_LIMITS = {
    "visitorId": 100,
    "visitId": 100,
    "title": 300,
    "url": 4000,
    "referrer": 4000,
    "firstUrl": 4000,
    "lastUrl": 4000,
}
_MAX_VISIT_S, _MAX_PAGES = 86_400, 10_000

Publish = Callable[[str, Message, str, str], Awaitable[None]]


class Visits:
    """The endpoint to which the snippet sends its beacons."""

    def __init__(self, forms: Forms, publish: Publish, timeout_s: float) -> None:
        self._forms = forms
        self._publish = publish
        self._timeout_s = timeout_s
        self._addresses = Buckets(_RATE_PER_ADDRESS, "address")

    def bind(self, table: Table) -> None:
        """Adds the endpoint."""
        table.add("POST", PATH, self.take)

    async def take(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """One page view or the end of a visit."""
        self._addresses.take(network_of(exchange.peer))
        told = _told(await exchange.body(self._timeout_s))
        form_key = str(told.get("formKey", ""))[:200]
        tenant = keys.tenant_of(form_key)
        form = await self._forms.form(exchange, form_key)
        headers = self._forms.cors(exchange, form)
        event = event_of(told, form_key, datetime.now(UTC))
        # What makes two beacons the same fact: which visit, which page of it or its end.
        place = f"{type(event).__name__}:{event.visit_id}:{told.get('position', '')}:{told.get('pageCount', '')}"
        await self._publish(
            tenant, event, event.visit_id, str(uuid.uuid5(_NAMES, f"{tenant}:{place}"))
        )
        return Response(204, headers=headers)


def event_of(told: dict[str, Any], form_key: str, now: datetime) -> Any:
    """The event that a beacon tells; InvalidArgument with what is wrong."""
    violations = [
        Violation(name, f"a text of at most {limit} characters")
        for name, limit in _TEXT_LIMITS.items()
        if not isinstance(told.get(name, ""), str) or len(told.get(name, "")) > limit
    ]
    numbers = {"position": _MAX_PAGES, "pageCount": _MAX_PAGES, "durationS": _MAX_VISIT_S}
    violations += [
        Violation(name, f"a whole number up to {limit}")
        for name, limit in numbers.items()
        if type(told.get(name, 0)) is not int or not 0 <= told.get(name, 0) <= limit
    ]
    violations += [
        Violation(name, "is needed") for name in ("visitorId", "visitId") if not told.get(name)
    ]
    if violations:
        raise errors.InvalidArgument("the visit is not readable", violations)
    change = common_pb2.Change(
        actor=common_pb2.ActorRef(kind="form"),
        cause=common_pb2.Cause(kind="form"),
        version=1,
        time=to_timestamp(now),
    )
    who = {
        "change": change,
        "form_key": form_key,
        "visitor_id": told["visitorId"],
        "visit_id": told["visitId"],
    }
    if told.get("event") == "end":
        length_s = told.get("durationS", 0)
        ended = events_pb2.VisitEnded(
            **who,
            duration_s=length_s,
            page_count=told.get("pageCount", 0),
            first_url=told.get("firstUrl", ""),
            last_url=told.get("lastUrl", ""),
        )
        ended.end_time.FromDatetime(now)
        ended.start_time.FromSeconds(int(now.timestamp()) - length_s)
        return ended
    viewed = events_pb2.PageViewed(
        **who,
        url=told.get("url", ""),
        title=told.get("title", ""),
        referrer=told.get("referrer", ""),
        position=told.get("position", 0),
    )
    viewed.view_time.FromDatetime(now)
    return viewed


def _told(body: bytes) -> dict[str, Any]:
    """A beacon is text/plain, because any other type would need a preflight, which a closing page does not wait for."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise errors.InvalidArgument("a visit is a JSON object")
    return told


def publisher(nats: Nats) -> Publish:
    """Publishes to the gateway's own stream; Unavailable if it does not take the event."""

    async def publish(tenant: str, event: Message, subject: str, id: str) -> None:
        name = event.DESCRIPTOR.name
        headers = {
            "ce-id": id,
            "ce-type": event.DESCRIPTOR.full_name,
            "ce-source": "/gateway",
            "ce-subject": subject,
            "ce-time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "ce-specversion": "1.0",
            "content-type": "application/json",
            "Nats-Msg-Id": id,
        }
        try:
            await nats.js.publish(
                f"crm.{tenant}.gateway.{name}",
                codec.to_json(event),
                timeout=_PUBLISH_S,
                stream=stream_of("gateway"),
                headers=headers,
            )
        except (NatsError, TimeoutError, OSError) as error:
            raise errors.Unavailable(
                "the event streams do not answer; try again", retry_after_s=2
            ) from error

    return publish
