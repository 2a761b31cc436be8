"""A wire to PostgreSQL that can be cut at the worst moment: when the server has done the work and nobody was told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class Wire:
    """Passes bytes on; armed, it lets the server answer the next bytes of one connection and then cuts that connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._armed = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cuts = 0

    def arm(self, marker: bytes) -> None:
        """The next bytes from a client that hold `marker` still reach the server; its answer is lost."""
        self._armed = marker

    async def accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Serves one connection until one side ends it."""
        server, there = await asyncio.open_connection(self._host, self._port)
        cut = asyncio.Event()
        answers = asyncio.create_task(self._answers(server, back, cut))
        self._tasks.add(answers)
        answers.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError):
            while data := await client.read(1 << 16):
                if self._armed and self._armed in data:
                    self._armed = b""
                    cut.set()
                there.write(data)
                await there.drain()
        there.close()

    async def _answers(
        self, server: asyncio.StreamReader, back: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await server.read(1 << 16):
                if cut.is_set():
                    self.cuts += 1
                    break
                back.write(data)
                await back.drain()
        back.close()


@contextlib.asynccontextmanager
async def wire(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to the server of `url`, and the same URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    made = Wire(parts.hostname, parts.port or 5432)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made, url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{made.port}")
    finally:
        server.close()
