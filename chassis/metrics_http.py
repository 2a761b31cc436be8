"""/healthz, /readyz and /metrics of a process that serves no HTTP otherwise."""

import asyncio
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def probe(path: str, ready: bool) -> tuple[int, str, bytes] | None:
    """(status, content type, body) of a probe's path; None for any other path."""
    if path == "/healthz":
        return 200, "text/plain", b"ok\n"
    if path == "/readyz":
        return (200, "text/plain", b"ready\n") if ready else (503, "text/plain", b"not ready\n")
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    return None


class MetricsHttp:
    """A listener that knows these three paths and nothing else; a request is one line, an answer closes."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listens."""
        self._server = await asyncio.start_server(self._answer, host, port)

    async def stop(self) -> None:
        """Listens no longer."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
            status, kind, body = probe(path, self._ready()) or (404, "text/plain", b"not found\n")
            writer.write(
                f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            IndexError,
            ConnectionError,
        ):
            pass  # whoever asked is gone or did not speak HTTP
        finally:
            writer.close()
