"""Calls as an exchange tells of them, for tests: who rings, who answers, who hangs up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.telephony import store, taking
from services.telephony.pbx.facts import Fact, Kind, Side
from tests.service.telephony.world import Connection, World

CUSTOMER = "+48600100200"


@dataclass
class Scene:
    """One call at an exchange; each step is told at once, a second after the one before."""

    world: World
    connection: Connection
    key: str = "1795396118.4"
    line: str = "+48300000101"
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    told: list[Fact] = field(default_factory=list)

    async def tell(self, *facts: Fact) -> Any:
        """The call after these facts; None if they tell of none."""
        self.told += facts
        return await tell(self.world, self.connection, facts)

    def fact(self, leg: str, kind: Kind, **given: Any) -> Fact:
        self.at += timedelta(seconds=given.pop("after", 1))
        return Fact(call=self.key, leg=f"{self.key}/{leg}", kind=kind, time=self.at, **given)

    async def rings(self, *extensions: str, number: str = CUSTOMER) -> Any:
        """Somebody outside calls the line, and these phones ring."""
        facts = [
            self.fact("out", Kind.BEGAN, side=Side.OUTSIDE, number=number, withheld=not number, line=self.line)
        ]  # fmt: skip
        for extension in extensions:
            facts += [
                self.fact(extension, Kind.BEGAN, side=Side.COLLEAGUE, number=extension),
                self.fact(extension, Kind.RANG),
            ]
        return await self.tell(*facts)

    async def answers(self, extension: str, others: Sequence[str] = ()) -> Any:
        """The phone is picked up, the others ring no more, and they speak."""
        return await self.tell(
            self.fact(extension, Kind.ANSWERED),
            *(self.fact(other, Kind.ENDED, cause=26) for other in others),
            self.fact("out", Kind.ANSWERED),
            self.fact("out", Kind.JOINED, room="b1"),
            self.fact(extension, Kind.JOINED, room="b1", after=0),
        )

    async def ends(self, *extensions: str, after: int = 30, cause: int = 16) -> Any:
        """The customer hangs up, and everything is over."""
        return await self.tell(
            self.fact("out", Kind.HUNG_UP, after=after),
            *(self.fact(extension, Kind.ENDED, cause=cause, after=0) for extension in extensions),
            self.fact("out", Kind.ENDED, cause=cause, after=0),
        )

    async def dials(self, extension: str, number: str = CUSTOMER) -> Any:
        """A colleague calls out: his own phone, then the customer's rings."""
        return await self.tell(
            self.fact(extension, Kind.BEGAN, side=Side.COLLEAGUE, number=extension, dialled=number),
            self.fact(extension, Kind.ANSWERED),
            self.fact("out", Kind.BEGAN, side=Side.OUTSIDE, number=number, line=self.line),
            self.fact("out", Kind.RANG),
        )


async def tell(world: World, connection: Connection, facts: Sequence[Fact]) -> Any:
    """The call of these facts, taken in a transaction of its own, as an exchange's owner does."""

    async def work(tx: Any) -> Any:
        known = await store.connections.find(tx, connection.id)
        assert known is not None
        return await taking.take(tx, known, facts)

    calls = await world.system(work)
    return calls[0] if calls else None
