"""A provider that tells of calls by signed calls (exchange_events.py), and is asked to dial by signed calls of ours.

There is no connection and nothing to ask who lives: a phone of which nothing was told for long is over.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import orjson

from chassis import outbound, signed_calls
from services.telephony.pbx import sounds
from services.telephony.pbx.adapter import Impossible, Site
from services.telephony.pbx.facts import Command, Fact, Kind, Order

PATIENCE = timedelta(hours=4)
"""So long a phone may say nothing; few speak with a customer for longer."""
LOOK_S = 60.0
_ASKED = {
    Order.DIAL: "dial",
    Order.HANG_UP: "hang_up",
    Order.PAUSE_RECORDING: "pause_recording",
    Order.RESUME_RECORDING: "resume_recording",
}


class Webhook:
    """A session with one provider."""

    private = False
    """True to ask providers in one's own network, too."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def session(self) -> None:
        """Ends what was forgotten, for ever."""
        await self._site.connected()
        while True:
            now = datetime.now(UTC)
            forgotten = [
                Fact(call=leg.call, leg=leg.leg, kind=Kind.ENDED, time=leg.since)
                for leg in await self._site.living()
                if leg.since < now - PATIENCE
            ]
            if forgotten:
                await self._site.hear(forgotten)
            await asyncio.sleep(LOOK_S)  # allow sleep: the next look

    async def fetch(self, name: str) -> bytes:
        """The name is its address, on a host that was checked when it was told (rules/webhooks.py)."""
        return await sounds.given(name, signature=self._signature(name.encode()), private=self.private)  # fmt: skip

    async def carry_out(self, command: Command) -> None:
        """Asks the provider; what it does it tells by its own calls."""
        if command.order not in _ASKED:
            raise Impossible(f"a provider does not {command.order}")
        address = self._site.connection.address
        if not address:
            raise Impossible("the provider has no address at which it can be asked")
        asked = {"type": _ASKED[command.order], "id": command.id, "call_id": command.call}
        if command.order is Order.DIAL:
            extension = self._site.extensions.get(command.endpoint)
            if extension is None:
                raise Impossible("there is no such extension")
            asked |= {"extension": extension, "number": command.number, "line": command.line}
        content = orjson.dumps(asked)
        headers = {"content-type": "application/json", signed_calls.HEADER: self._signature(content)}  # fmt: skip
        try:
            answer = await outbound.call("POST", address, outbound.Content(headers, content), private=self.private)  # fmt: skip
        except outbound.Unanswered as failed:
            raise Impossible(f"the provider did not answer ({failed.problem})") from None
        if not 200 <= answer.status < 300:
            raise Impossible(f"the provider answered {answer.status}")

    def _signature(self, content: bytes) -> str:
        return signed_calls.sign(self._site.password, content, int(time.time()))
