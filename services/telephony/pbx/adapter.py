"""What every adapter is: it speaks with one exchange, tells facts, and carries out commands.

An adapter knows its provider and nothing else: no transaction, no table, no other tenant. It serves one session; whoever runs it
(exchanges.py) begins the next one after a cut. Each session begins by reconciling: for every leg that is told to be living and
that the exchange does not know any more it tells ENDED, so nothing rings for ever.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx.facts import Command, Fact
from services.telephony.pbx.phones import Phones

MOST_SOUND = 200 << 20
"""Bytes of a recording that is fetched: three hours of plain samples of a telephone."""
SOUND_S = 60.0
"""How long one try to fetch a recording may take."""

Hear = Callable[[Sequence[Fact]], Awaitable[None]]
"""Takes facts; returns when they are kept."""


class Cut(Exception):
    """The session cannot go on, or could not begin; the text says why without anything secret or personal."""


class Impossible(Exception):
    """The exchange refused a command, or cannot do such a thing."""


class TooLarge(Impossible):
    """The exchange has such a recording, and nobody keeps it: it has more than MOST_SOUND bytes."""


class Astray(Impossible):
    """The recording lies where nobody goes for it, however often: at no https address, or in our own network."""


@dataclass(frozen=True, slots=True)
class Living:
    """A leg that is not over as far as we know."""

    call: str
    leg: str
    since: datetime
    """When something of it was told last."""


@dataclass(frozen=True, slots=True)
class Route:
    """What happens with an inbound call that we lead ourselves."""

    endpoints: Sequence[str] = ()
    """How the exchange dials everybody whose phone is to ring, all at once."""
    ring_s: int = 20
    """How long they ring before the others do, or the caller is let go."""
    record: bool = False
    """True to record what is said."""
    others: Sequence[str] = ()
    """How it dials those whose phones ring beside them where nobody of them has picked up by then."""
    others_ring_s: int = 0
    """How long the others ring before the caller is let go."""


@dataclass(slots=True)
class Site:
    """What an adapter is given for a session."""

    connection: connection_pb2.Connection
    password: str
    """With which we sign in; a provider's secret where calls are signed."""
    hear: Hear
    living: Callable[[], Awaitable[list[Living]]]
    connected: Callable[[], Awaitable[None]]
    """Say that the session stands and what was lost is reconciled."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """How the exchange dials it (without its last, changing part) -> the extension's number; renewed while a session lasts."""
    mobiles: Mapping[str, str] = field(default_factory=dict)
    """The mobile number that rings with an extension -> the extension's number; renewed as well."""
    route: Callable[[str], Awaitable[Route]] | None = None
    """Where a new call goes, by its key, once its first fact was heard."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """What time it is for the company: the time of an exchange that has no clock of its own."""

    def phones(self) -> Phones:
        """Whose phones are known."""
        return Phones(self.extensions, self.mobiles)


class Adapter(Protocol):
    """Made for each session: `Adapter(site)`."""

    def __init__(self, site: Site) -> None: ...

    async def session(self) -> None:
        """Speaks with the exchange until it is cancelled; raises Cut (or OSError) when the exchange is gone."""

    async def carry_out(self, command: Command) -> None:
        """Does it; Impossible if the exchange refuses. What comes of it is told by facts."""

    async def fetch(self, name: str) -> bytes:
        """The whole sound of the recording that facts called so; Impossible if the exchange does not give it, TooLarge and Astray too.

        The name is what somebody outside told: it must not lead to anything else than a recording of this exchange.
        """
