"""A real Asterisk for tests: a folder that mmdebstrap made, run in a chroot on ports of its own, loopback only.

`AKRAB_ASTERISK` names such a folder; else one is made, which takes half a minute and needs root.
"""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chassis.waits import first_of

_PACKAGES = "asterisk,asterisk-modules,asterisk-core-sounds-en-gsm,ca-certificates"
_PHONES = """
[phones]
exten => 101,1,Wait(1)
 same => n,Answer()
 same => n,Wait(30)
exten => 102,1,Wait(60)
exten => caller,1,Answer()
 same => n,Wait(4)
 same => n,Hangup()
[from-trunk]
exten => _48XXXXXXXXX,1,Stasis(akrab,inbound,${EXTEN})
 same => n,Hangup()
[outside]
exten => _48XXXXXXXXX,1,Answer()
 same => n,Wait(2)
 same => n,Hangup()
"""


@dataclass(frozen=True)
class Asterisk:
    """Where it is."""

    ari: str
    ami: str


def _made(folder: Path) -> Path:
    if given := os.environ.get("AKRAB_ASTERISK"):
        return Path(given)
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        pytest.skip("a real Asterisk needs mmdebstrap and root; apt-get install mmdebstrap")
    made = folder / "asterisk"
    command = ["mmdebstrap", "--aptopt=Acquire::Check-Valid-Until \"false\"", "--variant=minbase", f"--include={_PACKAGES}", "forky", str(made)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"Asterisk cannot be installed here: {done.stderr[-300:]}")
    return made


def _configured(root: Path) -> Asterisk:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:  # fmt: skip
        http, manager = one.getsockname()[1], other.getsockname()[1]
    files = {
        "ari.conf": "[general]\nenabled=yes\n[crm]\ntype=user\npassword=secret\n",
        "http.conf": f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={http}\n",
        "manager.conf": f"[general]\nenabled=yes\nport={manager}\nbindaddr=127.0.0.1\ntimestampevents=yes\n"
        "[crm]\nsecret=secret\nread=system,call,agent,dialplan,reporting\n"
        "write=system,call,originate,reporting\neventfilter(action(exclude),name(TestEvent))=\n",
        "extensions.conf": _PHONES,
        "modules.conf": "[modules]\nautoload=yes\nnoload=chan_iax2.so\nnoload=chan_pjsip.so\nnoload=pbx_dundi.so\n",
        "asterisk.conf": "[options]\nrungroup=asterisk\nrunuser=asterisk\n",
    }  # fmt: skip
    for name, text in files.items():
        (root / "etc/asterisk" / name).write_text(text)
    own = "mkdir -p /run/asterisk /var/spool/asterisk/recording; chown -R asterisk: /etc/asterisk /run/asterisk /var/spool/asterisk /var/lib/asterisk /var/log/asterisk"
    subprocess.run(["chroot", str(root), "sh", "-c", own], check=True)
    return Asterisk(f"http://127.0.0.1:{http}", f"127.0.0.1:{manager}")


def _mounted(root: Path) -> None:
    for name in ("proc", "dev"):
        subprocess.run(["mount", "--bind", f"/{name}", str(root / name)], check=True)


def _unmounted(root: Path) -> None:
    for name in ("proc", "dev"):
        subprocess.run(["umount", str(root / name)], check=True)


@asynccontextmanager
async def asterisk(folder: Path) -> AsyncIterator[Asterisk]:
    """It runs."""
    root = _made(folder)
    where = _configured(root)
    _mounted(root)
    command = ("chroot", str(root), "asterisk", "-f", "-U", "asterisk", "-G", "asterisk")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await _boots(where.ari)
        yield where
    finally:
        process.terminate()
        await process.wait()
        _unmounted(root)


async def _boots(ari: str) -> None:
    """Returns when it has loaded everything: before, it answers 503 or not at all."""
    async with asyncio.timeout(60), httpx.AsyncClient(auth=("crm", "secret")) as client:
        while True:
            try:
                if (await client.get(f"{ari}/ari/asterisk/info")).is_success:
                    return
            except httpx.TransportError:
                pass
            await first_of(asyncio.Event(), timeout_s=0.1)
