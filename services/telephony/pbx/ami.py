"""Asterisk by its manager interface: calls are led by the exchange's own dialplan, we watch, dial and hang up.

Blocks of `Name: value` lines over TCP, either way; an answer bears the ActionID of what was asked. A session asks for all
channels first, so that what was lost while nobody listened is made up (AmiReader.reconcile).
"""

import asyncio
import itertools
import logging
from datetime import UTC, datetime
from urllib.parse import quote

from services.telephony.pbx import sounds
from services.telephony.pbx.adapter import Cut, Impossible, Site
from services.telephony.pbx.ami_reading import AmiReader, Event, event
from services.telephony.pbx.facts import Command, Order, leg_id
from services.telephony.pbx.telling import Telling, readable, side_by_side

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""For an answer to anything that is asked, connecting included."""
PING_S = 15.0
"""A connection that has silently died is noticed after this and ANSWER_S."""
RING_MS = 30_000
"""How long the own phone of whoever dials rings."""
CONTEXT = "from-internal"
MONITOR = "/var/spool/asterisk/monitor/"
"""Where MixMonitor writes files whose folder the dialplan does not say."""
_LONGEST = 1 << 20  # bytes of one block; real ones have a thousand
_END = b"\r\n\r\n"
_FIRST = "reconcile"


class Ami:
    """A session with one exchange."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._telling = Telling(site.hear)
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Event]] = {}
        """What was asked and is not answered, by its ActionID."""
        self._lists: dict[str, list[Event]] = {}
        self._reader: AmiReader
        self._writer: asyncio.StreamWriter

    async def session(self) -> None:
        """Signs in, makes up what was lost, and tells what happens until the connection is cut."""
        host, _, port = self._site.connection.address.rpartition(":")
        if not port.isdigit():
            raise Cut("the address is not host:port")
        known = {leg.leg: leg.call for leg in await self._site.living()}
        self._reader = AmiReader(self._site.phones(), known)
        async with asyncio.timeout(ANSWER_S):
            reader, self._writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=_LONGEST)  # fmt: skip
        try:
            await side_by_side(self._read(reader), self._telling.run(), self._stay())
        finally:
            self._writer.close()
            for waiting in self._answers.values():
                waiting.cancel()

    async def fetch(self, name: str) -> bytes:
        """From where its files are given out: the manager interface itself gives none."""
        folder = self._site.connection.recordings_address
        if not folder:
            raise Impossible("the exchange has no recordings_address")
        below = name.removeprefix(MONITOR)
        file = below.rpartition("/")[2] if below.startswith("/") else below
        # As the exchange's own address, an administrator has typed this one, and it may lead into the company's network.
        return await sounds.given(f"{folder.rstrip('/')}/{quote(file)}", private=True)

    async def carry_out(self, command: Command) -> None:
        """Dials, hangs up, or lets what is said go unrecorded for a while."""
        if command.order is Order.DIAL:
            await self._dial(command)
        elif command.order is Order.HANG_UP:
            await self._hang_up(command.call)
        elif command.order in (Order.PAUSE_RECORDING, Order.RESUME_RECORDING):
            await self._mute(command.call, paused=command.order is Order.PAUSE_RECORDING)
        else:
            raise Impossible(f"a real exchange does not {command.order}")

    # -- what is read --------------------------------------------------------------------------------------------------------

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Takes blocks until the connection is cut; what was read before is kept by then."""
        try:
            await reader.readline()  # its name and version
            while True:
                block = await reader.readuntil(_END)
                await self._take(event(block.decode(errors="replace")))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            await self._telling.finish()
            raise Cut(f"the exchange ended the connection ({type(error).__name__})") from error

    async def _take(self, told: Event) -> None:
        id = told.get("ActionID", "")
        if "Response" in told and told.get("Event") != "OriginateResponse":
            if told["Response"] == "Error" or id not in self._lists:
                self._answer(id, told)
        elif id in self._lists:
            await self._listed(id, told)
        elif told.get("Event") == "OriginateResponse":
            self._answer(f"begun {id}", told)
        else:
            self._answer(f"begun {told.get('Uniqueid', '')}", told)
            await self._happened(told)

    async def _happened(self, told: Event) -> None:
        self._reader.phones = self._site.phones()
        facts = readable(lambda: self._reader.read(told, at=_now()))
        if facts is None:
            log.warning("an event %r of a manager interface cannot be read", told.get("Event", "")[:60])  # fmt: skip
        await self._telling.put(facts or [])

    async def _listed(self, id: str, told: Event) -> None:
        """One of a list; its end. A session's first list is reconciled before anything that happens later is read."""
        if told.get("Event") == "CoreShowChannel":
            self._lists[id].append(told)
        elif told.get("Event") == "CoreShowChannelsComplete":
            if id == _FIRST:
                await self._telling.put(self._reader.reconcile(self._lists[id], at=_now()))
            self._answer(id, told)

    def _answer(self, id: str, told: Event) -> None:
        waiting = self._answers.get(id)
        if waiting is not None and not waiting.done():
            waiting.set_result(told)

    # -- what is asked -------------------------------------------------------------------------------------------------------

    async def _stay(self) -> None:
        """Signs in, reconciles, and then makes sure that somebody is there."""
        connection = self._site.connection
        try:
            await self._ask("Login", Username=connection.username, Secret=self._site.password)
        except Impossible:
            raise Cut("the exchange refuses the user name or the password") from None
        await self._channels(_FIRST)
        await self._telling.finish()
        await self._site.connected()
        while True:
            await asyncio.sleep(PING_S)  # allow sleep: the time between two questions
            await self._ask("Ping")

    async def _channels(self, id: str = "") -> list[Event]:
        """Everything that lives in the exchange."""
        id = id or self._next()
        self._lists[id] = []
        try:
            await self._ask("CoreShowChannels", id)
            return self._lists[id]
        finally:
            del self._lists[id]

    async def _dial(self, command: Command) -> None:
        """The own phone first; when it is picked up, the dialplan calls the number. Returns once that phone is there."""
        leg, context = leg_id(command.call, 1), self._site.connection.context or CONTEXT
        begun = self._expect(f"begun {leg}")
        try:
            await self._ask(
                "Originate", leg, Channel=command.endpoint, ChannelId=leg, Context=context,
                Exten=command.number.lstrip("+"), Priority="1", Timeout=str(RING_MS), Async="true",
                CallerID=f"<{command.number}>", Variable=f"__AKRAB_LINE={command.line}",
            )  # fmt: skip
            async with asyncio.timeout(ANSWER_S):
                told = await begun
        finally:
            del self._answers[f"begun {leg}"]
        if told.get("Event") == "OriginateResponse" and told.get("Response") == "Failure":
            raise Impossible(f"the own phone cannot be called (reason {told.get('Reason', '')[:20]})")  # fmt: skip

    async def _hang_up(self, call: str) -> None:
        """Ends every phone of the call; one may be gone because another was ended."""
        found = await self._of_call(call)
        if not found:
            raise Impossible("the exchange knows no such call")
        for channel in found:
            try:
                await self._ask("Hangup", Channel=channel["Channel"], Cause="16")
            except Impossible:
                log.info("a phone was gone before it was hung up")

    async def _mute(self, call: str, *, paused: bool) -> None:
        found = [c for c in await self._of_call(call) if self._reader.recorded(c["Uniqueid"])]
        if not found:
            raise Impossible("the exchange does not record this call")
        for channel in found:
            state = "1" if paused else "0"
            await self._ask("MixMonitorMute", Channel=channel["Channel"], Direction="both", State=state)  # fmt: skip

    async def _of_call(self, call: str) -> list[Event]:
        return [c for c in await self._channels() if self._reader.call_of(c["Uniqueid"]) == call]

    async def _ask(self, action: str, id: str = "", **fields: str) -> Event:
        """The answer; Impossible with the exchange's words if it refuses, Cut if it is silent."""
        id = id or self._next()
        given = {"Action": action, "ActionID": id, **fields}
        if any("\r" in value or "\n" in value for value in given.values()):
            raise Impossible("a value holds an end of line")
        answer = self._expect(id)
        try:
            self._writer.write("".join(f"{name}: {value}\r\n" for name, value in given.items()).encode() + b"\r\n")  # fmt: skip
            async with asyncio.timeout(ANSWER_S):
                await self._writer.drain()
                told = await answer
        except TimeoutError:
            raise Cut(f"the exchange gave no answer to {action} within {ANSWER_S:.0f} seconds") from None  # fmt: skip
        finally:
            del self._answers[id]
        if told.get("Response") == "Error":
            raise Impossible(told.get("Message", "")[:100])
        return told

    def _expect(self, id: str) -> asyncio.Future[Event]:
        waiting = self._answers[id] = asyncio.get_running_loop().create_future()
        return waiting

    def _next(self) -> str:
        return f"akrab-{next(self._numbers)}"


def _now() -> datetime:
    return datetime.now(UTC)
