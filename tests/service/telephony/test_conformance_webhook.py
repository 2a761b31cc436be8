"""A provider that tells by signed calls does what every adapter must."""

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from chassis import signed_calls
from crm.telephony.v1 import connection_pb2
from services.telephony.pbx.adapter import Adapter
from services.telephony.pbx.facts import Fact, Kind, Side
from services.telephony.pbx.webhook import Webhook
from services.telephony.rules import webhooks
from tests.service.telephony.conformance import Conformance, Stage
from tests.service.telephony.serving import answer, body, serving

HOST = "pbx.example"
_SIDES = {Side.OUTSIDE: "outside", Side.COLLEAGUE: "colleague"}


class _InOurNetwork(Webhook):
    private = True


def event(fact: Fact) -> dict[str, Any]:
    """What a provider writes when this happens."""
    written = {
        "type": fact.kind.value.replace(" ", "_"), "call_id": fact.call, "time": fact.time.isoformat(),
        "number": fact.number, "line": fact.line, "dialled": fact.dialled, "room": fact.room,
        "cause": fact.cause, "withheld": fact.withheld,
    }  # fmt: skip
    if fact.leg:
        written["leg_id"] = fact.leg
    if fact.side:
        written["side"] = _SIDES[fact.side]
    if fact.recording:
        written["recording"] = f"https://{HOST}/{fact.recording}"
    return written


class Provider:
    """Tells of calls, and does what it is asked."""

    adapter: type[Adapter] = _InOurNetwork
    tells_times = True
    stage: Stage

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self._open = AsyncExitStack()

    async def open(self) -> connection_pb2.Connection:
        address = await self._open.enter_async_context(serving(self))
        return connection_pb2.Connection(
            kind=connection_pb2.Connection.KIND_WEBHOOK, address=address
        )

    async def close(self) -> None:
        await self._open.aclose()

    async def say(self, fact: Fact) -> None:
        facts = webhooks.read(orjson.dumps({"events": [event(fact)]}), HOST)
        await self.stage.kept.hear(
            [replace(fact, recording=fact.recording.rpartition("/")[2]) for fact in facts]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        content = await body(receive)
        header = dict(scope["headers"])[signed_calls.HEADER.lower().encode()].decode()
        assert signed_calls.signed_at("secret", header, content)
        asked = orjson.loads(content)
        self.asked.append(asked)
        if asked["type"] == "dial":
            fact = Fact(
                call=asked["call_id"], leg="own", kind=Kind.BEGAN, time=datetime.now(UTC), side=Side.COLLEAGUE,
                number=asked["extension"], dialled=asked["number"],
            )  # fmt: skip
            await self.say(fact)
        else:
            for leg in await self.stage.kept.living():
                await self.say(Fact(call=leg.call, leg=leg.leg.partition("/")[2], kind=Kind.ENDED, time=datetime.now(UTC)))  # fmt: skip
        await answer(send, 202)


class TestWebhook(Conformance):
    driver = Provider
