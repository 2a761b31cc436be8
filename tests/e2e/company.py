"""A company as its people use it: over HTTP alone."""

import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from chassis.keys import uuid7
from chassis.testing.events import eventually

PASSWORD = "kaca-jendela-9"
ABOUT = {
    "name": "Okna",
    "country": "PL",
    "currency": "PLN",
    "language": "pl",
    "timeZone": "Europe/Warsaw",
}
CATALOGUE = (
    "need",
    "label",
    "source",
    "form",
    "custom_field",
    "user",
    "department",
    "role",
    "tenant",
)
CHANCE = random.SystemRandom()
_NUMBERS = itertools.count(1)
_MANY = httpx.Limits()
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)


def ok(answer: httpx.Response) -> dict[str, Any]:
    """The JSON of a success; fails the test with what was said otherwise."""
    request = answer.request
    assert answer.status_code == 200, (
        f"{request.method} {request.url.path}: {answer.status_code} {answer.text}"
    )
    return dict(answer.json())


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The problem document of a refusal with exactly this status and reason."""
    assert answer.headers["content-type"] == "application/problem+json", (
        answer.status_code,
        answer.text,
    )
    problem = dict(answer.json())
    assert (answer.status_code, problem["reason"]) == (status, reason), problem
    return problem


def client(
    url: str, token: str = "", *, address: str = "", one: bool = False, **headers: str
) -> httpx.AsyncClient:
    """Somebody who speaks with this token, or a stranger; from a loopback `address`, on `one` connection that stays."""
    sent = {"authorization": f"Bearer {token}"} if token else {}
    # Plain HTTP only: reading the certificates that `verify` needs costs a tenth of a second for each client.
    way = httpx.AsyncHTTPTransport(
        verify=False, limits=_ONE if one else _MANY, local_address=address or None
    )
    return httpx.AsyncClient(base_url=url, headers=sent | headers, timeout=30, transport=way)


def new_address() -> str:
    """An address of somebody else: tries to sign in and up are counted by address."""
    return f"127.{CHANCE.randrange(1, 255)}.{CHANCE.randrange(255)}.{CHANCE.randrange(1, 255)}"


def phone() -> str:
    """A Polish mobile number that no other test uses."""
    digits = str(int(uuid7().replace("-", "")[-12:], 16))[-7:].rjust(7, "0")
    return f"+4860{digits}"


def grants(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    """(object, action, scope) as the API takes them."""
    return [{"object": o, "action": a, "scope": f"SCOPE_{s.upper()}"} for o, a, s in rows]


@dataclass
class Person:
    """Somebody signed in."""

    id: str
    email: str
    token: str
    http: httpx.AsyncClient

    async def ids(self, path: str, **query: Any) -> set[str]:
        """The ids that a list answers with, over all its pages."""
        found: set[str] = set()
        name = path.rpartition("/")[2]
        token = ""
        while True:
            page = ok(
                await self.http.get(path, params={"pageSize": 200, "pageToken": token, **query})
            )
            found |= {row["id"] for row in page.get(name, [])}
            if not (token := page.get("nextPageToken", "")):
                return found


@dataclass
class Company:
    """A company that signed up; `admin` may do everything."""

    url: str
    id: str
    admin: Person
    closing: AsyncExitStack = field(repr=False)

    async def open(self, token: str = "") -> httpx.AsyncClient:
        """A client that is closed with the company, from an address of its own."""
        made = client(self.url, token, address=new_address())
        return await self.closing.enter_async_context(made)

    async def role(self, rows: list[dict[str, str]], hidden: tuple[str, ...] = ()) -> str:
        """The id of a new role."""
        body = {"name": f"role {next(_NUMBERS)}", "grants": rows, "hiddenFields": hidden}
        return str(ok(await self.admin.http.post("/v1/roles", json=body))["id"])

    async def department(self, parent_id: str = "") -> str:
        """The id of a new department."""
        body = {"name": f"department {next(_NUMBERS)}"} | (
            {"parentId": parent_id} if parent_id else {}
        )
        return str(ok(await self.admin.http.post("/v1/departments", json=body))["id"])

    async def person(self, role_id: str, department_id: str = "", **fields: Any) -> Person:
        """Somebody who was invited, joined and signed in."""
        number = next(_NUMBERS)
        body = {
            "email": f"p{number}-{uuid7()}@example.com",
            "name": f"Person {number}",
            "roleIds": [role_id],
            **fields,
        }
        if department_id:
            body["departmentId"] = department_id
        user = ok(await self.admin.http.post("/v1/users", json=body))
        link = ok(await self.admin.http.post(f"/v1/users/{user['id']}:invite", json={}))
        stranger = await self.open()
        joined = {"token": link["token"], "password": PASSWORD}
        ok(await stranger.post("/v1/auth:acceptInvitation", json=joined))
        return await self.signed_in(user["email"])

    async def signed_in(self, email: str) -> Person:
        """Somebody's new session."""
        stranger = await self.open()
        return await _signed_in(self.closing, self.url, stranger, email)

    async def token(self, **fields: Any) -> dict[str, Any]:
        """The answer to a new API token, secret and NATS access included."""
        return ok(await self.admin.http.post("/v1/apiTokens", json={"name": "program", **fields}))

    async def contact(self, **fields: Any) -> dict[str, Any]:
        """A new contact of the administrator, unless `ownerId` says otherwise."""
        body = {"givenName": "Ana", "familyName": f"No {next(_NUMBERS)}", **fields}
        return ok(await self.admin.http.post("/v1/contacts", json=body))

    async def form(self, **fields: Any) -> dict[str, Any]:
        """A public form with name and phone."""
        body = {
            "name": "Price request",
            "title": "Windows measured for free",
            "language": "en",
            "fields": [
                {
                    "key": "name",
                    "label": "Your name",
                    "type": "TYPE_TEXT",
                    "meaning": "MEANING_NAME",
                },
                {
                    "key": "phone",
                    "label": "Telephone",
                    "type": "TYPE_PHONE",
                    "meaning": "MEANING_PHONE",
                    "required": True,
                },
            ],
            "thankYouText": "Thank you! We call you back.",
            "rateLimitPerMinute": 1000,
            **fields,
        }
        return ok(await self.admin.http.post("/v1/forms", json=body))


