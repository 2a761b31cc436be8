"""The HTTP server itself on real sockets: sharing a port, draining without a lost connection, guarding its heads."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from chassis.process import reuse_port_socket
from chassis.testing.events import eventually
from chassis.testing.servers import free_port
from gateway.server import Server

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.fixture(
    params=[asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a scenario on a loop of its own, of the kind that production has and of the standard one."""

    def run_(scenario: Coroutine[Any, Any, None]) -> None:
        def on_own_thread() -> None:
            with asyncio.Runner(loop_factory=request.param) as runner:
                runner.run(asyncio.wait_for(scenario, 60))

        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(on_own_thread).result()

    return run_


class Site:
    """An application that answers its name; `gate` holds requests to /slow."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.gate = asyncio.Event()
        self.arrived = asyncio.Event()
        self.answered = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            self.arrived.set()
            await self.gate.wait()
        self.answered += 1
        headers = [(b"content-length", b"%d" % len(self.name))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.name})


def serving(
    site: Site, port: int, drain_s: float = 5.0, **limits: Any
) -> tuple[asyncio.Event, "asyncio.Task[None]"]:
    """(what stops it, the running server)."""
    server = Server(
        site,
        max_head_bytes=limits.get("max_head_bytes", 32768),  # type: ignore[arg-type]
        head_timeout_s=limits.get("head_timeout_s", 20),
    )
    stop = asyncio.Event()

    async def closing() -> None:
        site.gate.set()

    return stop, asyncio.create_task(
        server.run(reuse_port_socket("127.0.0.1", port), stop, drain_s, closing)
    )


async def ask(port: int, request: bytes = REQUEST) -> bytes:
    """The whole answer to one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.large
def test_no_connection_is_lost_while_one_of_two_processes_drains(run: Callable[..., None]) -> None:
    async def scenario() -> None:
        port = free_port()
        leaving, staying = Site(b"leaving"), Site(b"staying")
        stop, running = serving(leaving, port)
        stop_other, other = serving(staying, port)
        answers: list[bytes] = []

        async def visitor() -> None:
            for _ in range(60):
                answers.append(await ask(port))

        visitors = [asyncio.create_task(visitor()) for _ in range(20)]
        await eventually(lambda: leaving.answered >= 100, "a hundred visitors were served")
        stop.set()
        await running
        answered = leaving.answered
        await asyncio.gather(*visitors)
        stop_other.set()
        await other
        assert len(answers) == 1200
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert leaving.answered == answered
        assert sum(answer.endswith(b"leaving") for answer in answers) == answered

    run(scenario())


def test_running_requests_are_finished(run: Callable[..., None]) -> None:
    async def scenario() -> None:
        port, site = free_port(), Site(b"done")
        stop, running = serving(site, port)
        slow = asyncio.create_task(ask(port, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"))
        await site.arrived.wait()
        stop.set()
        answer = await slow
        assert answer.endswith(b"done")
        assert b"connection: close" in answer
        await running

    run(scenario())


def test_a_request_beyond_the_drain_is_cut_off(run: Callable[..., None]) -> None:
    async def scenario() -> None:
        port, site = free_port(), Site(b"never")
        site.gate.set = lambda: None  # type: ignore[method-assign]
        stop, running = serving(site, port, drain_s=0.2)
        slow = asyncio.create_task(ask(port, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"))
        await site.arrived.wait()
        stop.set()
        await running
        assert b"never" not in await slow

    run(scenario())


@pytest.mark.large
def test_endless_heads_and_silent_connections_are_closed(run: Callable[..., None]) -> None:
    async def scenario() -> None:
        port, site = free_port(), Site(b"x")
        stop, running = serving(site, port, max_head_bytes=4096, head_timeout_s=1)
        assert (await ask(port, b"GET / HTTP/1.1\r\n" + b"x-a: b\r\n" * 2000)).startswith(
            b"HTTP/1.1 431"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost:")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert (await ask(port)).endswith(b"x")
        assert site.answered == 1
        stop.set()
        await running

    run(scenario())


def test_a_kept_connection_serves_many_requests(run: Callable[..., None]) -> None:
    async def scenario() -> None:
        port, site = free_port(), Site(b"x")
        stop, running = serving(site, port, head_timeout_s=1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(1) == b"x"
        stop.set()
        assert await reader.read() == b""
        await running

    run(scenario())
