"""Asterisk by its REST interface: events over a websocket, requests over HTTP.

Everything is watched, also calls that the exchange's dialplan leads. Those that it hands to our application are led here
(ari_leading.py). A websocket that was lost leaves calls as they are and loses events: each session asks for all channels and bridges.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from services.telephony.pbx.adapter import MOST_SOUND, Cut, Impossible, Site, TooLarge
from services.telephony.pbx.ari_leading import Leading
from services.telephony.pbx.ari_reading import AriReader, Event
from services.telephony.pbx.facts import Command, Fact, Order
from services.telephony.pbx.telling import Telling, readable, side_by_side

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""For an answer to anything that is asked, connecting included."""
PING_S = 15.0
"""A websocket that has silently died is noticed after this and ANSWER_S."""
APPLICATION = "akrab"
_LONGEST = 1 << 20  # bytes of one event; real ones have a thousand
_UNAUTHORIZED = 401


class Ari:
    """A session with one exchange."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._telling = Telling(site.hear)
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._application = site.connection.application or APPLICATION
        self._client: httpx.AsyncClient
        self._reader: AriReader
        self._leading: Leading

    async def session(self) -> None:
        """Listens, makes up what was lost, and tells what happens and leads calls until the connection is cut."""
        site = self._site
        known = {leg.leg: leg.call for leg in await site.living()}
        self._reader = AriReader(site.phones(), known)
        base = f"{site.connection.address.rstrip('/')}/ari"
        auth = (site.connection.username, site.password)
        async with httpx.AsyncClient(base_url=base, auth=auth, timeout=ANSWER_S, trust_env=False) as self._client:  # fmt: skip
            self._leading = Leading(
                self._application, self.ask, site, self._reader.call_of, self._telling.finish
            )
            try:
                await self._listen(base)
            except (WebSocketException, InvalidURI, EOFError) as error:
                raise Cut(f"the exchange ended the connection ({type(error).__name__})") from error

    async def fetch(self, name: str) -> bytes:
        return await sound(self._site, name)

    async def carry_out(self, command: Command) -> None:
        """Dials, hangs up, or lets what is said go unrecorded for a while."""
        if command.order is Order.DIAL:
            await self._leading.dial(command)
        elif command.order is Order.HANG_UP:
            await self._leading.hang_up(command.call)
        elif command.order in (Order.PAUSE_RECORDING, Order.RESUME_RECORDING):
            await self._leading.pause(command.call, paused=command.order is Order.PAUSE_RECORDING)
        else:
            raise Impossible(f"a real exchange does not {command.order}")

    async def ask(self, method: str, path: str, **parameters: Any) -> Any:
        """What the exchange answers; Impossible if it refuses, Cut if it does not answer."""
        try:
            answer = await self._client.request(method, path, params=parameters)
        except httpx.HTTPError as error:
            raise Cut(f"the exchange gave no answer to {method} ({type(error).__name__})") from None
        if answer.status_code == _UNAUTHORIZED:
            raise Cut("the exchange refuses the user name or the password")
        if answer.is_error:
            raise Impossible(f"the exchange answered {answer.status_code}")
        return orjson.loads(answer.content) if answer.content else None

    # -- what is heard -------------------------------------------------------------------------------------------------------

    async def _listen(self, base: str) -> None:
        scheme, host, path, _, _ = urlsplit(f"{base}/events")
        query = urlencode({"app": self._application, "subscribeAll": "true"})
        address = urlunsplit(("wss" if scheme == "https" else "ws", host, path, query, ""))
        try:
            socket = await connect(
                address, additional_headers=_signed_in(self._site), open_timeout=ANSWER_S, ping_interval=PING_S,
                ping_timeout=ANSWER_S, max_size=_LONGEST, proxy=None,
            )  # fmt: skip
        except InvalidHandshake as error:
            status = getattr(getattr(error, "response", None), "status_code", 0)
            why = "the exchange refuses the user name or the password" if status == _UNAUTHORIZED else f"the exchange has no such interface ({status})"  # fmt: skip
            raise Cut(why) from None
        async with socket:
            await side_by_side(
                self._read(socket), self._take_events(), self._telling.run(), self._leading.run()
            )

    async def _read(self, socket: Any) -> None:
        """Puts events aside until the connection is cut; what was heard before is kept by then."""
        try:
            async for message in socket:
                await self._events.put(orjson.loads(message))
        except (WebSocketException, orjson.JSONDecodeError) as error:
            log.info("a websocket of an exchange ended: %s", type(error).__name__)
        await self._events.join()
        await self._telling.finish()
        raise Cut("the exchange ended the connection")

    async def _take_events(self) -> None:
        """Reconciles first: what happens meanwhile waits, and is read after that."""
        channels, bridges = await self.ask("GET", "/channels"), await self.ask("GET", "/bridges")
        await self._tell(self._reader.reconcile(channels, bridges, at=_now()))
        self._leading.found(channels, bridges)
        await self._telling.finish()
        await self._site.connected()
        while True:
            event = await self._events.get()
            if event.get("type") == "ApplicationReplaced":
                raise Cut("another program listens for the same application")
            await self._happened(event)
            self._events.task_done()

    async def _happened(self, event: Event) -> None:
        self._reader.phones = self._site.phones()
        facts = readable(lambda: self._reader.read(event, at=_now()))
        if facts is None:
            log.warning("an event %r of a REST interface cannot be read", str(event.get("type"))[:60])  # fmt: skip
            return
        await self._tell(facts)
        self._leading.happened(event)

    async def _tell(self, facts: list[Fact]) -> None:
        await self._telling.put(facts)


async def sound(site: Site, recording: str) -> bytes:
    """A stored recording; Impossible if there is none, TooLarge above MOST_SOUND."""
    address = f"{site.connection.address.rstrip('/')}/ari/recordings/stored/{quote(recording, safe='')}/file"
    auth = (site.connection.username, site.password)
    content = bytearray()
    try:
        async with (
            httpx.AsyncClient(auth=auth, timeout=ANSWER_S, trust_env=False) as client,
            client.stream("GET", address) as answer,
        ):
            if answer.is_error:
                raise Impossible(f"the exchange answered {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > MOST_SOUND:
                    raise TooLarge(f"the recording has more than {MOST_SOUND} bytes")
    except httpx.HTTPError as error:
        raise Cut(f"the recording cannot be fetched ({type(error).__name__})") from None
    return bytes(content)


def _signed_in(site: Site) -> dict[str, str]:
    request = httpx.Request("GET", "http://exchange")
    next(httpx.BasicAuth(site.connection.username, site.password).auth_flow(request))
    return {"Authorization": request.headers["Authorization"]}


def _now() -> datetime:
    return datetime.now(UTC)
