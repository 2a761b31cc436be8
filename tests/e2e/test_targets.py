"""`python -m chassis --target=...`: the same program as every role, over PostgreSQL and NATS that somebody else started."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from chassis.service import names
from chassis.testing.events import eventually
from chassis.testing.servers import free_port
from tests.e2e.bare_servers import BareServers, bare_servers
from tests.e2e.company import Company, Person, client, ok, signed_up
from tests.e2e.outside import reading
from tests.e2e.runtime.harness import CHECKOUT
from tests.service.gateway.sse import opened

pytestmark = pytest.mark.large  # starts whole installations

SETUP_TOKEN = "only-once"
TOPOLOGIES = {
    "each service alone": tuple(names()),
    "a pair and the gateway": ("identity,contacts", "gateway"),
}


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[BareServers]:
    async with bare_servers() as made:
        made.environment |= {"CRM_SETUP_TOKEN": SETUP_TOKEN, "CRM_SIGNUP": "1"}
        with made.postgres, made.nats:
            yield made


@dataclass
class Parts:
    """The processes of one topology; target -> process."""

    url: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    probes: dict[str, str] = field(default_factory=dict)

    async def ready(self) -> None:
        """Return when each says so at its own probe."""

        async def all_ready() -> bool:
            assert [process.poll() for process in self.processes.values()] == [None] * len(
                self.processes
            )
            async with client("") as http:
                try:
                    answers = [await http.get(f"{probe}/readyz") for probe in self.probes.values()]
                except httpx.TransportError:
                    return False
            return all(answer.status_code == 200 for answer in answers)

        await eventually(all_ready, f"{', '.join(self.processes)} are ready", 60)

    async def drained(self) -> dict[str, int]:
        """SIGTERM to each, the gateway first as in a roll-out that loses nothing; target -> exit code."""
        codes = {}
        for target, process in reversed(self.processes.items()):
            process.send_signal(signal.SIGTERM)
            codes[target] = await asyncio.to_thread(process.wait, 30)
        return codes


@contextmanager
def running(servers: BareServers, targets: tuple[str, ...]) -> Iterator[Parts]:
    """One process for each target, told where the others are."""
    services = [
        name for target in targets for name in target.split(",") if name not in ("all", "gateway")
    ]
    grpc = {target: free_port() for target in targets}
    home = {name: target for target in targets for name in target.split(",")}
    told = {f"CRM_ADDRESS_{name.upper()}": f"127.0.0.1:{grpc[home[name]]}" for name in services}
    http = free_port()
    parts = Parts(f"http://127.0.0.1:{http}")
    try:
        for target in targets:
            faces = target in ("gateway", "all")
            port = http if faces else free_port()
            ports = {"CRM_PORT": str(http), "CRM_GRPC_PORT": str(grpc[target] if services else 0)}
            ports |= {} if faces else {"CRM_METRICS_PORT": str(port)}
            parts.probes[target] = f"http://127.0.0.1:{port}"
            with (servers.folder / f"{target}.log").open("ab") as log:
                parts.processes[target] = subprocess.Popen(
                    [sys.executable, "-m", "chassis", f"--target={target}"],
                    env=servers.environment | told | ports, cwd=CHECKOUT, stdout=log, stderr=log,
                )  # fmt: skip
        yield parts
    finally:
        for process in parts.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(20)


@pytest.mark.parametrize("topology", TOPOLOGIES)
async def test_every_role_serves_and_drains(servers: BareServers, topology: str) -> None:
    with running(servers, TOPOLOGIES[topology]) as parts:
        await parts.ready()
        async with signed_up(parts.url) as company:
            await work(company)
            slow, codes = await asyncio.gather(slow_request(parts, company.admin), parts.drained())

    assert slow["givenName"] == "Last"
    assert set(codes.values()) == {0}


async def work(company: Company) -> None:
    """Create, list, live event, an outside subscriber: each crosses the processes in another way."""
    access = (await company.token(nats=True))["nats"]
    async with opened(company.admin.http) as stream, reading(access) as reader:
        made = await company.contact()
        event = await stream.until(made["id"])
        assert event["type"] == "crm.contacts.v1.ContactCreated"
        assert await company.admin.ids("/v1/contacts") == {made["id"]}
        # The catalogue that every new company gets may arrive in between.
        found = await reader.until(
            lambda events: "ContactCreated" in [e.type for e in events], "the event outside"
        )
        told = [e.subject for e in found if e.type == "ContactCreated"]
        assert told == [made["id"]]
    card = ok(await company.admin.http.get(f"/v1/contacts/{made['id']}/card"))
    assert card["unavailable"] == []


async def slow_request(parts: Parts, person: Person) -> dict[str, object]:
    """A create whose second half is sent when the drain has begun: it is finished, not cut off."""
    body = b'{"givenName": "Last"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", int(parts.url.rpartition(":")[2]))
    try:
        head = (
            f"POST /v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {person.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[:5])
        await writer.drain()
        await eventually(lambda: refuses(parts.url), "the gateway takes no new connection", 20)
        writer.write(body[5:])
        answer = await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return dict(httpx.Response(200, content=answer.partition(b"\r\n\r\n")[2]).json())


async def refuses(url: str) -> bool:
    try:
        async with client(url) as http:
            await http.get("/healthz")
    except httpx.TransportError:
        return True
    return False


async def test_all_in_one_is_set_up_once_serves_and_drains(servers: BareServers) -> None:
    with running(servers, ("all",)) as parts:
        await parts.ready()
        async with signed_up(parts.url, SETUP_TOKEN) as company:
            assert ok(await company.admin.http.get("/v1/me"))["tenant"]["name"] == "Okna"
            await is_set_up(parts.url)
            await work(company)
            slow, codes = await asyncio.gather(slow_request(parts, company.admin), parts.drained())

    assert slow["givenName"] == "Last"
    assert codes == {"all": 0}


async def is_set_up(url: str) -> None:
    """The token has been used: nobody founds another company with it."""
    async with client(url) as http:
        again = await http.post("/v1/setup", json={
            "token": SETUP_TOKEN,
            "company": {"name": "B", "country": "PL", "currency": "PLN", "language": "pl", "timeZone": "Europe/Warsaw"},
            "administrator": {"email": "eve@example.com", "password": "kaca-jendela-9", "name": "Eve"},
        })  # fmt: skip
    assert again.status_code in (409, 422), again.text
