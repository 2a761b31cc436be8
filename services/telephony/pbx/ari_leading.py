"""Leads the calls that Asterisk hands to our application: who rings, who is joined with whom, what is recorded, when it ends.

Each call is a story of its own (_inbound, _outbound) that waits for its phones to enter the application or to be gone. The facts
of it come from the events, as of any other call. A transfer puts another channel into the place of the one that is replaced.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.telephony.pbx.adapter import Cut, Impossible, Route, Site
from services.telephony.pbx.ari_reading import Event
from services.telephony.pbx.facts import Command, Order, call_of, leg_id

log = logging.getLogger(__name__)

OWN_RING_S = 30
"""How long the own phone of whoever dials rings."""
OUTSIDE_RING_S = 60
"""How long a phone outside rings."""
OUTSIDE = "PJSIP/{number}@trunk"
_PHONE = "akrab-phone"
"""The first argument with which the phones that we ask for enter; who dials enters with the number and the line behind it."""
_OWN = 1
"""The leg of whoever dials: a call that comes in has none with this number."""

Ask = Callable[..., Awaitable[Any]]


@dataclass(eq=False, slots=True)
class _Led:
    """A call that is led here."""

    call: str
    first: str
    """The channel that began it: the caller's, or the own phone of whoever dials."""
    living: set[str] = field(default_factory=set)
    """Its channels that are not gone."""
    inside: set[str] = field(default_factory=set)
    """Those of them that have entered the application."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    shown: str = ""
    """The number that its phones show."""
    bridge: str = ""
    command: Command | None = None
    next: int = _OWN + 1
    """The number of the next leg that we ask for."""


class Leading:
    """The calls of one session."""

    def __init__(
        self, application: str, ask: Ask, site: Site, call_of_channel: Callable[[str], str],
        kept: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        """`kept` returns when everything that was told is kept."""
        self._application, self._ask, self._site = application, ask, site
        self._call_of, self._kept = call_of_channel, kept
        self._led: dict[str, _Led] = {}
        """By channel."""
        self._group: asyncio.TaskGroup

    async def run(self) -> None:
        """Leads calls until one of them finds the exchange gone."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await asyncio.Event().wait()
        except ExceptionGroup as failed:
            cuts, others = failed.split(Cut)
            if others is not None or cuts is None:
                raise
            raise Cut(str(cuts.exceptions[0])) from failed

    def happened(self, event: Event) -> None:
        """A channel has entered our application, or is gone."""
        id, kind = (event.get("channel") or {}).get("id", ""), event.get("type")
        if kind == "StasisStart" and event.get("application") == self._application:
            replaced = (event.get("replace_channel") or {}).get("id", "")
            self._entered(event["channel"], replaced, event.get("args") or [])
        elif kind in ("StasisEnd", "ChannelDestroyed") and (led := self._led.pop(id, None)):
            led.living.discard(id)
            led.inside.discard(id)
            led.changed.set()

    def _entered(self, channel: Event, replaced: str, arguments: list[str]) -> None:
        id = channel["id"]
        led = self._led.get(replaced) or self._led.get(id)
        if led is None and arguments[:1] != [_PHONE]:
            led = self._caller(channel)
            self._begin(led, self._inbound)
        if led is None and (led := self._dialling(id, arguments)):
            self._begin(led, self._outbound)
        if led is None:  # of a call that is over
            self._group.create_task(self._end_channel(id))
            return
        if replaced:
            self._led.pop(replaced, None)
            led.living.discard(replaced)
            led.inside.discard(replaced)
        self._put(led, id)
        led.inside.add(id)
        led.changed.set()

    def found(self, channels: Iterable[Event], bridges: Iterable[Event]) -> None:
        """Goes on with calls that were led before this session, and ends what is left of those that cannot be led any more."""
        living = {channel["id"]: channel for channel in channels}
        for bridge in bridges:
            application, _, call = bridge.get("name", "").partition("/")
            if application == self._application:
                joined = [id for id in bridge["channels"] if id in living]
                led = _Led(call, joined[0] if joined else "", bridge=bridge["id"])
                for id in joined:
                    self._put(led, id)
                led.inside.update(joined)
                self._begin(led, self._speak)
        inside = {
            id: arguments
            for id, channel in living.items()
            if id not in self._led and (arguments := self._arguments(channel)) is not None
        }
        for id, arguments in inside.items():
            dials = self._dialling(id, arguments)
            if led := dials or (None if call_of(id) else self._caller(living[id])):
                # What was asked for before may have used up any of the first ids.
                led.next = int(datetime.now(UTC).timestamp())
                for phone in (p for p in living if p not in self._led and call_of(p) == led.call):
                    self._put(led, phone)
                led.inside.update(led.living & inside.keys())
                self._begin(led, self._outbound if dials else self._inbound)
        for id in living:  # who dials has yet to pick up, or whoever it rang for is gone
            if id not in self._led and (call := call_of(id)) and id != leg_id(call, _OWN):
                self._group.create_task(self._end_channel(id))

    def _arguments(self, channel: Event) -> list[str] | None:
        """With which a channel is in our application; None if it is not."""
        application, *arguments = channel["dialplan"].get("app_data", "").split(",")
        there = channel["dialplan"]["app_name"] == "Stasis" and application == self._application
        return arguments if there else None

    def _dialling(self, id: str, arguments: list[str]) -> _Led | None:
        """The call of the own phone of somebody who dials, which was asked for before this session."""
        call = call_of(id)
        if id != leg_id(call, _OWN) or len(arguments) != len((_PHONE, "first", "number", "line")):
            return None
        command = Command(id="", order=Order.DIAL, call=call, number=arguments[2], line=arguments[3])  # fmt: skip
        led = _Led(call, id, command=command)
        self._put(led, id)
        return led

    def _begin(self, led: _Led, story: Callable[[_Led], Awaitable[None]]) -> None:
        self._group.create_task(self._lead(led, story))

    def _caller(self, channel: Event) -> _Led:
        """The new call of a channel that came to us."""
        id = channel["id"]
        led = _Led(self._call_of(id) or id, id, shown=channel["caller"]["number"])
        self._put(led, id)
        return led

    def _put(self, led: _Led, id: str) -> None:
        self._led[id] = led
        led.living.add(id)

    # -- what is asked for ---------------------------------------------------------------------------------------------------

    async def dial(self, command: Command) -> None:
        """The own phone first, then the number outside. Impossible if the exchange does not call the own phone."""
        led = _Led(command.call, leg_id(command.call, _OWN), command=command, next=_OWN)
        await self._call(led, command.endpoint, command.number, OWN_RING_S)
        self._begin(led, self._outbound)

    async def hang_up(self, call: str) -> None:
        """Ends every phone of the call, also of one that the exchange leads itself."""
        found = [c["id"] for c in await self._ask("GET", "/channels") if self._call_of(c["id"]) == call]  # fmt: skip
        if not found:
            raise Impossible("the exchange knows no such call")
        for id in found:
            await self._end_channel(id)

    async def pause(self, call: str, *, paused: bool) -> None:
        """Lets what is said go unrecorded, or be recorded again."""
        method = "POST" if paused else "DELETE"
        await self._ask(method, f"/recordings/live/{recording(call)}/pause")

    # -- the stories ---------------------------------------------------------------------------------------------------------

    async def _lead(self, led: _Led, story: Callable[[_Led], Awaitable[None]]) -> None:
        """A story, and whoever is left at its end is let go."""
        try:
            await story(led)
        except Impossible as refused:
            log.info("a call ends because the exchange refused something: %s", refused)
        for id in list(led.living):
            await self._end_channel(id)
            self._led.pop(id, None)
        if led.bridge:
            await self._quietly("DELETE", f"/bridges/{led.bridge}")

    async def _inbound(self, led: _Led) -> None:
        """Rings at everybody, later at the others too; who picks up first has the call."""
        await self._kept()
        route = await self._site.route(led.call) if self._site.route else Route()
        if len(led.living) == 1:
            await self._ask("POST", f"/channels/{led.first}/ring")
            await self._ring(led, route.endpoints, route.ring_s + route.others_ring_s)
        winner = await self._picked_up(led, route.ring_s)
        if not winner and route.others and led.first in led.living:
            await self._ring(led, route.others, route.others_ring_s)
            winner = await self._picked_up(led, route.others_ring_s)
        if not winner or led.first not in led.living:
            return
        await self._ask("POST", f"/channels/{led.first}/answer")
        for phone in led.living - {led.first, winner}:
            await self._end_channel(phone)
        await self._join(led, [led.first, winner], record=route.record)

    async def _outbound(self, led: _Led) -> None:
        """Once the own phone is picked up, the number outside is called."""
        assert led.command is not None
        while led.first in led.living and led.first not in led.inside:
            await self._later(led)
        if led.first not in led.living:
            return
        other = next(iter(led.living - {led.first}), "")
        if not other and self._call_of(leg_id(led.call, _OWN + 1)):
            return  # the customer was called before a cut, and is gone
        if not other:
            await self._ask("POST", f"/channels/{led.first}/ring")
            pattern = self._site.connection.outside_endpoint or OUTSIDE
            endpoint = pattern.replace("{number}", led.command.number)
            other = await self._call(led, endpoint, led.command.line, OUTSIDE_RING_S)
        while led.living >= {led.first, other} and other not in led.inside:
            await self._later(led)
        if led.living >= {led.first, other}:
            await self._kept()
            route = await self._site.route(led.call) if self._site.route else Route()
            await self._join(led, [led.first, other], record=route.record)

    async def _join(self, led: _Led, channels: list[str], *, record: bool) -> None:
        made = await self._ask(
            "POST", "/bridges", type="mixing,dtmf_events", name=f"{self._application}/{led.call}"
        )
        led.bridge = made["id"]
        await self._ask("POST", f"/bridges/{led.bridge}/addChannel", channel=",".join(channels))
        if record:
            await self._quietly(
                "POST", f"/bridges/{led.bridge}/record", name=recording(led.call), format="wav", ifExists="overwrite",
                beep="false",
            )  # fmt: skip
        await self._speak(led)

    async def _speak(self, led: _Led) -> None:
        """Until one of them is gone; one who is replaced is not."""
        while len(led.living) > 1:
            await self._later(led)

    async def _picked_up(self, led: _Led, within_s: int) -> str:
        """The phone that was picked up; empty if none was in time, none rings any more or the caller is gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while led.first in led.living and len(led.living) > 1:
                    if led.inside - {led.first}:
                        break
                    await self._later(led)
        return next(iter(led.inside - {led.first}), "")

    async def _ring(self, led: _Led, endpoints: Iterable[str], ring_s: int) -> None:
        for endpoint in endpoints:
            try:
                await self._call(led, endpoint, led.shown, ring_s)
            except Impossible as refused:
                log.info("a phone is not called: %s", refused)

    async def _call(self, led: _Led, endpoint: str, shown: str, ring_s: int) -> str:
        """Asks for a phone of the call; its channel. `shown` is the number that it shows."""
        id = leg_id(led.call, led.next)
        led.next += 1
        arguments = [_PHONE, led.first]
        if led.command is not None and id == led.first:
            arguments += [led.command.number, led.command.line]
        parameters = {"callerId": shown} if shown else {}
        if led.living:
            parameters["originator"] = led.first
        self._put(led, id)
        try:
            await self._ask(
                "POST", "/channels", endpoint=endpoint, app=self._application, appArgs=",".join(arguments),
                channelId=id, timeout=ring_s, **parameters,
            )  # fmt: skip
        except Impossible:
            self._led.pop(id, None)
            led.living.discard(id)
            raise
        return id

    async def _later(self, led: _Led) -> None:
        """Returns when something about the call has changed."""
        await led.changed.wait()
        led.changed.clear()

    async def _end_channel(self, id: str) -> None:
        await self._quietly("DELETE", f"/channels/{id}")

    async def _quietly(self, method: str, path: str, **parameters: Any) -> None:
        """Asks for something that may be impossible by now, e.g. because somebody hung up."""
        try:
            await self._ask(method, path, **parameters)
        except Impossible as refused:
            log.info("%s of a call was not done: %s", method, refused)


def recording(call: str) -> str:
    """The name under which what is said in a call is kept."""
    return f"akrab-{call}"
