"""An installation for tests: chosen services in one real process over real PostgreSQL, NATS and gRPC, within the test's loop.

Databases are one worker's and migrated once; each test makes its own tenant. Tenants, users and roles
are put into the directory as identity would, so that any service can be tested without identity.
"""

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import asyncpg
import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.js.errors import NotFoundError

from chassis import contracts
from chassis import directory as directories
from chassis import service as services
from chassis.db.names import database_of
from chassis.events.nats import Nats, stream_of
from chassis.keys import uuid7
from chassis.process import Process
from chassis.rpc.channel import Channel, RemoteChannel
from chassis.settings import Settings
from chassis.testing import run_folder, servers, template
from chassis.testing.looking import Looks
from chassis.waits import first_of

S = TypeVar("S")
_KEY = Ed25519PrivateKey.from_private_bytes(b"akrab tests sign with this key !")
_KID = "test"
EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
_migrating, _migrated = threading.Lock(), set[str]()
_put_here: list[str] = []
"""Tenants that this worker's tests have put into the directory."""


@dataclass(frozen=True)
class Authorised:
    """A channel that speaks for somebody."""

    channel: Channel
    metadata: Mapping[str, str]
    _stubs: Any = field(default=None)

    async def unary(
        self, method: str, request: bytes, metadata: Mapping[str, str], timeout_s: float = 30.0
    ) -> tuple[bytes, dict[str, str]]:
        return await self.channel.unary(method, request, {**self.metadata, **metadata}, timeout_s)

    def unary_unary(
        self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Any:
        async def call(
            request: Any, metadata: Mapping[str, str] | None = None, timeout: float = 30.0
        ) -> Any:
            data, _trailing = await self.unary(
                method, request_serializer(request), metadata or {}, timeout
            )
            return response_deserializer(data)

        return call


@dataclass(frozen=True)
class Person:
    """Somebody who can call: a user of a tenant, or a stranger."""

    installation: "Installation"
    tenant: str
    id: str
    token: str = ""
    _stubs: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def stub(self, stub_class: type[S], *, remote: bool = True, **metadata: str) -> S:
        """The generated stub, over gRPC or within the process, called as this person; refusals raise CrmError."""
        key = (stub_class, remote, *metadata.items())
        if key not in self._stubs:  # a new one makes a callable for each of some hundred RPCs
            self._stubs[key] = self._stub(stub_class, remote, metadata)
        return self._stubs[key]

    def _stub(self, stub_class: type[S], remote: bool, metadata: Mapping[str, str]) -> S:
        channel = self.installation.remote if remote else self.installation.local
        headers = {"authorization": f"Bearer {self.token}", **metadata} if self.token else metadata
        return stub_class(Authorised(channel, headers))  # type: ignore[call-arg]


@dataclass
class Tenant:
    """A tenant of one test with its people. `admin` may do everything."""

    installation: "Installation"
    id: str
    admin: Person

    async def put(self, kind: str, id: str, value: Mapping[str, Any]) -> None:
        """Writes a directory entry, as identity would, and waits until the process has it."""
        await self.put_all({(kind, id): value})

    async def put_all(self, entries: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Writes entries by (kind, id), and waits until the process has all."""
        process = self.installation.process
        bucket = await process.nats.ensure_bucket(directories.BUCKET)
        async with asyncio.TaskGroup() as group:
            for (kind, id), value in entries.items():
                group.create_task(bucket.put(f"{self.id}.{kind}.{id}", orjson.dumps(value)))
        view = process.directory.of
        await process.directory.until(
            lambda: all(view(self.id).entry(*place) == entries[place] for place in entries)
        )

    async def person(
        self,
        grants: Iterable[Mapping[str, str]] = (),
        *,
        hidden: Sequence[str] = (),
        **user: Any,
    ) -> Person:
        """A new active user with a role of these grants and hidden fields; `user` adds to the directory entry."""
        person, entries = self._person(grants, hidden, user)
        await self.put_all(entries)
        return person

    async def begin(self, **entry: Any) -> None:
        """Make the tenant known, with its administrator."""
        tenant = {
            "name": "Test",
            "state": "active",
            "language": "en",
            "time_zone": "Europe/Warsaw",
            "country": "PL",
            "currency": "PLN",
            "features_off": [],
            "settings": {},
            **entry,
        }
        self.admin, entries = self._person(EVERYTHING, (), {})
        await self.put_all({("tenant", self.id): tenant, **entries})

    def _person(
        self,
        grants: Iterable[Mapping[str, str]],
        hidden: Sequence[str],
        user: Mapping[str, Any],
    ) -> tuple[Person, dict[tuple[str, str], Mapping[str, Any]]]:
        """Somebody new, and the entries that make him known."""
        user_id, role_id = uuid7(), uuid7()
        role = {"name": "role", "grants": list(grants), "hidden": list(hidden)}
        entry = {
            "name": f"User {user_id[-4:]}",
            "email": f"{user_id}@example.com",
            "state": "active",
            "department_id": "",
            "role_ids": [role_id],
            "language": "en",
            "time_zone": "UTC",
            "working_hours": [],
            "tokens_not_before": 0,
            **user,
        }
        person = Person(self.installation, self.id, user_id, access_token(self.id, user_id))
        return person, {("role", role_id): role, ("user", user_id): entry}

    async def department(self, parent_id: str = "", head_id: str = "", deputy_id: str = "") -> str:
        """A new department; returns its id."""
        id = uuid7()
        await self.put(
            "department",
            id,
            {"name": "D", "parent_id": parent_id, "head_id": head_id, "deputy_id": deputy_id},
        )
        return id


class Installation:
    """The running process, and two ways into it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.remote: RemoteChannel = RemoteChannel(f"127.0.0.1:{process.grpc_port}")
        self.local: Channel = process._local
        self._looks = Looks(process.settings.postgres_url)

    async def close(self) -> None:
        """End the ways in; the process is ended by whoever started it."""
        await self.remote.close()
        await self._looks.close()

    @property
    def stranger(self) -> Person:
        """Somebody who is not signed in."""
        return Person(self, "", "")

    async def settled(self) -> None:
        """Return when the process is in touch with NATS: a test that blocked the loop for long may have cost the connection."""
        async with asyncio.timeout(20):
            while not self.process.directory.fresh:
                await first_of(asyncio.Event(), timeout_s=0.02)

    async def tenant(self, **entry: Any) -> Tenant:
        """A new tenant with an administrator."""
        await self.settled()
        tenant = Tenant(self, uuid7(), None)  # type: ignore[arg-type]
        _put_here.append(tenant.id)
        await tenant.begin(**entry)
        return tenant

    async def rows(self, service: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows that a statement finds as superuser: what is really in the database."""
        return await self._looks.rows(database_of(service), sql, *arguments)

    async def told(self, service: str, tenant: Tenant) -> int:
        """How many events a service has published of a tenant, once nothing waits: a row is for a moment in both places."""
        waiting = "SELECT 1 FROM outbox WHERE tenant_id = $1 LIMIT 1"
        async with asyncio.timeout(20):
            while await self.rows(service, waiting, tenant.id):
                await first_of(asyncio.Event(), timeout_s=0.02)
        stream = await self.process.nats.js.stream_info(
            service.upper(), subjects_filter=f"crm.{tenant.id}.>"
        )
        return sum((stream.state.subjects or {}).values())

    async def events(
        self,
        tenant: Tenant,
        name: str,
        *,
        count: int = 1,
        timeout_s: float = 10.0,
        service: str = "",
    ) -> list[dict[str, Any]]:
        """The bodies of the tenant's first events of this type name, once at least `count` have been published.

        Where several services publish one of this name, it is that of the one that runs here; `service` says whose otherwise.
        """
        publisher = service or publisher_of(name, self.process.runtimes)
        return await published(self.process.nats, tenant.id, publisher, name, count, timeout_s)


def publisher_of(name: str, running: Iterable[str]) -> str:
    """The service that publishes events of this type name, of several the one that runs; LookupError unless it is one."""
    all_ = {contracts.service_of(full) for full in contracts.events() if full.endswith(f".{name}")}
    found = sorted(all_ if len(all_) == 1 else all_ & set(running))
    if len(found) != 1:
        raise LookupError(f"{name} is published by {found or sorted(all_)}; say which service=")
    return found[0]


async def published(
    nats: Any, tenant_id: str, publisher: str, name: str, count: int, timeout_s: float
) -> list[dict[str, Any]]:
    """The bodies of a service's events as an outside subscriber sees them."""
    subscription = await nats.js.subscribe(
        f"crm.{tenant_id}.{publisher}.{name}", stream=stream_of(publisher), ordered_consumer=True
    )
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(timeout_s):
            while len(found) < count:
                found.append(orjson.loads((await subscription.next_msg(timeout=timeout_s)).data))
    finally:
        await subscription.unsubscribe()
    return found


def access_token(tenant_id: str, user_id: str, session_id: str = "", *, life_s: int = 900) -> str:
    """An access token as identity would sign it, with the tests' key."""
    now = int(time.time())
    claims = {
        "tid": tenant_id,
        "sub": user_id,
        "sid": session_id or uuid7(),
        "iat": now,
        "exp": now + life_s,
    }
    return jwt.encode(claims, _KEY, algorithm="EdDSA", headers={"kid": _KID})


def migrate_once(names: Sequence[str]) -> None:
    """Migrates the databases of these services, once per test run; workers of a parallel one begin with all of them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    with _migrating:
        template.migrate_all(test_settings(), [name for name in names if name not in _migrated])
        _migrated.update(names)


def test_settings(**changes: Any) -> Settings:
    """Settings of the tests' servers. The databases' roles have derived passwords, as everywhere.

    Installations of one worker share databases, so they share the folder of files too, as replicas do: any of them may
    carry out an operation.
    """
    made = Settings(
        postgres_url=servers.postgres_url(),
        nats_url=servers.nats_url(),
        nats_callout_seed=servers.ISSUER_SEED,
        secret=template.SECRET,
        grpc_port=-1,
        connections=16,
        data_dir=run_folder.folder() / f"data-{servers.worker()}",
        setup_token=secrets.token_urlsafe(16),
        drain_s=2.0,
        force_retry=os.environ.get("CRM_FORCE_RETRY") == "1",
    )
    return replace(made, **changes)


test_settings.__test__ = False  # type: ignore[attr-defined]


async def _purge() -> None:
    """Removes the events of this worker's earlier tests, and from the directory their tenants, which services care for at a start."""
    nats = Nats(servers.nats_url(), "test")
    await nats.connect()
    try:
        for service in services.names():
            with contextlib.suppress(NotFoundError):
                await nats.js.purge_stream(stream_of(service))
        while _put_here:
            with contextlib.suppress(NotFoundError):
                subject = f"$KV.{directories.BUCKET}.{_put_here.pop()}.>"
                await nats.js.purge_stream(f"KV_{directories.BUCKET}", subject=subject)
    finally:
        await nats.close()


@contextlib.asynccontextmanager
async def installation(
    names: Sequence[str], *, past: bool = True, **changes: Any
) -> AsyncIterator[Installation]:
    """Runs these services in one process until the block ends; migrates their databases first.

    Without `past` they begin with empty streams: a service that starts anew would first hear all that earlier tests did. Servers
    that the caller names by both `postgres_url` and `nats_url` are his own: he has migrated them, and nothing was said there before.
    """
    own_servers = {"postgres_url", "nats_url"} <= changes.keys()
    if not own_servers:
        await asyncio.to_thread(migrate_once, names)
    if not past and not own_servers:
        await _purge()
    process = Process(test_settings(**changes), [services.load(name) for name in names])
    ready = asyncio.Event()
    running = asyncio.create_task(process.run(ready.set))
    beat = (
        asyncio.create_task(directories.beat(process.nats, process.stop))
        if "identity" not in names
        else None
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=60)
    if not ready.is_set():
        waiting.cancel()
        process.stop.set()
        await running
        raise AssertionError("the process did not become ready")
    public = _KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = {"kid": _KID, "public_pem": public.decode(), "alg": "EdDSA"}
    await directories.put(process.nats, "_", "key", _KID, key)
    await process.directory.until(lambda: process.directory.of("_").entry("key", _KID) is not None)
    made = Installation(process)
    try:
        yield made
    finally:
        await made.close()
        process.stop.set()
        await running
        if beat is not None:
            await beat
