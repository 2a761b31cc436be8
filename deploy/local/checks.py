"""What is looked at before anything starts: disk, ports, programs. Each answer is one sentence."""

import os
import random
import socket
from contextlib import suppress
from pathlib import Path

from deploy.local.errors import Refusal

NEEDED_BYTES = 300 * 1024 * 1024
"""PostgreSQL's and JetStream's first files and a few days of a small company."""
LOW_BYTES = 100 * 1024 * 1024
"""Below this a running installation says so: PostgreSQL stops when it cannot write."""


def disk(data: Path, needed: int = NEEDED_BYTES) -> None:
    """Refuse to start on a disk with less than `needed` bytes left."""
    place, free = free_bytes(data)
    if free < needed:
        raise Refusal(
            f"Only {free // 2**20} MB are free where {data} lives ({place}), {needed // 2**20} MB "
            "are needed: free some space, or choose another place with CRM_DATA_DIR=."
        )


def free_bytes(path: Path) -> tuple[Path, int]:
    """The nearest existing folder above `path`, and what an ordinary user may still write there."""
    place = path
    while not place.exists():
        place = place.parent
    figures = os.statvfs(place)
    return place, figures.f_bavail * figures.f_frsize


def port_free(port: int, setting: str) -> None:
    """Refuse when somebody listens on the loopback `port`; says who, if the system tells us."""
    if not _listenable(port):
        raise Refusal(
            f"Port {port} is taken{_holder(port)}: stop that program, or choose another port "
            f"with {setting}=, for example {setting}={_free_port_near(port)}."
        )


_CHOICE = range(20_000, 32_768)
"""Below what Linux gives to outgoing connections: while a server restarts, a client that tries to reach it could get its port."""


def remembered_or_free_port(remembered: int, taken: set[int]) -> int:
    """The port used last time if it still can be had, else a free one outside `taken`."""
    if remembered and remembered not in taken and _listenable(remembered):
        return remembered
    while True:
        port = random.choice(_CHOICE)
        if port not in taken and _listenable(port):
            return port


def _listenable(port: int) -> bool:
    """Whether a server may listen on the loopback `port` now."""
    if _binds(port, socket.SO_REUSEADDR):
        return True
    # Closed connections of a server that just ended (TIME_WAIT) hinder only a server that does not
    # share its port; ours do (SO_REUSEPORT). So would another listener: hence the look for one.
    return not _listening_inodes(port) and _binds(port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _binds(port: int, *options: int) -> bool:
    with socket.socket() as probe:
        for option in options:
            probe.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except PermissionError:
            raise Refusal(
                f"Port {port} may only be used by root: choose one above 1023 with CRM_PORT=."
            ) from None
        except OSError:
            return False
    return True


def _free_port_near(port: int) -> int:
    for candidate in range(port + 10, min(port + 500, 65535), 10):
        if _listenable(candidate) and _listenable(candidate + 1):
            return candidate
    return remembered_or_free_port(0, set())


def _holder(port: int) -> str:
    """ " by NAME (process N)", or nothing where /proc does not tell (another user's process)."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return ""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        # Another user's process, or one that has just ended, does not tell.
        with suppress(OSError):
            if any(_link(entry) in wanted for entry in (process / "fd").iterdir()):
                return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _link(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except OSError:
        return ""  # closed since it was listed


def _listening_inodes(port: int) -> set[str]:
    """Inodes of the sockets that listen on `port` (proc(5), /proc/net/tcp: state 0A)."""
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {row[9] for row in rows if row[3] == "0A" and int(row[1][-4:], 16) == port}
    return inodes
