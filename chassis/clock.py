"""What time it is for the business. Token lifetimes, rate limits and time-outs of the network use real time instead."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from chassis import directory
from chassis.directory import INSTALLATION, Directory
from chassis.events.nats import Nats

_OFFSET = (INSTALLATION, "clock", "offset")


class Clock:
    """Real time."""

    def now(self) -> datetime:
        """This moment, aware, in UTC."""
        return datetime.now(UTC)

    def on_jump(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the clock was moved; real time never is."""


class TestClock(Clock):
    """Real time plus an offset that all processes of the installation share: only with CRM_TEST_CLOCK=1."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @property
    def offset(self) -> timedelta:
        entry = self._directory.of(INSTALLATION).entry(*_OFFSET[1:]) or {}
        return timedelta(seconds=entry.get("seconds", 0.0))

    def now(self) -> datetime:
        return super().now() + self.offset

    def on_jump(self, listener: Callable[[], None]) -> None:
        def changed(tenant: str, kind: str, id: str) -> None:
            if (tenant, kind, id) == _OFFSET:
                listener()

        self._directory.on_change(changed)

    async def advance(self, nats: Nats, by: timedelta) -> None:
        """Move the clock of all processes forward; returns when this process has it. Others have it within milliseconds."""
        if by < timedelta(0):
            raise ValueError("the clock only moves forward")
        wanted = self.offset + by
        await directory.put(nats, *_OFFSET, {"seconds": wanted.total_seconds()})
        await self._directory.until(lambda: self.offset == wanted)
