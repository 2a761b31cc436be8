"""PostgreSQL refuses to run as root, so root hands it to an unprivileged user.

A clone under /root (mode 0700) is closed to that user: neither the program in .venv nor the data
directory could be reached. Where that is so, and only there, the process keeps one capability
beside its unprivileged user id, as an ambient capability: passing through directories and reading
(CAP_DAC_READ_SEARCH; in containers that lack it, CAP_DAC_OVERRIDE). Nothing has to be moved, and no
mode outside the data directory is changed.
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import Refusal

NOBODY = 65534
"""The user and group id everywhere called nobody; no account of that name is needed."""

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SETGID, _CAP_SETUID = 1, 2, 6, 7
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class User:
    """Who a child process is: a user id, and a capability that opens closed directories to it."""

    uid: int
    capability: int | None = None

    def become(self) -> None:
        """Turn this process (a fresh fork, before exec) into the user, for good."""
        if self.capability is not None:
            # PostgreSQL asks access(2) whether it may run its own program, and access(2) forgets
            # the capabilities of a process that is not root, unless this bit is set.
            _prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP)
        os.setgroups([])
        os.setresgid(self.uid, self.uid, self.uid)
        os.setresuid(self.uid, self.uid, self.uid)
        if self.capability is not None:
            _keep_only(self.capability)
            _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, self.capability)


def database_user(program: str, data: Path) -> User | None:
    """Who can run `program` and enter `data`; None = whoever we are, because we are not root.

    Raises Refusal when root has no way of handing them on.
    """
    if os.geteuid() != 0:
        return None
    held = _effective_capabilities()
    if not {_CAP_SETUID, _CAP_SETGID} <= held:
        raise Refusal(
            "PostgreSQL does not run as root, and this root may not change its user (a container "
            "without CAP_SETUID and CAP_SETGID): start as an ordinary user."
        )
    offers = [one for one in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if one in held]
    for user in (User(NOBODY), *(User(NOBODY, one) for one in offers)):
        if _can_work(user, program, data):
            return user
    raise Refusal(
        f"PostgreSQL does not run as root, and the user it would run as (uid {NOBODY}) cannot "
        f"reach {program} and {data}: start as an ordinary user, or choose places it can reach."
    )


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel to send this process `death_signal` when `parent` dies, however it dies.

    Call it after `User.become`: a change of user clears the wish.
    """
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the kernel knew our wish


def _can_work(user: User, program: str, data: Path) -> bool:
    """Whether `user` can enter `data` and run `program`: tried, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            user.become()
            os.stat(data / ".")
            if not os.access(program, os.R_OK | os.X_OK):
                os._exit(1)
            silence = os.open(os.devnull, os.O_RDWR)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            os.execv(program, [program, "--version"])
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def _keep_only(capability: int) -> None:
    sets = (_Sets * 2)()
    bit = 1 << capability
    sets[0] = _Sets(bit, bit, bit)
    header = _Header(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(ctypes.byref(header), sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _prctl(option: int, first: int, second: int = 0) -> None:
    if _libc.prctl(option, ctypes.c_ulong(first), ctypes.c_ulong(second), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _effective_capabilities() -> set[int]:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
            return {number for number in range(64) if mask >> number & 1}
    return set()
