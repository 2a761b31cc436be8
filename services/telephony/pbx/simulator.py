"""The simulated exchange: it has no wires, and plays scripts. It is an adapter as any other, and knows only what it plays itself:

a call that was played by a process that has died is ended by the next session, as a real exchange's lost calls are. Its time is
the company's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.telephony.pbx import scripts, tones
from services.telephony.pbx.adapter import Impossible, Site
from services.telephony.pbx.facts import Command, Fact, Kind, Order
from services.telephony.pbx.scripts import Scene, Step

PATIENCE = timedelta(seconds=15)
"""How long a call may wait for the session that plays it."""
_LOOK_S = 5.0


class Simulator:
    """A session with the simulated exchange."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._legs: dict[str, dict[str, Fact]] = {}
        """By call: the last fact of each of its legs."""
        self._group: asyncio.TaskGroup

    async def session(self) -> None:
        """Ends what nobody plays any more, then plays what is asked."""
        async with asyncio.TaskGroup() as self._group:
            await self._site.connected()
            while True:
                await self._end_lost()
                await asyncio.sleep(_LOOK_S)  # allow sleep: the next look

    async def _end_lost(self) -> None:
        """Ends what no session plays; a call that has just begun may still be handed to this one."""
        now = self._site.now()
        lost = [
            Fact(call=leg.call, leg=leg.leg, kind=Kind.ENDED, time=now)
            for leg in await self._site.living()
            if leg.call not in self._legs and leg.since < now - PATIENCE
        ]
        if lost:
            await self._site.hear(lost)

    async def carry_out(self, command: Command) -> None:
        """Dials, plays, or lets somebody hang up."""
        if command.order is Order.DIAL:
            extension = self._site.extensions.get(command.endpoint)
            if extension is None:
                raise Impossible("there is no such extension")
            scene = Scene(
                command.call, command.number, command.line, [extension], record=command.record
            )
            self._play(command.call, scripts.dialled(scene))
        elif command.order is Order.PLAY:
            self._play(command.call, scripts.from_text(command.script))
        elif command.order is Order.HANG_UP:
            await self._hang_up(command.call)
        # Nothing is said here that a pause could leave out.

    async def fetch(self, name: str) -> bytes:
        """A tone, the same whenever it is asked for."""
        return await asyncio.to_thread(tones.wav, name)

    def _play(self, call: str, steps: Sequence[Step]) -> None:
        self._stop(call)
        self._legs.setdefault(call, {})
        self._playing[call] = self._group.create_task(self._run(call, steps))

    async def _run(self, call: str, steps: Sequence[Step]) -> None:
        legs = self._legs[call]
        at = 0
        while at < len(steps):
            seconds = steps[at][0]
            if seconds:
                await asyncio.sleep(seconds)  # allow sleep: it plays a call, whose seconds go by
            together = [steps[at][1]]
            while at + len(together) < len(steps) and not steps[at + len(together)][0]:
                together.append(steps[at + len(together)][1])
            at += len(together)
            facts = [replace(fact, time=self._site.now()) for fact in together]
            for fact in facts:
                if fact.leg:
                    legs[fact.leg] = fact
            await self._site.hear(facts)

    async def _hang_up(self, call: str) -> None:
        self._stop(call)
        now = self._site.now()
        known = self._legs.get(call) or {
            leg.leg: None for leg in await self._site.living() if leg.call == call
        }
        await self._site.hear([Fact(call=call, leg=leg, kind=Kind.ENDED, time=now, cause=16) for leg in known])  # fmt: skip

    def _stop(self, call: str) -> None:
        if (playing := self._playing.pop(call, None)) is not None:
            playing.cancel()
