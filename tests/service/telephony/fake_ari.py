"""Asterisk's REST interface for tests: a real websocket and real HTTP, and what Asterisk says there."""

import asyncio
import base64
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx.adapter import Adapter
from services.telephony.pbx.ari import Ari
from services.telephony.pbx.facts import Fact, Kind, Side
from tests.service.telephony.conformance import EXTENSIONS, Stage, until
from tests.service.telephony.serving import answer, serving

Told = dict[str, Any]
_CHANNELS = {number: endpoint for endpoint, number in EXTENSIONS.items()}
_STATES = {Kind.RANG: "Ringing", Kind.ANSWERED: "Up"}
_TYPES = {
    Kind.HELD: "ChannelHold", Kind.RESUMED: "ChannelUnhold", Kind.HUNG_UP: "ChannelHangupRequest",
    Kind.JOINED: "ChannelEnteredBridge", Kind.LEFT: "ChannelLeftBridge", Kind.ENDED: "ChannelDestroyed",
    Kind.TRANSFERRED: "BridgeBlindTransfer",
}  # fmt: skip
_RECORDINGS = {Kind.RECORDING: "RecordingStarted", Kind.RECORDED: "RecordingFinished"}
_BASIC = b"Basic " + base64.b64encode(b"crm:secret")


class FakeAri:
    """Plays calls as a dialplan makes them, and does what our application asks."""

    adapter: type[Adapter] = Ari
    tells_times = True
    stage: Stage

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.channels: dict[str, Told] = {}
        self.bridges: dict[str, Told] = {}
        self.sounds: dict[str, bytes] = {}
        self.refused: set[str] = set()
        """Paths that are answered with 500."""
        self._sockets: list[asyncio.Queue[str | None]] = []
        self._open = AsyncExitStack()
        self._number = 0

    async def open(self) -> connection_pb2.Connection:
        address = await self._open.enter_async_context(serving(self))
        return connection_pb2.Connection(
            kind=connection_pb2.Connection.KIND_ARI, address=address, username="crm"
        )

    async def close(self) -> None:
        await self.cut()
        await self._open.aclose()

    async def cut(self) -> None:
        for socket in self._sockets:
            socket.put_nowait(None)
        assert await until(lambda: not self._sockets)

    def send(self, event: Told) -> None:
        """Says it to whoever listens."""
        written = orjson.dumps(event).decode()  # as it is now
        for socket in self._sockets:
            socket.put_nowait(written)

    # -- calls ---------------------------------------------------------------------------------------------------------------

    async def say(self, fact: Fact) -> None:
        self.unseen(fact, self.send)

    def unseen(self, fact: Fact, say: Any = lambda event: None) -> None:
        """It happens; `say` is told what a listener hears."""
        at = fact.time.isoformat()
        if fact.kind in _RECORDINGS:
            sound = {"name": fact.recording, "target_uri": f"channel:{fact.call}"}
            say({"type": _RECORDINGS[fact.kind], "timestamp": at, "recording": sound})
            return
        if fact.kind is Kind.BEGAN:
            self._begins(fact, say)
            return
        channel = self.channels.get(fact.leg) or {"id": fact.leg, "name": "PJSIP/gone-1"}
        told = {"timestamp": at, "channel": channel}
        if fact.kind in _STATES:
            channel["state"] = _STATES[fact.kind]
            say(told | {"type": "ChannelStateChange", "channel": dict(channel)})
            return
        told |= {"type": _TYPES[fact.kind], "result": "Success", "cause": fact.cause}
        if fact.kind in (Kind.JOINED, Kind.LEFT):
            told["bridge"] = self._place(fact.leg, fact.room, enters=fact.kind is Kind.JOINED)
        elif fact.kind is Kind.ENDED:
            self.channels.pop(fact.leg, None)
        say(told)

    def _begins(self, fact: Fact, say: Any) -> None:
        comes_in, colleague = fact.leg == fact.call, fact.side is Side.COLLEAGUE
        name = _CHANNELS[fact.number] if colleague else "PJSIP/trunk"
        dialled = fact.dialled if colleague else fact.line
        channel = _channel(fact.leg, name, fact.time, "Ring" if comes_in else "Down")
        channel["caller"]["number"] = fact.number if comes_in or colleague else fact.line
        channel["dialplan"]["exten"] = dialled if comes_in else "s"
        channel["dialplan"]["app_name"] = "Dial" if comes_in else "AppDial"
        self.channels.setdefault(fact.leg, channel)
        at = fact.time.isoformat()
        say({"type": "ChannelCreated", "timestamp": at, "channel": channel})
        if not comes_in:
            say({
                "type": "Dial", "timestamp": at, "caller": self.channels.get(fact.call), "peer": channel,
                "dialstatus": "", "dialstring": "agent" if colleague else f"trunk/sip:{fact.number}@127.0.0.1:5090",
            })  # fmt: skip

    def _place(self, leg: str, room: str, *, enters: bool) -> Told:
        bridge = self.bridges.setdefault(room, {"id": room, "bridge_type": "mixing", "creator": "", "channels": []})  # fmt: skip
        if leg in bridge["channels"]:
            bridge["channels"].remove(leg)
        if enters:
            bridge["channels"].append(leg)
        return dict(bridge)

    # -- what happens to calls that our application leads -----------------------------------------------------------------------

    def comes_in(self, id: str, number: str, line: str) -> None:
        """A customer calls, and the dialplan hands the call to us."""
        channel = _channel(id, "PJSIP/trunk", _now(), "Ring")
        channel["caller"]["number"] = number
        channel["dialplan"] |= {"exten": line, "app_name": "Stasis", "app_data": f"akrab,inbound,{line}"}  # fmt: skip
        self.channels[id] = channel
        self._happens("ChannelCreated", channel)
        self._happens("StasisStart", channel, application="akrab", args=["inbound", line])

    def picks_up(self, id: str) -> None:
        """A phone that we asked for is picked up, and enters; where nobody listens it is let go."""
        if not self._sockets:
            self.gone(id)
            return
        channel = self.channels[id]
        channel["dialplan"] |= {"app_name": "Stasis", "app_data": ",".join(("akrab", *channel["args"]))}  # fmt: skip
        channel["state"] = "Up"
        self._happens("ChannelStateChange", channel)
        self._happens("StasisStart", channel, application="akrab", args=channel["args"])

    def gone(self, id: str, cause: int = 16) -> None:
        """A channel ends."""
        channel = self.channels.pop(id)
        for bridge in self.bridges.values():
            if id in bridge["channels"]:
                bridge["channels"].remove(id)
                self._happens("ChannelLeftBridge", channel, bridge=dict(bridge))
        self._happens("ChannelDestroyed", channel, cause=cause)

    def replaced(self, old: str, new: str) -> None:
        """A blind transfer: another channel takes the place in the bridge."""
        channel = self.channels[new] = _channel(new, "Local/102@from-agents", _now(), "Up")
        channel["name"] += ";1"
        self._happens("ChannelCreated", channel)
        self._happens("StasisStart", channel, application="akrab", args=[], replace_channel=self.channels[old])  # fmt: skip
        bridge = next(b for b in self.bridges.values() if old in b["channels"])
        self._happens("ChannelEnteredBridge", channel, bridge=self._place(new, bridge["id"], enters=True))  # fmt: skip
        self.gone(old)

    def _happens(self, kind: str, channel: Told, **more: Any) -> None:
        self.send({"type": kind, "timestamp": _now().isoformat(), "channel": dict(channel), **more})

    # -- what is asked -------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        allowed = dict(scope["headers"]).get(b"authorization") == _BASIC
        if scope["type"] == "websocket":
            await self._listened(allowed, receive, send)
            return
        path = unquote(scope["raw_path"].decode()).removeprefix("/ari")
        asked = dict(parse_qsl(scope["query_string"].decode()))
        self.asked.append((scope["method"], path, asked))
        status, said = self._answer(scope["method"], path, asked) if allowed else (401, None)
        content = said if isinstance(said, bytes) else orjson.dumps(said) if said is not None else b""  # fmt: skip
        await answer(send, status, content)

    async def _listened(self, allowed: bool, receive: Any, send: Any) -> None:
        await receive()
        if not allowed:
            await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})
            return
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        await send({"type": "websocket.accept"})
        self._sockets.append(queue)
        gone = asyncio.create_task(receive())
        gone.add_done_callback(lambda _: queue.put_nowait(None))
        while (event := await queue.get()) is not None:
            await send({"type": "websocket.send", "text": event})
        self._sockets.remove(queue)
        if not gone.done():
            await send({"type": "websocket.close", "code": 1012})
            gone.cancel()

    def _answer(self, method: str, path: str, asked: dict[str, str]) -> tuple[int, Any]:
        if any(re.fullmatch(refused, path) for refused in self.refused):
            return 500, None
        match method, path.strip("/").split("/"):
            case "GET", ["channels"]:
                return 200, list(self.channels.values())
            case "GET", ["bridges"]:
                return 200, list(self.bridges.values())
            case "POST", ["channels"]:
                return self._create(asked)
            case "DELETE", ["channels", id] if id in self.channels:
                self.gone(id)
                return 204, None
            case "POST", ["channels", id, "ring"] if id in self.channels:
                return 204, None
            case "POST", ["channels", id, "answer"] if id in self.channels:
                self.channels[id]["state"] = "Up"
                self._happens("ChannelStateChange", self.channels[id])
                return 204, None
            case "POST", ["bridges"]:
                self._number += 1
                bridge = {"id": f"b{self._number}", "bridge_type": "mixing", "creator": "Stasis", "name": asked["name"], "channels": []}  # fmt: skip
                self.bridges[bridge["id"]] = bridge  # type: ignore[index]
                return 200, bridge
            case "DELETE", ["bridges", id] if id in self.bridges:
                del self.bridges[id]
                return 204, None
            case "POST", ["bridges", id, "addChannel"]:
                for leg in asked["channel"].split(","):
                    self._happens("ChannelEnteredBridge", self.channels[leg], bridge=self._place(leg, id, enters=True))  # fmt: skip
                return 204, None
            case "POST", ["bridges", id, "record"]:
                sound = {"name": asked["name"], "target_uri": f"bridge:{id}"}
                self.sounds[asked["name"]] = b"RIFF"
                self.send({"type": "RecordingStarted", "recording": sound})
                return 201, sound
            case _, ["recordings", "live", name, "pause"] if name in self.sounds:
                return 204, None
            case "GET", ["recordings", "stored", *name, "file"] if "/".join(name) in self.sounds:
                return 200, self.sounds["/".join(name)]
        return 404, None

    def _create(self, asked: dict[str, str]) -> tuple[int, Any]:
        endpoint, outside = asked["endpoint"], asked["endpoint"].endswith("@trunk")
        if endpoint not in EXTENSIONS and not outside:
            return 500, {"error": "Allocation failed"}
        channel = _channel(asked["channelId"], "PJSIP/trunk" if outside else endpoint, _now(), "Down")  # fmt: skip
        channel["caller"]["number"] = asked.get("callerId", "")
        channel["args"] = asked["appArgs"].split(",")
        self.channels[channel["id"]] = channel
        self._happens("ChannelCreated", channel)
        self._happens("ChannelCallerId", channel)
        caller = {"caller": self.channels[asked["originator"]]} if "originator" in asked else {}
        dialled = endpoint.removeprefix("PJSIP/")
        self.send({"type": "Dial", "timestamp": _now().isoformat(), "peer": dict(channel), "dialstatus": "", "dialstring": dialled, **caller})  # fmt: skip
        channel["state"] = "Ringing"
        self._happens("ChannelStateChange", channel)
        return 200, channel


def _channel(id: str, endpoint: str, at: datetime, state: str) -> Told:
    return {
        "id": id, "name": f"{endpoint}-0000000{len(id) % 10}", "state": state, "creationtime": at.isoformat(),
        "caller": {"name": "", "number": ""}, "connected": {"name": "", "number": ""},
        "dialplan": {"context": "x", "exten": "s", "priority": 1, "app_name": "AppDial2", "app_data": ""},
    }  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)
