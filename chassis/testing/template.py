"""A data directory of PostgreSQL with every service's migrated database: made once in a test run, servers begin with copies.

Making a cluster and migrating five databases takes some six seconds of a core, a copy a tenth of one.
"""

import asyncio
import fcntl
import shutil
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

from chassis import service as services
from chassis.db import migrate
from chassis.settings import Settings
from chassis.testing import run_folder, servers

SECRET = "0" * 64
"""From which the passwords of the databases' roles are derived."""


def migrated() -> Path:
    """The directory; whoever asks first makes it, in a thread of its own: he may be in a running loop, which waits."""
    folder = run_folder.folder() / "template"
    with (run_folder.folder() / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            failures: list[BaseException] = []
            thread = threading.Thread(target=_make, args=(folder, failures))
            thread.start()
            thread.join()
            if failures:
                raise failures[0]
    return folder


def copy(data: Path) -> None:
    """Make `data` a copy of the directory, for a server that begins with it."""
    subprocess.run(["cp", "-a", str(migrated()), str(data)], check=True)


def migrate_all(settings: Settings, names: Iterable[str]) -> None:
    """What `python -m chassis migrate` does, in this process, where everything is imported already."""
    for name in names:
        if services.load(name).metadata is not None:
            asyncio.run(migrate.provision(settings, name))
            migrate.upgrade(settings, services.load(name))


def _make(folder: Path, failures: list[BaseException]) -> None:
    try:
        with servers.scratch() as place:
            server = servers.PostgresServer(place)
            with server:
                settings = Settings(postgres_url=server.url(), nats_url="nats://-", secret=SECRET)
                migrate_all(settings, services.names())
                server.stop()  # what was migrated is on the disk
            shutil.move(server.data, folder)
    except BaseException as error:  # allow broad-except: carried over to the caller's thread
        failures.append(error)
