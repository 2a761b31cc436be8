"""What processes of this machine use, read from /proc."""

import os
import platform
import re
import socket
from collections.abc import Iterable
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of proc(5)'s stat behind the name; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def children(pid: int) -> list[int]:
    """The living children of a process."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [number for number in numbers if (fields := _stat(number)) and int(fields[1]) == pid]


def cpu_s(pids: Iterable[int], postmaster: int = 0) -> float:
    """CPU seconds, user and system, of these processes, and of PostgreSQL with all its sessions, ended ones too."""
    ticks = sum(int(f[11]) + int(f[12]) for pid in pids if (f := _stat(pid)))
    if postmaster and (own := _stat(postmaster)):
        ticks += sum(int(own[at]) for at in (11, 12, 13, 14))
        ticks += sum(int(f[11]) + int(f[12]) for pid in children(postmaster) if (f := _stat(pid)))
    return ticks * _TICK_S


def memory_mib(pid: int) -> tuple[float, float]:
    """(PSS, RSS): its own memory with its share of what is shared, and all that it has mapped."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    found = dict(re.findall(r"^(Pss|Rss):\s+(\d+) kB", text, re.MULTILINE))
    return int(found.get("Pss", 0)) / 1024, int(found.get("Rss", 0)) / 1024


def peak_mib(pid: int) -> float:
    """The most RSS that a process has had since `forget_peak`."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def forget_peak(pid: int) -> None:
    """Lets `peak_mib` begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def server_of(connection: socket.socket, pids: Iterable[int]) -> int:
    """Which of the processes holds the other end of a loopback connection; 0 if none does (yet)."""
    ours, theirs = connection.getsockname()[1], connection.getpeername()[1]
    ends = (f"0100007F:{theirs:04X}", f"0100007F:{ours:04X}")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1], fields[2]) == ends:
            return _holder(f"socket:[{fields[9]}]", pids)
    return 0


def _holder(link: str, pids: Iterable[int]) -> int:
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(descriptor) == link:
                    return pid
            except OSError:
                continue  # closed meanwhile
    return 0


def described() -> str:
    """Processor, cores, memory, kernel and Python in one line."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20  # type: ignore[index]
    cores = len(os.sched_getaffinity(0))
    name = found[1] if found else platform.machine()
    return f"{cores} cores of {name}, {total:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"


def load() -> float:
    """How many processes wanted a core in the last minute."""
    return os.getloadavg()[0]
