"""Real phones: baresip, which a test lets call, answer, hold, hand on and hang up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from chassis.testing.events import eventually
from tests.live.telephony.asterisk import AGENTS, Asterisk, ended, free_ports

_SETTINGS = (Path(__file__).parent / "etc/baresip").read_text()
CUSTOMER = "48600100200"


class Phone:
    """One of them; it does what it is told once it runs."""

    def __init__(self, name: str, at: Asterisk) -> None:
        self.name, self._at = name, at
        self.told: list[str] = []
        """What happened at it, in order: CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED ..."""
        self._reading: asyncio.Task[None]
        self._writer: asyncio.StreamWriter
        self._program: asyncio.subprocess.Process

    async def start(self) -> None:
        (control,) = free_ports(1)
        folder = self._at.root / "srv" / self.name
        folder.mkdir(exist_ok=True)
        settings = _SETTINGS.replace("@name@", self.name).replace("@control@", str(control))
        (folder / "config").write_text(settings.replace("@port@", str(self._at.ports[self.name])))
        user = CUSTOMER if self.name == "customer" else self.name
        account = (
            f"<sip:{user}@{self._at.sip}>;regint=0;answermode=manual;audio_codecs=PCMU/8000/1\n"
        )
        (folder / "accounts").write_text(account)
        with (folder / "log").open("w") as log:
            self._program = await self._at.program(
                "baresip", "-f", f"/srv/{self.name}", stdout=log, stderr=log
            )

        async def connects() -> bool:
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", control)
            except OSError:
                return False
            self._reading = asyncio.create_task(self._read(reader))
            return True

        await eventually(connects, f"the phone {self.name} runs")

    async def end(self) -> None:
        self._writer.close()
        self._reading.cancel()
        await ended([self._program])

    async def happens(self, event: str, times: int = 1) -> None:
        """Returns once this has happened so often since the phone forgot."""
        await eventually(lambda: self.told.count(event) >= times, f"{event} at {self.name} ({self.told})", 20)  # fmt: skip

    async def do(self, command: str, parameter: str = "") -> None:
        """Presses a button: dial, accept, hangup, hold, resume, transfer."""
        said = json.dumps({"command": command, "params": parameter, "token": ""}).encode()
        self._writer.write(b"%d:%s," % (len(said), said))
        await self._writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            length = await reader.readuntil(b":")
            said = json.loads(await reader.readexactly(int(length[:-1])))
            await reader.readexactly(1)
            if said.get("event"):
                self.told.append(said["type"])
            elif not said["ok"]:  # it may have been done all the same
                self.told.append(said["data"].strip())


@asynccontextmanager
async def phones(at: Asterisk) -> AsyncIterator[dict[str, Phone]]:
    """The customer's phone and those of our agents."""
    async with AsyncExitStack() as opened:
        made = {name: Phone(name, at) for name in ("customer", *AGENTS)}
        for phone in made.values():
            await phone.start()
            opened.push_async_callback(phone.end)
        yield made
