"""Who is who, in memory: users, departments, roles, tokens, ended sessions and public keys of every tenant.

Identity publishes them into one JetStream key-value bucket, keys `<tenant>.<kind>.<id>` (tenant "_" = the installation). Every
process watches the bucket. A watch alone is not enough: after a restart of NATS it came back only after 16 s. So everything is
read again after each reconnection, and a beat (a key written each second) is compared: older than 3 s means not fresh.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable

from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KeyValue

from chassis.events.nats import Nats, ending
from chassis.telemetry import DIRECTORY_FRESH
from chassis.tenant_view import Entry, TenantView
from chassis.waits import first_of

log = logging.getLogger(__name__)

BUCKET = "DIRECTORY"
FRESH_S = 3.0
BEAT_EVERY_S = 1.0
INSTALLATION = "_"
_TICK_S = 0.5
_READ_S = 5.0
_LONGEST_PATIENCE_S = 30.0  # between two readings of everything while nobody beats
_BEAT = (INSTALLATION, "beat", "beat")

Place = tuple[str, str, str]
_FAILURES = (NatsError, JetStreamError, OSError, TimeoutError)


class Directory:
    """All tenants' entries, kept up to date by `run`."""

    def __init__(self, nats: Nats) -> None:
        self._nats = nats
        self._views: dict[str, TenantView] = {}
        self._known: set[Place] = set()
        self._listeners: list[Callable[[str, str, str], None]] = []
        self._ready, self._stale_watch = asyncio.Event(), asyncio.Event()
        self._beat_revision, self._beat_at = 0, -1e9
        self._was_fresh = False
        self._patience_s = FRESH_S

    @property
    def fresh(self) -> bool:
        """True if what we know is at most about three seconds old."""
        return time.monotonic() - self._beat_at < FRESH_S

    async def ready(self) -> None:
        """Return when everything was read once."""
        await self._ready.wait()

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    def of(self, tenant_id: str | None) -> TenantView:
        """A tenant's part; empty for one that is not known."""
        tenant_id = tenant_id or ""
        if tenant_id not in self._views:
            # Not kept for unknown tenants: anybody can name any number of them.
            return TenantView(tenant_id)
        return self._views[tenant_id]

    def revision(self, tenant_id: str) -> int:
        return self.of(tenant_id).revision

    def tenants(self) -> list[str]:
        """The ids of all tenants, without the installation itself."""
        return [id for id, view in self._views.items() if view.tenant()]

    def on_change(self, listener: Callable[[str, str, str], None]) -> None:
        """Call `listener(tenant, kind, id)` after each change."""
        self._listeners.append(listener)

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Return when the condition holds, looking again after each change; TimeoutError after the time."""
        changed = asyncio.Event()

        def listener(*_: str) -> None:
            changed.set()

        self._listeners.append(listener)
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await changed.wait()
                    changed.clear()
        finally:
            self._listeners.remove(listener)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`."""
        forget = self._nats.on_reconnect(self._stale_watch.set)
        try:
            while not stop.is_set():
                self._notice_freshness()
                if not self._nats.connected:
                    await first_of(stop, timeout_s=_TICK_S / 5)
                    continue
                try:
                    await self._watch(stop)
                except _FAILURES as error:
                    log.info("directory: watching begins anew: %s", type(error).__name__)
                    await first_of(stop, timeout_s=_TICK_S / 5)
        finally:
            forget()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Read everything, then follow, until a reconnection or a missing beat makes the watch doubtful."""
        self._stale_watch.clear()
        bucket = await self._nats.ensure_bucket(BUCKET)
        watcher = await bucket.watchall()
        try:
            await self._read_all(watcher)
            began = time.monotonic()
            while not (stop.is_set() or self._stale_watch.is_set()):
                self._notice_freshness()
                try:
                    entry = await _next(watcher, _TICK_S)
                except TimeoutError:
                    silent_s = time.monotonic() - max(self._beat_at, began)
                    if silent_s > self._patience_s:
                        self._patience_s = min(_LONGEST_PATIENCE_S, self._patience_s * 2)
                        return
                else:
                    self._follow(entry)
        finally:
            await ending(watcher.stop())  # type: ignore[no-untyped-call]

    async def _read_all(self, watcher: KeyValue.KeyWatcher) -> None:
        """Replace what we know by what is there: entries that are gone go here too."""
        there: set[Place] = set()
        while (entry := await _next(watcher, _READ_S)) is not None:
            place, value = _parsed(entry)
            if value is not None:
                there.add(place)
            self._apply(place, value)
            if place == _BEAT:
                self._beat_revision = max(self._beat_revision, entry.revision or 0)
        for place in self._known - there:
            self._apply(place, None)
        self._ready.set()

    def _follow(self, entry: KeyValue.Entry | None) -> None:
        if entry is None:
            return
        place, value = _parsed(entry)
        self._apply(place, value)
        # Only a beat that we see arrive counts: one that lay there may be of any age, and clocks of machines differ.
        if place == _BEAT and (entry.revision or 0) > self._beat_revision:
            self._beat_revision, self._beat_at = entry.revision or 0, time.monotonic()
            self._patience_s = FRESH_S

    def _apply(self, place: Place, value: Entry | None) -> None:
        tenant, kind, id = place
        if value is None and place not in self._known:
            return
        view = self._views.setdefault(tenant, TenantView(tenant))
        (self._known.discard if value is None else self._known.add)(place)
        if view.put(kind, id, value):
            for listener in self._listeners:
                listener(tenant, kind, id)

    def _notice_freshness(self) -> None:
        if self.fresh == self._was_fresh:
            return
        self._was_fresh = self.fresh
        DIRECTORY_FRESH.set(int(self._was_fresh))
        if self._was_fresh:
            log.info("directory: fresh")
        else:
            log.warning(
                "directory: not fresh; signed-in users stay signed in until their tokens expire"
            )


async def _next(watcher: KeyValue.KeyWatcher, timeout_s: float) -> KeyValue.Entry | None:
    """The next change; None once everything that was there has come. (`watcher.updates` can swallow a cancellation.)"""
    async with asyncio.timeout(timeout_s):
        return await anext(watcher)


def _parsed(entry: KeyValue.Entry) -> tuple[Place, Entry | None]:
    tenant, kind, id = entry.key.split(".", 2)
    return (tenant, kind, id), json.loads(
        entry.value
    ) if entry.operation is None and entry.value else None


async def put(nats: Nats, tenant_id: str, kind: str, id: str, value: Entry) -> None:
    """Write an entry at once, past any outbox: for beats, keys and the test clock."""
    bucket = await nats.ensure_bucket(BUCKET)
    await bucket.put(f"{tenant_id}.{kind}.{id}", json.dumps(value).encode())


async def beat(nats: Nats, stop: asyncio.Event) -> None:
    """Write the beat each second until `stop`. Harmless if several processes do so."""
    while not stop.is_set():
        if nats.connected:
            try:
                await put(nats, *_BEAT, {"at": time.time()})
            except _FAILURES as error:
                log.info("directory: no beat: %s", type(error).__name__)
        await first_of(stop, timeout_s=BEAT_EVERY_S)
