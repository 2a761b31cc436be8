"""The HTTP server: uvicorn's protocol on a socket that several processes share, in this process's own loop, with a full drain.

uvicorn's own Server is not used: it takes the signals, and it closes the listening socket with connections still queued in it,
which resets them. Here nothing that the kernel has accepted is lost.
"""

import asyncio
import contextlib
import ctypes
import logging
import resource
import select
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from chassis.process import reuse_port_socket
from chassis.runtime import Runtime
from gateway.app import App
from gateway.assembly import assemble

logger = logging.getLogger(__name__)
# Its warnings are about what strangers send; we answer them, and a flood of them would fill the log.
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

_BACKLOG = 2048
# Between requests: longer than the pauses of a person clicking, shorter than most proxies keep their side.
_KEEP_ALIVE_S = 75
# How long the accept queue must stay empty before the socket is closed: several round trips on a local network, because a
# handshake under way when new ones are refused must still complete.
_QUIET_S = 0.1
_SO_ATTACH_FILTER = 26
_MAX_FILES = 65_536


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit on the head of a request, and a hook for streams whose client went away."""

    max_head_bytes = 32 << 10

    head_bytes = 0
    head_since: float | None = None
    gone: tuple[Callable[[], None], ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.head_since = self.loop.time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["on_gone"] = self._on_gone
        if self.head_since is None:
            self.head_since = self.loop.time()
        self.head_bytes = 0

    def on_headers_complete(self) -> None:
        self.head_since = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.head_since is not None:
            self.head_bytes += len(data)
            if self.head_bytes > self.max_head_bytes and not self.transport.is_closing():
                self._refuse(
                    431,
                    "HEAD_TOO_LARGE",
                    f"the head of a request may have {self.max_head_bytes} bytes",
                )

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is told so in the same form as every other refusal."""
        self._refuse(400, "HTTP_MALFORMED", "this is not a readable HTTP/1.1 request")

    def _refuse(self, status: int, reason: str, detail: str) -> None:
        title = HTTPStatus(status).phrase
        body = orjson.dumps(
            {
                "type": f"urn:akrab:problem:{reason.lower().replace('_', '-')}",
                "title": title,
                "status": status,
                "detail": detail,
                "reason": reason,
                "violations": [],
                "traceId": "",
            }
        )
        head = (
            f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for hook in self.gone:
            hook()

    def _on_gone(self, hook: Callable[[], None]) -> None:
        # A list only for those who have one: idle connections are many.
        self.gone = (*self.gone, hook)


class Server:
    """One listening socket with its connections."""

    def __init__(self, app: App, *, max_head_bytes: int, head_timeout_s: float) -> None:
        protocol = type("LimitedProtocol", (Protocol,), {"max_head_bytes": max_head_bytes})
        self._config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._config.load()
        self._state = ServerState()
        self._head_timeout_s = head_timeout_s
        self._protocol = protocol

    async def run(
        self,
        listener: socket.socket,
        stop: asyncio.Event,
        drain_s: float,
        closing: Callable[[], Awaitable[None]],
    ) -> None:
        """Serves until `stop`, then drains: accepts what is queued, ends streams by `closing`, finishes what runs."""
        loop = asyncio.get_running_loop()
        self._tick()
        server = await loop.create_server(
            lambda: self._protocol(
                config=self._config, server_state=self._state, app_state={}, _loop=loop
            ),
            sock=listener,
            backlog=_BACKLOG,
        )
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1)
                self._tick()
        finally:
            # Whoever keeps a connection learns with his next answer to open another, elsewhere.
            self._state.default_headers = [*self._state.default_headers, (b"connection", b"close")]
            await _empty_queue(listener)
            server.close()
        await closing()
        await self._finish(drain_s)

    def _tick(self) -> None:
        """Each second: the Date header, and connections that do not get their head across."""
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        late = asyncio.get_running_loop().time() - self._head_timeout_s
        for connection in list(self._state.connections):
            if (
                isinstance(connection, Protocol)
                and connection.head_since is not None
                and connection.head_since < late
            ):
                connection.transport.close()

    async def _finish(self, drain_s: float) -> None:
        for connection in list(self._state.connections):
            connection.shutdown()
        running = set(self._state.tasks)
        if running:
            _, late = await asyncio.wait(running, timeout=drain_s)
            for task in late:
                task.cancel()
            if late:
                logger.warning(
                    "requests cut off by the end of the drain", extra={"requests": len(late)}
                )
        for connection in list(self._state.connections):
            connection.transport.close()


async def serve(runtime: Runtime, stop: asyncio.Event) -> None:
    """The gateway's background task: serves HTTP until `stop`, then drains. Raises OSError if a stranger has the port."""
    _allow_connections()
    face = assemble(runtime)
    listener = reuse_port_socket(runtime.settings.bind, runtime.settings.port)
    server = Server(
        face.app,
        max_head_bytes=face.settings.max_head_bytes,
        head_timeout_s=face.settings.head_timeout_s,
    )
    feeds_stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(face.hub.run(feeds_stop))
        group.create_task(face.store.sweep())
        # The process waits drain_s for everything; what is cut off must be cut off before that, and said so.
        await server.run(listener, stop, max(0.5, runtime.settings.drain_s - 1), face.hub.close)
        feeds_stop.set()


def _allow_connections() -> None:
    """As many open files as the system lets us have: the usual 1,024 would be used up by a thousand live streams."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _empty_queue(listener: socket.socket) -> None:
    """Lets the loop accept until nothing is queued. New handshakes go unanswered meanwhile: the client's kernel repeats
    them, and by then another process's socket, or a refusal, answers."""
    refusing = _refuse_handshakes(listener)
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < (_QUIET_S if refusing else 0):
        await asyncio.sleep(0.002)  # the loop accepts meanwhile; the drain waits for us
        if poll.poll(0):
            quiet_since = time.monotonic()


def _refuse_handshakes(listener: socket.socket) -> bool:
    """Drops new SYN packets to this socket by a classic BPF filter; False where the system has none."""
    program = b"".join(
        struct.pack("HBBI", *step)
        for step in (
            (0x30, 0, 0, 13),  # load the byte of TCP flags
            (0x54, 0, 0, 0x12),  # keep SYN and ACK
            (0x15, 0, 1, 0x02),  # SYN alone?
            (0x06, 0, 0, 0),  # drop it
            (0x06, 0, 0, 0xFFFFFFFF),  # pass the rest
        )
    )
    code = ctypes.create_string_buffer(program, len(program))
    try:
        listener.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HL", len(program) // 8, ctypes.addressof(code)),
        )
    except OSError:
        return False
    return True
