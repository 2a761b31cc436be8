"""The process's one NATS connection, and the streams and buckets of an installation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KeyValue

log = logging.getLogger(__name__)

EVENTS_KEPT_S = 30 * 86_400.0
DEAD_LETTERS_KEPT_S = 90 * 86_400.0  # longer: they wait for a person
DUPLICATE_WINDOW_S = 120.0  # how long JetStream remembers a Nats-Msg-Id
_REQUEST_S = 5.0
_BLANKS = " \t\n\r\x0b\f"  # those of ASCII: others belong to the value
_ALREADY_EXISTS = 10058  # JetStream's error: the name is in use with another configuration


class _Client(Client):
    """The library's client, reading headers in a third of the time: each event of an import has ten of them, for each consumer."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """As the library's own, which decodes and looks through each header by itself."""
        found = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            name = name.strip(_BLANKS)
            if colon and name.isascii() and "".join(name.split()) == name:
                found[name] = value.strip(_BLANKS)
        return found


class Nats:
    """One connection for everything a process does with NATS. It reconnects for ever.

    The client pings every 5 s and gives a silent server up after two pings: by default a frozen server goes unnoticed for
    minutes.
    """

    def __init__(self, url: str, name: str = "akrab", *, replicas: int = 1) -> None:
        self.client: Client = _Client()
        self.js: JetStreamContext = self.client.jetstream(timeout=_REQUEST_S)
        self._url, self._name, self._replicas = url, name, replicas
        self._reconnected: list[Callable[[], None]] = []
        self._up = asyncio.Event()

    async def connect(self) -> None:
        """Return when connected; waits for as long as there is no server."""
        await self.client.connect(
            self._url,
            name=self._name,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]  # seconds; the stub says int
            connect_timeout=3,
            ping_interval=5,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
        )
        self._up.set()

    async def close(self) -> None:
        """Send what is buffered, then close."""
        if self.client.is_connected:
            try:
                await self.client.flush(timeout=2)
            except (NatsError, TimeoutError, OSError) as error:
                log.warning("NATS was not flushed before closing: %s", type(error).__name__)
        await self.client.close()

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    async def wait_connected(self) -> None:
        await self._up.wait()

    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every reconnection; returns what ends that."""
        self._reconnected.append(callback)
        return lambda: self._reconnected.remove(callback)

    async def ensure_streams(self, services: Iterable[str]) -> None:
        """Create the event stream and the dead-letter stream of each service, if absent.

        An existing stream is left as it is: how long events are kept may have been set by an administrator.
        """
        for service in services:
            await self._ensure(stream_of(service), [f"crm.*.{service}.>"], EVENTS_KEPT_S)
            await self._ensure(
                dead_stream_of(service), [f"crm-dead.{service}.>"], DEAD_LETTERS_KEPT_S
            )

    async def durables(self, service: str) -> set[str]:
        """The names of all consumers of the service's stream; none if there is no stream yet."""
        found: set[str] = set()
        seen = 0  # consumers that are made meanwhile move the others on: one may be seen twice
        try:
            while page := await self.js.consumers_info(stream_of(service), offset=seen):
                found |= {consumer.name for consumer in page}
                seen += len(page)
        except NotFoundError:
            return set()
        return found

    async def _ensure(self, name: str, subjects: list[str], kept_s: float) -> None:
        try:
            await self.js.stream_info(name)
            return
        except NotFoundError:
            pass
        config = StreamConfig(
            name=name,
            subjects=subjects,
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_age=kept_s,
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=self._replicas,
            allow_direct=True,
        )
        try:
            await self.js.add_stream(config)
        except BadRequestError as error:
            if error.err_code != _ALREADY_EXISTS:  # another process was faster
                raise

    async def ensure_bucket(self, name: str) -> KeyValue:
        """The key-value bucket of that name, created if absent; it keeps the last value of each key."""
        try:
            return await self.js.key_value(name)
        except NotFoundError:
            return await self.js.create_key_value(bucket=name, history=1, replicas=self._replicas)

    async def _on_error(self, error: Exception) -> None:
        # The type only: an error's text may quote a message.
        log.warning("NATS: %s", type(error).__name__)

    async def _on_disconnect(self) -> None:
        self._up.clear()
        if not self.client.is_closed:
            log.warning("NATS: disconnected from %s, reconnecting", _host(self._url))

    async def _on_reconnect(self) -> None:
        self._up.set()
        log.info("NATS: connected again")
        for callback in list(self._reconnected):
            callback()


def stream_of(service: str) -> str:
    """The stream of a service's events."""
    return service.upper()


def dead_stream_of(service: str) -> str:
    """The stream of the events that a service's consumers could not process."""
    return f"DEAD_{service.upper()}"


async def ending(farewell: Awaitable[object]) -> None:
    """Await the last word to a subscription. For `finally`: a refusal there would replace the cancellation that led to it."""
    try:
        await farewell
    except (NatsError, JetStreamError, OSError, TimeoutError) as error:
        log.debug("NATS: %s at the end of a subscription", type(error).__name__)


def _host(url: str) -> str:
    """The address without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]
