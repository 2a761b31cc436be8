"""A manager interface for tests: a real socket, and what Asterisk says there."""

import asyncio
from typing import Any

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx.adapter import Adapter
from services.telephony.pbx.ami import Ami
from services.telephony.pbx.ami_reading import event
from services.telephony.pbx.facts import Fact, Kind, Side
from tests.service.telephony.conformance import EXTENSIONS, Stage

_CHANNELS = {number: endpoint for endpoint, number in EXTENSIONS.items()}
_STATES = {Kind.RANG: "Ringing", Kind.ANSWERED: "Up"}
_NAMES = {
    Kind.HELD: "Hold", Kind.RESUMED: "Unhold", Kind.HUNG_UP: "HangupRequest", Kind.ENDED: "Hangup",
    Kind.JOINED: "BridgeEnter", Kind.LEFT: "BridgeLeave", Kind.QUEUED: "QueueCallerJoin",
    Kind.UNQUEUED: "QueueCallerLeave",
}  # fmt: skip


class FakeAmi:
    """Plays calls as a dialplan makes them, and answers what the adapter asks."""

    adapter: type[Adapter] = Ami
    tells_times = True
    stage: Stage

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.channels: dict[str, dict[str, str]] = {}
        """Of each living channel what CoreShowChannels says."""
        self.silent: set[str] = set()
        """Actions that are not answered."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server
        self._monitored: dict[str, str] = {}

    async def open(self) -> connection_pb2.Connection:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return connection_pb2.Connection(
            kind=connection_pb2.Connection.KIND_AMI, address=f"127.0.0.1:{port}", username="crm"
        )

    async def close(self) -> None:
        self._server.close()
        await self.cut()

    async def cut(self, *, half: bytes = b"") -> None:
        """Ends the connection, perhaps in the middle of an event."""
        for writer in list(self._writers):
            writer.write(half)
            writer.close()

    async def send(self, **fields: Any) -> None:
        """Says one block to whoever has signed in."""
        for writer in self._writers:
            writer.write(_block(fields))
            await writer.drain()

    # -- calls ---------------------------------------------------------------------------------------------------------------

    async def say(self, fact: Fact) -> None:
        for block in self._told(fact):
            await self.send(**block)
        self.unseen(fact)

    def unseen(self, fact: Fact) -> None:
        if fact.kind is Kind.BEGAN and fact.leg not in self.channels:
            self.channels[fact.leg] = self._channel(fact) | {"Duration": "00:00:30"}
            self.channels[fact.leg]["Application"] = "Dial" if _comes_in(fact) else "AppDial"
        channel = self.channels.get(fact.leg, {})
        if fact.kind in _STATES:
            channel["ChannelStateDesc"] = _STATES[fact.kind]
        elif fact.kind in (Kind.JOINED, Kind.LEFT):
            channel["BridgeId"] = fact.room if fact.kind is Kind.JOINED else ""
        elif fact.kind is Kind.ENDED:
            self.channels.pop(fact.leg, None)

    def _channel(self, fact: Fact) -> dict[str, str]:
        comes_in, colleague = _comes_in(fact), fact.side is Side.COLLEAGUE
        name = _CHANNELS[fact.number] if colleague else "PJSIP/trunk"
        dialled = (fact.dialled if colleague else fact.line) if comes_in else "s"
        return {
            "Channel": f"{name}-{fact.leg[-8:]}", "Uniqueid": fact.leg, "Linkedid": fact.call,
            "ChannelStateDesc": "Ring" if comes_in else "Down", "Exten": dialled,
            "CallerIDNum": fact.number if colleague or comes_in else "",
        }  # fmt: skip

    def _told(self, fact: Fact) -> list[dict[str, str]]:
        at = {"Timestamp": f"{fact.time.timestamp():.6f}"}
        if fact.kind in (Kind.RECORDING, Kind.RECORDED):
            if fact.kind is Kind.RECORDED:
                return []  # said by the end of the channel
            first = next(iter(self.channels.values()))
            variable = {"Variable": "MIXMONITOR_FILENAME", "Value": fact.recording}
            return [{"Event": "VarSet"} | at | _who(first) | variable]
        if fact.kind is Kind.BEGAN:
            return self._began(fact, at)
        who = _who(self.channels.get(fact.leg) or {"Uniqueid": fact.leg, "Linkedid": fact.call})
        if fact.kind in _STATES:
            return [{"Event": "Newstate", "ChannelStateDesc": _STATES[fact.kind]} | at | who]
        if fact.kind is Kind.TRANSFERRED:
            about = {f"Transferer{name}": value for name, value in who.items()}
            return [{"Event": "BlindTransfer", "Result": "Success"} | at | about]
        place = {"Queue": fact.room} if "Queue" in _NAMES[fact.kind] else {"BridgeUniqueid": fact.room}  # fmt: skip
        return [{"Event": _NAMES[fact.kind], "Cause": str(fact.cause)} | at | who | place]

    def _began(self, fact: Fact, at: dict[str, str]) -> list[dict[str, str]]:
        channel = self._channel(fact)
        told = [{"Event": "Newchannel"} | at | channel]
        if fact.side is Side.OUTSIDE and not _comes_in(fact):
            called = {f"Dest{name}": channel[name] for name in ("Channel", "Uniqueid", "Linkedid")}
            dialled = {"DestCallerIDNum": fact.line, "DialString": f"trunk/sip:{fact.number}@127.0.0.1:5090"}  # fmt: skip
            told.append({"Event": "DialBegin"} | at | called | dialled)
        return told

    # -- what is asked -------------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                asked = event((await reader.readuntil(b"\r\n\r\n")).decode())
                self.asked.append(asked)
                if asked["Action"] not in self.silent:
                    await self._answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        about = {"ActionID": asked["ActionID"]}
        refused = self._refusal(asked)
        said = {"Response": "Error", "Message": refused} if refused else {"Response": "Success"}
        writer.write(_block(said | about))
        if refused:
            return
        if asked["Action"] == "Login":
            self._writers.add(writer)
        elif asked["Action"] == "CoreShowChannels":
            for channel in self.channels.values():
                writer.write(_block({"Event": "CoreShowChannel"} | channel | about))
            writer.write(_block({"Event": "CoreShowChannelsComplete"} | about))
        elif asked["Action"] == "Hangup":
            (leg,) = [id for id, c in self.channels.items() if c["Channel"] == asked["Channel"]]
            await self.send(Event="Hangup", Cause="16", **_who(self.channels.pop(leg)))
        elif asked["Action"] == "Originate":
            await self._originate(asked)

    def _refusal(self, asked: dict[str, str]) -> str:
        if asked["Action"] == "Login" and asked["Secret"] != "secret":
            return "Authentication failed"
        known = {channel["Channel"] for channel in self.channels.values()}
        return "No such channel" if asked["Action"] == "Hangup" and asked["Channel"] not in known else ""  # fmt: skip

    async def _originate(self, asked: dict[str, str]) -> None:
        if asked["Channel"] not in EXTENSIONS:
            await self.send(Event="OriginateResponse", ActionID=asked["ActionID"], Response="Failure", Reason="0")  # fmt: skip
            return
        leg, number = asked["ChannelId"], EXTENSIONS[asked["Channel"]]
        channel = {
            "Channel": f"{asked['Channel']}-0000000e", "Uniqueid": leg, "Linkedid": leg,
            "ChannelStateDesc": "Down", "Exten": "s", "CallerIDNum": number,
        }  # fmt: skip
        self.channels[leg] = channel
        await self.send(Event="Newchannel", **channel)
        await self.send(Event="NewCallerid", **channel | {"CallerIDNum": asked["CallerID"].strip("<>")})  # fmt: skip


def _comes_in(fact: Fact) -> bool:
    """Whether the leg is one that the exchange did not make itself."""
    return fact.leg == fact.call


def _who(channel: dict[str, str]) -> dict[str, str]:
    return {name: channel[name] for name in ("Channel", "Uniqueid", "Linkedid") if name in channel}


def _block(fields: dict[str, Any]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"
