"""identity in a real process: each test signs up a company of its own, as a stranger would."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person, installation, migrate_once
from crm.identity.v1 import identity_service_pb2_grpc as grpc
from crm.identity.v1 import role_pb2, session_pb2, user_pb2

PASSWORD = "kaca-jendela-9"
_NUMBERS = itertools.count(1)

TABLES = (
    "tenants", "users", "departments", "roles", "api_tokens", "tenants_history", "users_history", "departments_history",
    "roles_history", "api_tokens_history", "credentials", "sessions", "links", "api_token_hashes", "answers",
    "second_factors", "recovery_codes", "identity_providers", "client_secrets", "linked_identities", "viewings",
)  # fmt: skip


def new_peer() -> str:
    """An address that no other test signs in from: failures are counted per address."""
    return f"peer-{uuid7()}"


def new_email(name: str = "ana") -> str:
    return f"{name}-{uuid7()}@example.com"


async def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """The first true answer of an async condition; AssertionError after the time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := await condition():
            return answer
        await asyncio.sleep(0.02)  # allow sleep-in-test: the wait of `until`, which has a deadline
    raise AssertionError(f"not true within {timeout_s} s: {condition}")


@dataclass
class Company:
    """A company that signed up, and its administrator, signed in."""

    crm: Installation
    id: str
    email: str
    admin_id: str
    refresh_token: str
    admin: Person

    @property
    def stub(self) -> Any:
        """The administrator's stub."""
        return self.admin.stub(grpc.IdentityServiceStub)

    @property
    def directory(self) -> Any:
        return self.crm.process.directory.of(self.id)

    async def known(self, kind: str, id: str) -> Any:
        """The directory's entry, once there."""
        await self.crm.process.directory.until(lambda: self.directory.entry(kind, id) is not None)
        return self.directory.entry(kind, id)

    async def forgotten(self, kind: str, id: str) -> None:
        """Returns when the directory has no such entry."""
        await self.crm.process.directory.until(lambda: self.directory.entry(kind, id) is None)

    async def role_id(self, built_in: str) -> str:
        roles = (
            await self.stub.ListRoles(role_pb2.ListRolesRequest(filter=f'built_in = "{built_in}"'))
        ).roles
        assert len(roles) == 1
        return roles[0].id

    async def user(self, built_in: str = "salesperson", **fields: Any) -> user_pb2.User:
        """A new user, invited and not yet joined."""
        fields = {"email": new_email(built_in), "name": f"{built_in} {next(_NUMBERS)}", **fields}
        fields.setdefault("role_ids", [await self.role_id(built_in)])
        return await self.stub.CreateUser(user_pb2.CreateUserRequest(user=user_pb2.User(**fields)))

    async def joined(
        self, built_in: str = "salesperson", **fields: Any
    ) -> tuple[user_pb2.User, Person]:
        """A user who accepted the invitation and signed in."""
        user = await self.user(built_in, **fields)
        link = await self.stub.InviteUser(user_pb2.InviteUserRequest(id=user.id))
        await stranger(self.crm).AcceptInvitation(
            session_pb2.AcceptInvitationRequest(token=link.token, password=PASSWORD)
        )
        await self.crm.process.directory.until(
            lambda: (self.directory.user(user.id) or {}).get("state") == "active"
        )
        return user, await self.person(user.email)

    async def person(self, email: str, password: str = PASSWORD) -> Person:
        """Somebody signed in."""
        answer = await sign_in(self.crm, email, password)
        return Person(self.crm, self.id, answer.user.id, answer.access_token)

    async def rows(self, sql: str, *arguments: Any) -> list[Any]:
        return await self.crm.rows("identity", sql, *arguments)

    async def state(self) -> dict[str, Any]:
        """A fingerprint of each of the company's tables and the number of its events, once all are published."""

        async def published() -> bool:
            return not await self.rows("SELECT 1 FROM outbox WHERE tenant_id = $1 LIMIT 1", self.id)

        await until(published)
        prints = " UNION ALL ".join(
            f"SELECT '{table}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS print"
            f" FROM {table} t WHERE tenant_id = $1"
            for table in TABLES
        )
        found = {row["name"]: row["print"] for row in await self.rows(prints, self.id)}
        info = await self.crm.process.nats.js.stream_info(
            "IDENTITY", subjects_filter=f"crm.{self.id}.>"
        )
        return {**found, "events": dict(info.state.subjects or {})}

    @contextlib.asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """What happens inside leaves every row and event as it was."""
        before = await self.state()
        yield
        assert await self.state() == before

    async def event(self, name: str, *, count: int = 1) -> dict[str, Any]:
        """The count-th event of this name, as a subscriber gets it."""
        subject = f"crm.{self.id}.identity.{name}"
        subscription = await self.crm.process.nats.js.subscribe(
            subject, stream="IDENTITY", ordered_consumer=True
        )
        try:
            for _ in range(count):
                message = await subscription.next_msg(timeout=10)
            return orjson.loads(message.data)
        finally:
            await subscription.unsubscribe()


def stranger(crm: Installation, peer: str = "") -> Any:
    """The stub of somebody who is not signed in, from an address of his own."""
    return crm.stranger.stub(grpc.IdentityServiceStub, **{"crm-peer": peer or new_peer()})


async def sign_in(
    crm: Installation, email: str, password: str = PASSWORD, peer: str = ""
) -> session_pb2.LoginResponse:
    return await stranger(crm, peer).Login(session_pb2.LoginRequest(email=email, password=password))


def new_company(email: str) -> session_pb2.SignUpRequest:
    return session_pb2.SignUpRequest(
        company=session_pb2.NewCompany(
            name="Okna Kowalski",
            country="PL",
            currency="PLN",
            language="pl",
            time_zone="Europe/Warsaw",
        ),
        administrator=session_pb2.NewAdministrator(
            email=email, password=PASSWORD, name="Ana Kowalska"
        ),
    )


async def sign_up(crm: Installation) -> Company:
    """A new company whose administrator is signed in."""
    email = new_email()
    made = await stranger(crm).SignUp(new_company(email))
    directory = crm.process.directory
    await directory.until(
        lambda: (
            (view := directory.of(made.tenant.id)).user(made.user.id) is not None
            and all(view.role(id) for id in made.user.role_ids)
            and bool(view.tenant())
        )
    )
    answer = await sign_in(crm, email)
    person = Person(crm, made.tenant.id, made.user.id, answer.access_token)
    return Company(crm, made.tenant.id, email, made.user.id, answer.refresh_token, person)


@pytest.fixture(scope="session")
def migrated() -> None:
    migrate_once(["identity"])


@pytest.fixture(scope="package")
async def crm(migrated: None) -> AsyncIterator[Installation]:
    """identity alone in one process; companies may sign up."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_SIGNUP", "1")
        environment.setenv("CRM_OIDC_PRIVATE", "1")  # the tests' providers are on 127.0.0.1
        async with installation(["identity"], past=False) as running:
            yield running


@pytest.fixture
async def company(crm: Installation) -> Company:
    return await sign_up(crm)


def grant(object: str, action: str, scope: int = role_pb2.SCOPE_ALL) -> role_pb2.Grant:
    return role_pb2.Grant(object=object, action=action, scope=scope)
