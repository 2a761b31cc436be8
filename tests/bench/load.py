"""A load generator that costs little: epoll, raw sockets, requests made beforehand; a process of its own.

`python -m tests.bench.load` reads a Job as JSON and prints a Measured as JSON. The connections are spread evenly over the
server's processes: SO_REUSEPORT alone deals sixteen out by luck, and luck would be the measurement.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from tests.bench import machine

_WARM_UP_S = 0.5
_NO_ANSWER_S = 10.0
_PROBE = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do. Requests are whole HTTP/1.1 requests, sent one after the other by all connections together."""

    port: int
    pids: list[int]
    requests: list[str]
    seconds: float
    connections: int = 16
    postmaster: int = 0
    once: bool = False
    """Whether a request may be sent only once; the run ends when there are no more."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it."""

    requests: int
    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU of the server's processes, and of PostgreSQL where its process was named, per request."""
    client_cpu_us: float
    failures: dict[str, int] = field(default_factory=dict)


def run(job: Job) -> Measured:
    """Does the job in a process of its own; RuntimeError if any answer was not 200."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    measured = Measured(**json.loads(done.stdout))
    if measured.failures:
        raise RuntimeError(f"requests were refused: {measured.failures}")
    return measured


def request(method: str, path: str, token: str, body: str = "") -> str:
    """A whole request as the generator sends it."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
    return f"{head}\r\n{body}"


class _Connection:
    """One keep-alive connection with one request under way."""

    def __init__(self, endpoint: socket.socket) -> None:
        self.socket = endpoint
        self.sent_at = 0.0
        self._head = b""
        self._missing = -1
        self.status = b""

    def send(self, request: bytes, now: float) -> None:
        self.sent_at, self._missing, self._head = now, -1, b""
        self.socket.sendall(request)

    def receive(self) -> bool:
        """True when the answer is complete."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed a connection")
        if self._missing >= 0:
            self._missing -= len(data)
            return self._missing <= 0
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._head[:end].lower()
        self.status = head[9:12]
        at = head.index(b"content-length:") + 15
        length = int(head[at : (head + b"\r\n").index(b"\r\n", at)])
        self._missing = length - (len(self._head) - end - 4)
        return self._missing <= 0


def connected(port: int, pids: list[int], count: int) -> list[socket.socket]:
    """Connections to the port, the same number to each of the processes."""
    wanted = dict.fromkeys(pids, count // len(pids))
    kept: list[socket.socket] = []
    deadline = time.monotonic() + _NO_ANSWER_S
    while any(wanted.values()):
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"processes {[p for p, n in wanted.items() if n]} accept no connection on port {port}"
            )
        endpoint = socket.create_connection(("127.0.0.1", port), timeout=_NO_ANSWER_S)
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        probe = _Connection(endpoint)
        probe.send(_PROBE, 0.0)
        while not probe.receive():
            pass
        pid = machine.server_of(endpoint, pids)
        if wanted.get(pid):
            wanted[pid] -= 1
            kept.append(endpoint)
        else:
            endpoint.close()
    return kept


class _Generator:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._requests = [request.encode() for request in job.requests]
        self._next = 0
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, _Connection] = {}
        for endpoint in connected(job.port, job.pids, job.connections):
            self._by_descriptor[endpoint.fileno()] = _Connection(endpoint)
            self._epoll.register(endpoint.fileno(), select.EPOLLIN)

    def _start(self, connection: _Connection) -> None:
        """Sends the next request on it, unless there is none."""
        if self._job.once and self._next >= len(self._requests):
            return
        connection.send(self._requests[self._next % len(self._requests)], time.perf_counter())
        self._next += 1

    def measure(self) -> Measured:
        """Warms up, then measures until time or requests are over."""
        times: list[float] = []
        statuses: Counter[bytes] = Counter()
        for connection in self._by_descriptor.values():
            self._start(connection)
        began = end = 0.0
        cpu = own = 0.0
        warm = time.perf_counter() + _WARM_UP_S
        while not (self._job.once and self._next >= len(self._requests)):
            ready = self._epoll.poll(_NO_ANSWER_S)
            if not ready:
                raise TimeoutError(f"no answer for {_NO_ANSWER_S:.0f} s")
            for descriptor, _ in ready:
                connection = self._by_descriptor[descriptor]
                if connection.receive():
                    statuses[connection.status] += 1
                    times.append(time.perf_counter() - connection.sent_at)
                    self._start(connection)
            end = time.perf_counter()
            if not began and end >= warm:
                began, cpu, own = time.perf_counter(), self._cpu(), time.process_time()
                times.clear()
            elif began and end - began >= self._job.seconds:
                break
        if not began:
            raise RuntimeError("too few requests for the time")
        cpu, own = self._cpu() - cpu, time.process_time() - own
        failures = {status.decode(): n for status, n in statuses.items() if status != b"200"}
        count, seconds = len(times), end - began
        times.sort()
        return Measured(
            count, seconds, count / seconds, times[count // 2] * 1e3, times[count * 99 // 100] * 1e3,
            cpu / count * 1e6, own / count * 1e6, failures,
        )  # fmt: skip

    def _cpu(self) -> float:
        return machine.cpu_s(self._job.pids, self._job.postmaster)


if __name__ == "__main__":
    print(json.dumps(asdict(_Generator(Job(**json.load(sys.stdin))).measure())))
