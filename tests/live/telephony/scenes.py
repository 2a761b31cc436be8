"""Calls at the real exchange: the adapter that tells of them, the wire between the two, and the phones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from chassis.testing.events import eventually
from chassis.waits import first_of
from crm.telephony.v1 import call_pb2, connection_pb2
from services.telephony.pbx import ami, ari
from services.telephony.pbx.adapter import Adapter, Route
from services.telephony.pbx.facts import Command, Kind, Order
from services.telephony.rules import calls
from tests.live.telephony.asterisk import Asterisk
from tests.live.telephony.phones import CUSTOMER, Phone
from tests.service.telephony.conformance import OURS, Stage
from tests.service.telephony.serving import answer, serving

Call, Connection = call_pb2.Call, connection_pb2.Connection
GROUP = ["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"]
DIAL = Command(id="1", order=Order.DIAL, call=OURS, endpoint="PJSIP/agent1", number=CUSTOMER)


class Real:
    """The real one, as a driver of a stage: it needs no playing."""

    tells_times = True
    stage: Stage

    def __init__(self, adapter: type[Adapter], wire: "Wire") -> None:
        self.adapter, self._wire = adapter, wire

    async def cut(self) -> None:
        self._wire.cut()

    async def close(self) -> None:
        pass


class Wire:
    """Passes bytes on to the exchange, until it is cut; whoever connects after that is passed on again."""

    def __init__(self, port: int) -> None:
        self._there, self._ends = port, set[asyncio.StreamWriter]()
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", self._there)
        self._ends |= {writer, out}
        await asyncio.gather(self._pass(reader, out), self._pass(there, writer))
        self._ends -= {writer, out}

    def cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()


@dataclass
class Scene:
    """One call with everybody in it."""

    real: Asterisk
    stage: Stage
    phones: dict[str, Phone]
    led: bool
    """The call is led by us; else by the exchange's dialplan."""

    def __post_init__(self) -> None:
        self.customer, self.agent, self.other, self.third = self.phones.values()

    @property
    def call(self) -> calls.Derived:
        """What was told of the customer's call, which is one; those that are not his are `words`."""
        (call,) = (each for each in self._calls if each.direction != Call.DIRECTION_INTERNAL)
        return call

    @property
    def words(self) -> list[calls.Derived]:
        """What colleagues said among themselves."""
        return [each for each in self._calls if each.direction == Call.DIRECTION_INTERNAL]

    @property
    def _calls(self) -> list[calls.Derived]:
        return [self.stage.kept.derived(key) for key in self.stage.kept.legs]

    def told(self, kind: Kind) -> list[Any]:
        return [fact for fact in self.stage.kept.facts if fact.kind is kind]

    async def comes_in(self, *, ring_s: int = 20, group: bool = False) -> None:
        """The customer calls, and the phones of whoever is to take it ring."""
        self.stage.route = Route(GROUP if group else GROUP[:1], ring_s, record=True)
        number = 101 if self.led else 203 if group else 201 if ring_s == 20 else 202
        await self.customer.do("dial", f"sip:48300000{number}@{self.real.sip}")
        for phone in (self.agent, self.other, self.third)[: 3 if group else 1]:
            await phone.happens("CALL_INCOMING")

    async def a_word(self) -> str:
        """The agent puts the customer on hold and speaks with the other one; its channel in that call."""
        others = set(await self.real.living("channels"))
        await self.agent.do("hold")
        await self.until(Kind.HELD)
        await self.agent.do("dial", f"sip:102@{self.real.sip}")
        await self.other.happens("CALL_INCOMING")
        await self.answers(self.other)
        await self.agent.happens("CALL_ESTABLISHED", 2)
        new = set(await self.real.living("channels", with_name="agent1")) - others
        (channel,) = new
        await self.lasts(1)
        return channel

    async def hands_on_after(self, word: str) -> None:
        """The agent's phone asks the exchange to put the customer into its place in this other call."""
        dialog = [await self.real.variable(word, f"CHANNEL(pjsip,{name})") for name in ("call-id", "local_tag", "remote_tag")]  # fmt: skip
        replaces = quote("{};to-tag={};from-tag={}".format(*dialog), safe="")
        await self.agent.do("line", "1")
        await self.agent.do("transfer", f"sip:102@{self.real.sip}?Replaces={replaces}")

    async def answers(self, phone: Phone) -> None:
        """It is picked up."""
        await phone.do("accept")
        await phone.happens("CALL_ESTABLISHED")

    async def speak(self, *extensions: str) -> None:
        """Returns once these are told to have spoken with the customer, and they do so still."""
        await eventually(
            lambda: bool(self.stage.kept.legs) and self.call.state == Call.STATE_ACTIVE and self.call.spoke == extensions,
            f"{extensions} speak with the customer: {self.stage.kept.facts}", 20,
        )  # fmt: skip

    async def until(self, kind: Kind) -> None:
        """Returns once such a thing is told."""
        await eventually(lambda: bool(self.told(kind)), f"{kind} is told", 20)

    async def lasts(self, seconds: float) -> None:
        """So long nothing happens, which is what is measured."""
        await first_of(asyncio.Event(), timeout_s=seconds)

    async def over(self) -> calls.Derived:
        """The call, once nothing is left of it at the exchange either."""
        await self.real.silent()
        await eventually(lambda: self.call.state == Call.STATE_ENDED, f"it is over: {self.stage.kept.facts}", 20)  # fmt: skip
        return self.call


@asynccontextmanager
async def scene(real: Asterisk, phones: dict[str, Phone], *, led: bool) -> AsyncIterator[Scene]:
    """An adapter listens, nobody speaks."""
    port = urlsplit(real.ari).port if led else int(real.ami.rpartition(":")[2])
    assert port is not None
    wire = Wire(port)
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    here = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with serving(_given_out(real)) as files:
        connection = Connection(kind=Connection.KIND_ARI, address=f"http://{here}", username="crm")
        if not led:
            connection = Connection(
                kind=Connection.KIND_AMI, address=here, username="crm", recordings_address=files
            )
        stage = Stage(Real(ari.Ari if led else ami.Ami, wire), connection)  # type: ignore[arg-type]
        for phone in phones.values():
            phone.told.clear()
        await stage.begin()
        try:
            yield Scene(real, stage, phones, led)
        finally:
            for phone in phones.values():
                await phone.do("hangupall")
            await stage.end()
            server.close()
            await real.clear()


def _given_out(real: Asterisk) -> Callable[..., Awaitable[None]]:
    """A web server that gives out the files of MixMonitor."""
    folder = real.root / ami.MONITOR.lstrip("/")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        file = folder / scope["path"].lstrip("/")
        await answer(send, *((200, file.read_bytes()) if file.is_file() else (404, b"")))

    return app
