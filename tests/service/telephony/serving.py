"""A web server of a test, e.g. an exchange that is asked over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def serving(app: Callable[..., Any]) -> AsyncIterator[str]:
    """Its address, while it serves the ASGI application."""
    listener = socket.create_server(("127.0.0.1", 0))  # callers queue here until it serves
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", ws="websockets-sansio")
    )
    running = asyncio.create_task(server._serve([listener]))  # serve() would take over signals
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await running


class Files:
    """A web server that gives out files; what it was asked for, with the headers of each request."""

    def __init__(self, **given: tuple[int, bytes]) -> None:
        self.given = given
        """Path without its first slash -> status and content; 404 for others."""
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["raw_path"].decode().removeprefix("/")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((path, headers))
        await answer(send, *self.given.get(path, (404, b"")))


async def body(receive: Callable[[], Any]) -> bytes:
    """The whole body of a request."""
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            return content


async def answer(send: Callable[[Any], Any], status: int, content: bytes = b"") -> None:
    """Sends the whole answer."""
    headers = [(b"content-type", b"application/json")] if content else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
