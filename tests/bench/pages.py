"""B5: what a page costs, whatever the order, the place in the list, the caller's scope and the number of contacts.

Two installations run side by side, with 1,000,000 and 10,000 contacts; every variant is asked for in turn, round after round, so
that what disturbs the machine disturbs all of them. The page asked for as the 10,000th is the last full one where there are fewer.
"""

import asyncio
import json
import socket
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import asyncpg

from chassis.kit import listing
from chassis.kit.page_token import PageTokens
from chassis.settings import Settings
from crm.contacts.v1 import contact_pb2
from services.contacts import store
from tests.bench import load
from tests.bench.company import Company
from tests.bench.installation import Installation
from tests.bench.report import Result, at_most, told

_PAGE = 50
_DEEP = 10_000
_SCOPES = ("all", "team", "own")


@dataclass
class Variant:
    """One list that is asked for again and again."""

    size: int
    scope: str
    order: str
    deep: bool
    request: bytes
    port: int
    times: list[float] = field(default_factory=list)

    @property
    def usual_ms(self) -> float:
        """The lower quartile: what the page costs when nobody else wants the core."""
        return sorted(self.times)[len(self.times) // 4] * 1e3

    def __str__(self) -> str:
        return f"{self.size:,} contacts, {self.scope}, {self.order}, {'deep' if self.deep else 'first'}"


def measure(sides: list[tuple[Installation, Company, int]], rounds: int) -> list[Result]:
    """B5 over running installations, the biggest first."""
    variants = [v for side in sides for v in asyncio.run(_variants(*side))]
    sockets = {
        side[0].port: load.connected(side[0].port, side[0].app_pids[:1], 1)[0] for side in sides
    }
    for variant in variants:
        for _ in range(3):
            _ask(sockets[variant.port], variant)  # statements are prepared, pages are in memory
        variant.times.clear()
    for _ in range(rounds):
        for variant in variants:
            _ask(sockets[variant.port], variant)
    return _judged(variants, sides)


def _judged(
    variants: list[Variant], sides: list[tuple[Installation, Company, int]]
) -> list[Result]:
    big = [v for v in variants if v.size == sides[0][2]]
    small = {(v.scope, v.order, v.deep): v for v in variants if v.size == sides[-1][2]}
    slowest, fastest = max(big, key=lambda v: v.usual_ms), min(big, key=lambda v: v.usual_ms)
    grown = max(big, key=lambda v: v.usual_ms / small[v.scope, v.order, v.deep].usual_ms)
    other = small[grown.scope, grown.order, grown.deep]
    found = [
        at_most(
            "B5",
            f"slowest page ({slowest}) / fastest ({fastest})",
            slowest.usual_ms / fastest.usual_ms,
            "",
            1.3,
        ),
        at_most(
            "B5",
            f"{grown} / the same at {sides[-1][2]:,}",
            grown.usual_ms / other.usual_ms,
            "",
            1.3,
        ),
    ]
    for scope in _SCOPES:
        for deep in (False, True):
            times = [v.usual_ms for v in big if v.scope == scope and v.deep == deep]
            place = "10,000th (or last full) page" if deep else "first page"
            found.append(
                told(
                    "B5",
                    f"{sides[0][2]:,} contacts, {scope}: {place}, the slowest order",
                    max(times),
                    "ms",
                )
            )
    return found


def _ask(endpoint: socket.socket, variant: Variant) -> None:
    began = time.perf_counter()
    endpoint.sendall(variant.request)
    data = endpoint.recv(1 << 18)
    while b"\r\n\r\n" not in data:
        data += endpoint.recv(1 << 18)
    head, _, body = data.partition(b"\r\n\r\n")
    lowered = head.lower() + b"\r\n"
    at = lowered.index(b"content-length:") + 15
    length = int(lowered[at : lowered.index(b"\r\n", at)])
    while len(body) < length:
        body += endpoint.recv(1 << 18)
    variant.times.append(time.perf_counter() - began)
    if head[9:12] != b"200":
        raise RuntimeError(f"{variant}: {head[:100]!r} {body[:300]!r}")
    if len(variant.times) == 1 and len(json.loads(body)["contacts"]) != _PAGE:
        raise RuntimeError(f"{variant} is not a full page")


# -- the lists, and the tokens of their deep pages -----------------------------------------------------------------------------


async def _variants(installation: Installation, company: Company, size: int) -> list[Variant]:
    told_ = installation.told()
    settings = Settings(postgres_url="", nats_url="", secret=told_["CRM_SECRET"])
    tokens = PageTokens(settings.derived("page-tokens"))
    connection = await asyncpg.connect(installation.database_url())
    try:
        found = []
        for scope in _SCOPES:
            bearer = company.sign_in(installation, scope).token
            owners = {"all": None, "team": company.team, "own": company.team[1:2]}[scope]
            for order in _orders():
                first = {"pageSize": _PAGE, "orderBy": order}
                deep = first | {
                    "pageToken": await _token(connection, tokens, company.tenant_id, owners, order)
                }
                for is_deep, query in ((False, first), (True, deep)):
                    asked = load.request("GET", f"/v1/contacts?{urlencode(query)}", bearer).encode()
                    found.append(Variant(size, scope, order, is_deep, asked, installation.port))
        return found
    finally:
        await connection.close()


def _orders() -> list[str]:
    names = sorted(name for name, field in store.contacts.fields.items() if field.sortable)
    return [f"{name}{direction}" for name in names for direction in ("", " desc")]


async def _token(
    connection: Any, tokens: PageTokens, tenant_id: str, owners: tuple[str, ...] | None, order: str
) -> str:
    """The token of the 10,000th page, or of the last full one: made of the sort values of the row before it."""
    name, _, direction = order.partition(" ")
    column = store.contacts.fields[name].order_column
    condition = "tenant_id = $1 AND delete_time IS NULL" + (
        " AND owner_id = ANY($2::uuid[])" if owners else ""
    )
    arguments: list[Any] = [tenant_id, *([list(owners)] if owners else [])]
    count = await connection.fetchval(
        f"SELECT count(*) FROM contacts WHERE {condition}", *arguments
    )
    before = min(_DEEP - 1, count // _PAGE - 1) * _PAGE
    row = await connection.fetchrow(
        f"SELECT {column} AS key, id FROM contacts WHERE {condition}"
        f" ORDER BY {column} {direction}, id {direction} OFFSET {before - 1} LIMIT 1",
        *arguments,
    )
    asked = contact_pb2.ListContactsRequest(order_by=order)
    identity = listing._identity(SimpleNamespace(tenant=tenant_id), store.contacts, asked)  # type: ignore[arg-type]
    return tokens.make([row["key"], row["id"]], direction == "desc", identity)
