"""Calendars for other programs: what the services answer as text inside JSON leaves here as text/calendar.

`/v1/public/calendars/{key}.ics` is what a person subscribes to; without `.ics` the same address answers the JSON.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import orjson

from gateway.exchange import Exchange, Header, Response
from gateway.routes import Handler, Table

FEED = "/v1/public/calendars/{key}"
MEETING = "/v1/meetings/{id}:ics"

_ICALENDAR = b"text/calendar; charset=utf-8"
_SUFFIX = ".ics"

Call = Callable[[Any, tuple[str, ...], Exchange], Awaitable[Response]]


def bind(table: Table, call: Call) -> None:
    """Puts the files before the transcoded methods."""

    def feed(target: Any) -> Handler:
        async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
            (key,) = variables
            response = await call(target, (key.removesuffix(_SUFFIX),), exchange)
            return _file(response) if key.endswith(_SUFFIX) else _private(response)

        return handle

    def meeting(target: Any) -> Handler:
        async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
            return _file(await call(target, variables, exchange))

        return handle

    table.replace("GET", FEED, feed)
    table.replace("GET", MEETING, meeting)


def _file(response: Response) -> Response:
    """The file that the answer holds; a refusal and a 304 stay what they are."""
    if response.status != 200:
        return _private(response)
    found = orjson.loads(response.body)
    headers: list[Header] = [
        *response.headers,
        (b"content-disposition", b'attachment; filename="%b"' % found["name"].encode()),
    ]
    if changed := found.get("updateTime"):
        moment = datetime.fromisoformat(changed.replace("Z", "+00:00"))
        headers.append((b"last-modified", format_datetime(moment, usegmt=True).encode()))
    return _private(Response(200, found["text"].encode(), content_type=_ICALENDAR, headers=headers))


def _private(response: Response) -> Response:
    """Whoever subscribes may keep it and asks each time; nobody on the way does."""
    response.headers.append((b"cache-control", b"private, no-cache"))
    return response
