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
        """By call: what plays it; done where it was played, until nothing of it lives."""
        self._group: asyncio.TaskGroup

    async def session(self) -> None:
        """Ends what nobody plays any more, then plays what is asked."""
        async with asyncio.TaskGroup() as self._group:
            await self._site.connected()
            while True:
                await self._end_lost()
                await asyncio.sleep(_LOOK_S)  # allow sleep: the next look

    async def _end_lost(self) -> None:
        """Ends what no session plays, and forgets what is over; a call that has just begun may still be handed to this one."""
        now = self._site.now()
        # Before asking who lives: what is played to its end meanwhile is looked at the next time.
        played = {call: playing for call, playing in self._playing.items() if playing.done()}
        living = await self._site.living()
        lost = [
            Fact(call=leg.call, leg=leg.leg, kind=Kind.ENDED, time=now)
            for leg in living
            if leg.call not in self._playing and leg.since < now - PATIENCE
        ]
        if lost:
            await self._site.hear(lost)
        for call in played.keys() - {leg.call for leg in living}:
            if self._playing.get(call) is played[call]:  # else it is played anew
                del self._playing[call]

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
        if (playing := self._playing.get(call)) is not None:
            playing.cancel()
        self._playing[call] = self._group.create_task(self._run(steps))

    async def _run(self, steps: Sequence[Step]) -> None:
        at = 0
        while at < len(steps):
            seconds = steps[at][0]
            if seconds:
                await asyncio.sleep(seconds)  # allow sleep: it plays a call, whose seconds go by
            together = [steps[at][1]]
            while at + len(together) < len(steps) and not steps[at + len(together)][0]:
                together.append(steps[at + len(together)][1])
            at += len(together)
            await self._site.hear([replace(fact, time=self._site.now()) for fact in together])

    async def _hang_up(self, call: str) -> None:
        if (playing := self._playing.get(call)) is not None:
            playing.cancel()
            await asyncio.wait({playing})
        now = self._site.now()
        living = [leg.leg for leg in await self._site.living() if leg.call == call]
        await self._site.hear([Fact(call=call, leg=leg, kind=Kind.ENDED, time=now, cause=16) for leg in living])  # fmt: skip
        self._playing.pop(call, None)
