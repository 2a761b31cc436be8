"""The data directory: whose it is, which version wrote it, its secrets, and the lock on it.

data-version        {"format": 1, "akrab": "0.1.0"}: what may read this directory
installation.json   what is remembered between starts (ports, how far the first start came)
secrets.json        passwords and keys made at the first start
setup-token         the one-time token of the first administrator; gone once used
lock                held by the one supervisor (or restore) that uses the directory
postgres/ nats/ blobs/ logs/ run.json demo.json
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from chassis import nkey
from deploy.local.errors import Refusal
from deploy.local.files import read_json, write_private, write_private_json
from deploy.local.settings import Settings, akrab_version

T = TypeVar("T")

FORMAT = 1
"""Raised when a newer program lays the directory out so that this one could harm it."""
_LITTER = {"lock", "backup.lock", "logs"}
"""What may lie in a directory that otherwise counts as empty."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must never be shown; all of it is needed to read a backup's databases again."""

    installation: str
    nats_callout_seed: str
    nats_password: str
    postgres_password: str

    @classmethod
    def new(cls) -> "Secrets":
        return cls(
            installation=secrets.token_hex(32),
            nats_callout_seed=nkey.new_account_seed(),
            nats_password=secrets.token_hex(24),
            postgres_password=secrets.token_hex(24),
        )


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one start tells the next."""

    demo: str
    """wanted -> created, or none: whether the demo company is to be made, and was."""
    postgres_port: int = 0
    nats_port: int = 0
    postgres_made: bool = False
    """Whether postgres/ was completely made once; after that its absence is damage."""


@dataclass(slots=True)
class Installation:
    """An opened data directory; whoever has one holds its lock."""

    settings: Settings
    secrets: Secrets
    remembered: Remembered

    def remember(self, **changes: Any) -> None:
        """Change what is remembered, on disk before it returns."""
        self.remembered = replace(self.remembered, **changes)
        write_private_json(self.settings.data / "installation.json", asdict(self.remembered))

    @property
    def setup_token(self) -> str | None:
        """The one-time set-up token; None once the first administrator exists."""
        path = self.settings.data / "setup-token"
        return path.read_text().strip() if path.exists() else None

    def spend_setup_token(self) -> None:
        (self.settings.data / "setup-token").unlink(missing_ok=True)


def check(data: Path) -> bool:
    """Whether `data` holds an installation; Refusal when it may not be used. Changes nothing."""
    try:
        entries = {path.name for path in data.iterdir()} if data.exists() else set()
    except NotADirectoryError:
        raise Refusal(f"{data} is not a directory: choose another with CRM_DATA_DIR=.") from None
    except PermissionError:
        raise Refusal(
            f"{data} may not be read by you: choose another with CRM_DATA_DIR=."
        ) from None
    if not any(name not in _LITTER and not name.startswith(".") for name in entries):
        return False
    owner = data.stat().st_uid
    if owner != os.geteuid():
        raise Refusal(
            f"{data} belongs to user id {owner} and you are {os.geteuid()}: "
            "start as that user, or choose another directory with CRM_DATA_DIR=."
        )
    if "data-version" not in entries:
        raise Refusal(
            f"{data} is not empty and holds no Akrab data (no data-version file): nothing was "
            "changed; choose an empty directory with CRM_DATA_DIR=."
        )
    _check_version(data)
    if entries & {"postgres", "secrets.json"}:
        _check_pieces(data)
    return True


def _check_version(data: Path) -> None:
    version = read_json(data / "data-version")
    if not isinstance(version.get("format"), int):
        raise Refusal(f"{data / 'data-version'} is unreadable: the data directory is damaged.")
    if version["format"] > FORMAT:
        raise Refusal(
            f"{data} was written by Akrab {version.get('akrab', '?')} (data format "
            f"{version['format']}), newer than this one ({akrab_version()}, format {FORMAT}): "
            "nothing was changed; start that version or a later one."
        )


def _check_pieces(data: Path) -> None:
    remembered = _remembered(data)
    _secrets(data)
    postgres = data / "postgres"
    if not remembered.postgres_made:
        return
    if not (postgres / "PG_VERSION").exists() or not (postgres / "global" / "pg_control").exists():
        raise Refusal(
            f"{postgres} is missing or incomplete: the data directory is damaged. Nothing was "
            "changed; bring back a backup with `make restore FROM=file FORCE=1`."
        )


@contextmanager
def opened(settings: Settings) -> Iterator[Installation]:
    """The installation in `settings.data`, made there when it is empty, locked until the end.

    Raises Refusal, with nothing changed, when the directory is in use, damaged, newer or not ours.
    """
    check(settings.data)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(settings.data / "lock", f"Akrab already runs with {settings.data}"):
        if not check(settings.data):
            write_private_json(
                settings.data / "data-version", {"format": FORMAT, "akrab": akrab_version()}
            )
        if not (settings.data / "secrets.json").exists():
            _make(settings)
        yield Installation(settings, _secrets(settings.data), _remembered(settings.data))


def reading(settings: Settings) -> Installation:
    """The installation somebody else runs: for commands that work beside it."""
    return Installation(settings, _secrets(settings.data), _remembered(settings.data))


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Hold the lock file `path`, or raise Refusal(`taken` and who has it). Death lets go of it."""
    with open(path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            who = f" (process {holder})" if holder else ""
            raise Refusal(f"{taken}{who}: stop it first with Ctrl-C.") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def in_use(data: Path) -> bool:
    """Whether somebody holds the lock of the data directory."""
    try:
        with open(data / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _make(settings: Settings) -> None:
    """Make the small files of a first start; secrets last: their presence says it is complete."""
    demo = "wanted" if settings.demo else "none"
    write_private_json(settings.data / "installation.json", asdict(Remembered(demo=demo)))
    write_private(settings.data / "setup-token", secrets.token_urlsafe(32) + "\n")
    write_private_json(settings.data / "secrets.json", asdict(Secrets.new()))


def _remembered(data: Path) -> Remembered:
    return _read(data / "installation.json", Remembered)


def _secrets(data: Path) -> Secrets:
    return _read(data / "secrets.json", Secrets)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return kind(**read_json(path))
    except TypeError:
        raise Refusal(
            f"{path} is incomplete: the data directory is damaged. Nothing was changed; "
            "bring back a backup with `make restore FROM=file FORCE=1`."
        ) from None
