"""The folder of one test run: the servers' data, the processes' data, and migrated databases to copy. It goes with the run.

A guardian process (servers.py) removes it when the run's process has ended, however that ended. Where no server was started,
or the guardian was killed too, the next run removes it: the name says whose it is, by pid and start time.
"""

import atexit
import functools
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

_NAME = re.compile(r"crm-servers-(\d+)-(\d+)")


def owner() -> int:
    """The process with which the run ends: pytest, for its xdist workers too."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


@functools.cache
def folder() -> Path:
    """The run's folder, open to other users: PostgreSQL runs as nobody. The first call also clears away after dead runs."""
    pid = owner()
    made = Path(tempfile.gettempdir()) / f"crm-servers-{pid}-{_start_of(pid)}"
    made.mkdir(mode=0o755, exist_ok=True)
    if pid == os.getpid():
        atexit.register(_remove_unguarded, made, pid)
    for other in made.parent.glob("crm-servers-*"):
        if is_left_over(other):
            shutil.rmtree(other, ignore_errors=True)
    return made


def is_left_over(path: Path) -> bool:
    """True for the folder of a run that has ended, once no guardian works in it any more."""
    name = _NAME.fullmatch(path.name)
    if name is None or _start_of(int(name[1])) == name[2]:
        return False
    return not any(_start_of(guardian) for guardian in _guardians(path))


def _guardians(path: Path) -> list[int]:
    found = []
    for answer in path.glob("*.json"):
        try:
            found.append(int(json.loads(answer.read_text())["pid"]))
        except (OSError, ValueError, KeyError):
            continue  # it is just going
    return found


def _remove_unguarded(path: Path, pid: int) -> None:
    """At the end of the run's own process (not of a fork of it): what no guardian will remove."""
    if pid == os.getpid() and not _guardians(path):
        shutil.rmtree(path, ignore_errors=True)


def _start_of(pid: int) -> str:
    """When a process started, in ticks since boot: with the pid it names the process for ever; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
