"""The measure of B1: the least an ASGI application can do, on our own HTTP server. `python -m tests.bench.hello PORT`."""

import asyncio
import signal
import sys
from typing import Any

import uvloop

from chassis.process import reuse_port_socket
from gateway.server import Server
from gateway.settings import Settings

_BODY = b'{"hello":"world"}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))],
}
_END = {"type": "http.response.body", "body": _BODY}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """The bare ASGI application."""
    await send(_START)
    await send(_END)


async def serve(port: int) -> None:
    """Serves until SIGTERM, on a port that several processes share as the gateway's processes do."""
    defaults, stop = Settings(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = Server(
        hello, max_head_bytes=defaults.max_head_bytes, head_timeout_s=defaults.head_timeout_s
    )

    async def nothing_to_close() -> None:
        """No streams."""

    await server.run(reuse_port_socket("127.0.0.1", port), stop, 1.0, nothing_to_close)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
