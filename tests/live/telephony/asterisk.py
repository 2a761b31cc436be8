"""A real Asterisk for tests, with phones: a folder that mmdebstrap made, run in a chroot on ports of its own, loopback only.

`AKRAB_ASTERISK` names such a folder; else one is made, which takes a minute and needs root and a Debian mirror. Where it cannot
be made the tests are skipped with the reason.
"""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.testing.events import eventually
from chassis.testing.servers import die_with_parent

_PACKAGES = "asterisk,asterisk-modules,asterisk-core-sounds-en-gsm,ca-certificates,sip-tester,baresip-core"  # fmt: skip
_SUITES = ("forky", "sid")  # those of Debian that have Asterisk, the steadier one first
_LONGEST_S = 240  # to make the folder: a slow mirror must not hold up everything else
_HERE = Path(__file__).parent
AGENTS = ("agent1", "agent2", "agent3")
DESKS = ("answers", "busy", "silent")


@dataclass(frozen=True)
class Asterisk:
    """Where it is, and where its phones have to be."""

    root: Path
    ari: str
    ami: str
    sip: str
    ports: dict[str, int]
    """On which each phone listens, by its name, the customer's too."""

    async def program(self, *command: str, **pipes: Any) -> asyncio.subprocess.Process:
        """Runs a program of the folder."""
        quiet = {"stdin": asyncio.subprocess.DEVNULL, "stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}  # fmt: skip
        return await asyncio.create_subprocess_exec("chroot", str(self.root), *command, preexec_fn=die_with_parent, **quiet | pipes)  # type: ignore[arg-type]  # fmt: skip

    async def living(self, what: str, with_name: str = "") -> list[str]:
        """The ids of all channels, or bridges; of those with this in their name."""
        async with httpx.AsyncClient(auth=("crm", "secret")) as client:
            found = (await client.get(f"{self.ari}/ari/{what}")).json()
        return [one["id"] for one in found if with_name in one["name"]]

    async def silent(self) -> None:
        """Returns once nothing is left of any call."""

        async def nothing() -> bool:
            return not (await self.living("channels") or await self.living("bridges"))

        await eventually(nothing, "nothing is left at the exchange", 15)

    async def clear(self) -> None:
        """Ends whatever a test that failed has left, so that the next one is alone."""
        async with httpx.AsyncClient(auth=("crm", "secret")) as client:
            for what in ("channels", "bridges"):
                for id in await self.living(what):
                    await client.delete(f"{self.ari}/ari/{what}/{id}")
        await self.silent()

    async def variable(self, channel: str, name: str) -> str:
        """What the dialplan's function or variable says of a channel."""
        async with httpx.AsyncClient(auth=("crm", "secret")) as client:
            said = await client.get(f"{self.ari}/ari/channels/{channel}/variable", params={"variable": name})  # fmt: skip
            return str(said.raise_for_status().json()["value"])


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens, neither for streams nor for datagrams."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            stream = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = stream.getsockname()[1]
            datagrams = held.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found


def _mirror() -> list[str]:
    """Where this machine gets Debian from; nothing if it is another system: then mmdebstrap knows."""
    if shutil.which("apt-get") is None:
        return []
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)"]  # fmt: skip
    for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():  # fmt: skip
        origin, component, codename, address = (line.split() + [""] * 4)[:4]
        if (origin, component) == ("Debian", "main") and "-" not in codename:
            return [address]
    return []


def _made(folder: Path) -> Path:
    """A folder with everything that runs here; skips where there can be none."""
    if given := os.environ.get("AKRAB_ASTERISK"):
        return Path(given)
    if shutil.which("mmdebstrap") is None:
        pytest.skip("a real Asterisk cannot be installed here: there is no mmdebstrap")
    if os.geteuid() != 0:
        pytest.skip("a real Asterisk cannot be installed here: that needs root")
    made, why = folder / "asterisk", ""
    for suite in _SUITES:
        # A mirror that stands still is a snapshot: its lists may be older than they say they may be.
        command = ["mmdebstrap", "--quiet", "--aptopt=Acquire::Check-Valid-Until \"false\"", "--variant=minbase", f"--include={_PACKAGES}", suite, str(made), *_mirror()]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)  # fmt: skip
        except subprocess.TimeoutExpired:
            why = f"that took longer than {_LONGEST_S} seconds"
            break
        if not done.returncode:
            return made
        why = "\n".join(done.stderr.splitlines()[-3:])
        shutil.rmtree(made, ignore_errors=True)
    pytest.skip(f"a real Asterisk cannot be installed here: {why}")


def _configured(root: Path) -> Asterisk:
    names = ("http", "manager", "sip", "customer", *AGENTS, *DESKS)
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    for file in (_HERE / "etc").glob("*.conf"):
        text = file.read_text()
        for name, port in ports.items():
            text = text.replace(f"@{name}@", str(port))
        (root / "etc/asterisk" / file.name).write_text(text)
    with (root / "etc/asterisk/pjsip.conf").open("a") as phones:
        for number, name in enumerate((*AGENTS, *DESKS), 101):
            phones.write(
                f"[{name}](phone)\naors={name}\ncallerid=<{number}>\n"
                f"[{name}]\ntype=aor\ncontact=sip:{name}@127.0.0.1:{ports[name]}\n"
            )
    for scenario in (_HERE / "sipp").glob("*.xml"):
        shutil.copy(scenario, root / "srv")
    made = "mkdir -p /run/asterisk /var/spool/asterisk/recording"
    own = "chown -R asterisk: /etc/asterisk /run/asterisk /var/spool/asterisk /var/lib/asterisk /var/log/asterisk"  # fmt: skip
    subprocess.run(["chroot", str(root), "sh", "-c", f"{made}; {own}"], check=True)
    where = "127.0.0.1:{}".format
    return Asterisk(
        root, f"http://{where(ports['http'])}", where(ports["manager"]), where(ports["sip"]), ports
    )


@asynccontextmanager
async def asterisk(folder: Path) -> AsyncIterator[Asterisk]:
    """It runs."""
    where = _configured(_made(folder))
    process = await where.program("asterisk", "-f", "-U", "asterisk", "-G", "asterisk")
    try:
        await eventually(lambda: _stands(where.ari), "Asterisk has loaded everything", 60)
        yield where
    finally:
        await ended([process])
        shutil.rmtree(folder, ignore_errors=True)


async def ended(programs: Sequence[asyncio.subprocess.Process]) -> None:
    """Ends them."""
    for program in programs:
        if program.returncode is None:
            program.terminate()
    for program in programs:
        await program.wait()


async def _stands(ari: str) -> bool:
    """Before it has loaded everything, it answers 503 or not at all."""
    async with httpx.AsyncClient(auth=("crm", "secret")) as client:
        try:
            return (await client.get(f"{ari}/ari/asterisk/info")).is_success
        except httpx.TransportError:
            return False
