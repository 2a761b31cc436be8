"""Many SSE clients in one process, for B13. `python -m tests.bench.listeners PORT TOKEN` obeys lines on its input:

open N     until N streams are open; answers "open"
watch ID   answers "watching", then, when every stream has told of the id, the time (monotonic seconds) when the last one did
"""

import os
import resource
import select
import socket
import sys
import time

from tests.bench.load import request

_AT_ONCE = 100
_PATIENCE_S = 60.0


class Listeners:
    """The open streams."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._request = port, request("GET", "/v1/events", token).encode()
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}

    def open(self, count: int) -> None:
        """Opens streams until there are `count`, each welcomed by the server."""
        while len(self._open) < count:
            fresh: dict[int, socket.socket] = {}
            for _ in range(min(_AT_ONCE, count - len(self._open))):
                endpoint = socket.create_connection(("127.0.0.1", self._port))
                endpoint.sendall(self._request)
                fresh[endpoint.fileno()] = endpoint
                self._epoll.register(endpoint.fileno(), select.EPOLLIN)
            self._open |= fresh
            self._until_told(set(fresh), b"welcome")

    def watch(self, id: bytes) -> float:
        """When the last stream told of `id`."""
        self._until_told(set(self._open), id)
        return time.monotonic()

    def _until_told(self, waiting: set[int], words: bytes) -> None:
        heard = dict.fromkeys(waiting, b"")
        deadline = time.monotonic() + _PATIENCE_S
        while waiting:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(waiting)} streams did not tell of {words!r}")
            for descriptor, _ in self._epoll.poll(1.0):
                data = self._open[descriptor].recv(1 << 16)
                if not data:
                    raise ConnectionError("the server ended a stream")
                if descriptor in waiting:
                    heard[descriptor] += data
                    if words in heard[descriptor]:
                        waiting.discard(descriptor)

    def drain(self) -> None:
        """Takes what has come (heartbeats), so that nobody is a slow reader."""
        for descriptor, _ in self._epoll.poll(0):
            self._open[descriptor].recv(1 << 16)


def main() -> None:
    """Obeys until its input ends."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    listeners = Listeners(int(sys.argv[1]), sys.argv[2])
    pending = b""
    while True:
        if select.select([0], [], [], 1.0)[0]:
            data = os.read(0, 4096)
            if not data:
                return
            pending += data
        listeners.drain()
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            verb, _, argument = line.partition(b" ")
            if verb == b"open":
                listeners.open(int(argument))
                print("open", flush=True)
            else:
                print("watching", flush=True)
                print(listeners.watch(argument), flush=True)


if __name__ == "__main__":
    main()