@asynccontextmanager
async def signed_up(url: str, setup_token: str = "") -> AsyncIterator[Company]:
    """A new company; with the installation's one-time token it is the first one."""
    async with AsyncExitStack() as closing:
        stranger = await closing.enter_async_context(client(url, address=new_address()))
        email = f"ada-{uuid7()}@example.com"
        body: dict[str, Any] = {
            "company": ABOUT,
            "administrator": {"email": email, "password": PASSWORD, "name": "Ada Nowak"},
        }
        path = "/v1/setup" if setup_token else "/v1/tenants"
        made = ok(
            await stranger.post(path, json=body | ({"token": setup_token} if setup_token else {}))
        )
        admin = await _signed_in(closing, url, stranger, email)
        yield Company(url, made["tenant"]["id"], admin, closing)


async def _signed_in(
    closing: AsyncExitStack, url: str, stranger: httpx.AsyncClient, email: str
) -> Person:
    answer = ok(await stranger.post("/v1/auth:login", json={"email": email, "password": PASSWORD}))
    token = answer["accessToken"]
    return Person(
        answer["user"]["id"], email, token, await closing.enter_async_context(client(url, token))
    )


async def becomes(answer: Any, expected: Any, what: str, timeout_s: float = 10.0) -> float:
    """Ask (`answer` is an async function) until it answers `expected`; the seconds that took."""
    last: list[Any] = []

    async def same() -> bool:
        with contextlib.suppress(httpx.TransportError):
            last[:] = [await answer()]
        return last == [expected]

    try:
        return await eventually(same, what, timeout_s)
    except AssertionError as late:
        raise AssertionError(f"{late}; the last answer was {last}, not {expected}") from None
