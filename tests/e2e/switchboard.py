"""A firm with telephones, over HTTP, on an installation in the test's process whose clock the tests move.

Its exchange is the simulated one that every company begins with: the administrator lets people outside call, answer and hang up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.e2e.company import Company, Person, becomes, ok, phone, signed_up
from tests.e2e.market import at, now
from tests.e2e.shop import OFFICE
from tests.service.gateway.conftest import Crm

_ASKED = "SELECT 1 FROM exchange_commands WHERE tenant_id = $1"


@dataclass
class Switchboard:
    """Sales with its head, Ana and Budi, and Citra of another department; a recorded line of a tracked advertisement."""

    crm: Crm
    firm: Company
    sales: str
    head: Person
    ana: Person
    budi: Person
    citra: Person
    line: dict[str, Any]

    @property
    def http(self) -> httpx.AsyncClient:
        return self.firm.admin.http

    @property
    def people(self) -> tuple[Person, ...]:
        return self.head, self.ana, self.budi, self.citra

    async def settle(self) -> None:
        """Returns when all that follows from what was done has happened."""
        ok(await self.http.post("/v1/testClock:advance", json={"seconds": 0}))

    async def wait(self, **by: float) -> None:
        """Moves the clock; returns when all that follows has happened."""
        seconds = timedelta(**by).total_seconds()
        ok(await self.http.post("/v1/testClock:advance", json={"seconds": seconds}))

    # -- people outside --------------------------------------------------------------------------------------------------

    async def customer(self, owner: Person, **fields: Any) -> dict[str, Any]:
        """A customer of this person with a telephone, of whom everybody has heard."""
        made = await self.firm.contact(
            ownerId=owner.id, **{"phones": [{"number": phone()}], **fields}
        )
        await self.settle()
        return made

    async def rings(self, number: str, *at: Person, **given: Any) -> dict[str, Any]:
        """Somebody calls the line, and it rings at these people's phones; at none where the exchange only lets him wait."""
        script = given.pop("script", "SCRIPT_BY_HAND")
        body = {"number": number, "script": script, "userIds": [each.id for each in at], **given}
        call = ok(await self.http.post("/v1/telephony/simulator/calls", json=body))

        async def waiting() -> int:
            return len(await self.crm.installation.rows("telephony", _ASKED, self.firm.id))

        await becomes(waiting, 0, "the exchange plays the call")  # before the clock may be moved
        return call

    async def acts(self, call: dict[str, Any], act: str, who: Person | None = None) -> Any:
        """Somebody answers or hangs up."""
        body = {"act": f"ACT_{act}"} | ({"userId": who.id} if who else {})
        path = f"/v1/telephony/simulator/calls/{call['id']}:act"
        return ok(await self.http.post(path, json=body))

    async def spoken(self, number: str, who: Person, seconds: float = 60) -> dict[str, Any]:
        """Somebody called, this person answered, they spoke so long, and the customer hung up."""
        call = await self.rings(number, who)
        await self.acts(call, "ANSWER", who)
        await self.wait(seconds=seconds)
        return dict(await self.acts(call, "CUSTOMER_HANGS_UP"))

    async def missed(self, number: str, *at: Person) -> dict[str, Any]:
        """Somebody called, waited half a minute and gave up; all that follows has happened."""
        call = await self.rings(number, *at)
        await self.wait(seconds=30)
        await self.acts(call, "CUSTOMER_HANGS_UP")
        await self.settle()
        return await self.call(call)

    async def dials(self, who: Person, number: str, **given: Any) -> dict[str, Any]:
        """This person calls somebody from his screen, picks up, and it rings outside."""
        body = {"number": number, **given}
        call = ok(await who.http.post("/v1/calls:dial", json=body))
        path = f"/v1/calls/{call['id']}/legs"

        async def rings_outside() -> bool:
            legs = ok(await who.http.get(path)).get("legs", [])
            return any(leg["side"] == "SIDE_OUTSIDE" for leg in legs)

        await becomes(rings_outside, True, "it rings at the customer's")
        return call

    # -- what is there now -----------------------------------------------------------------------------------------------

    async def call(self, call: dict[str, Any]) -> dict[str, Any]:
        return ok(await self.http.get(f"/v1/calls/{call['id']}"))

    async def all(self, path: str, filter: str, of: Person | None = None) -> list[dict[str, Any]]:
        """The records of a list as this person, or the administrator, sees them."""
        http = (of or self.firm.admin).http
        answer = ok(await http.get(path, params={"filter": filter, "pageSize": 200}))
        return list(answer.get(path.rpartition("/")[2], []))

    async def tasks(self, **where: str) -> list[dict[str, Any]]:
        """The tasks with these values, the oldest first."""
        filter = " AND ".join(f'{name} = "{value}"' for name, value in where.items())
        return sorted(await self.all("/v1/tasks", filter), key=lambda task: task["createTime"])

    async def timeline(self, contact: dict[str, Any], of: Person | None = None) -> list[str]:
        """What the customer's timeline tells of calls and requests, the oldest first."""
        http = (of or self.firm.admin).http
        entries = ok(await http.get(f"/v1/contacts/{contact['id']}/timeline"))["entries"]
        names = [entry["type"].rpartition(".")[2] for entry in reversed(entries)]
        return [name for name in names if name.startswith(("Call", "Request"))]


@asynccontextmanager
async def opened(crm: Crm) -> AsyncIterator[Switchboard]:
    """A new firm in the morning of a working day, everybody at work."""
    if now(crm).isoweekday() > 5 or not 9 < now(crm).hour < 14:
        await workday(crm)
    async with signed_up(crm.url) as firm:
        http = firm.admin.http
        hours = {"workingHours": OFFICE, "holidays": {"worked": True}}
        ok(await http.patch("/v1/tenant", json=hours))
        roles = {
            role.get("builtIn", ""): role["id"] for role in ok(await http.get("/v1/roles"))["roles"]
        }
        whole = await firm.department()
        sales, other = [await firm.department(whole) for _ in range(2)]
        head = await firm.person(roles["head"], sales)
        ok(await http.patch(f"/v1/departments/{sales}", json={"headId": head.id}))
        seller = roles["salesperson"]
        ana, budi, citra = [await firm.person(seller, home) for home in (sales, sales, other)]
        source = ok(await http.get("/v1/sources"))["sources"][0]["id"]
        line = {
            "name": "Advertisement", "number": "+48300000101", "departmentId": sales, "record": True,
            "sourceId": source, "campaign": "spring", "keyword": "plastic windows",
            "userIds": [ana.id, budi.id], "purpose": "PURPOSE_SALES",
        }  # fmt: skip
        (exchange,) = await _exchange(http)
        made = ok(await http.post("/v1/lines", json={**line, "connectionId": exchange["id"]}))
        for number, person in enumerate((head, ana, budi, citra)):
            body = {
                "number": str(201 + number),
                "connectionId": exchange["id"],
                "userId": person.id,
            }
            ok(await http.post("/v1/extensions", json=body))
        board = Switchboard(crm, firm, sales, head, ana, budi, citra, made)
        await board.settle()
        yield board


async def workday(crm: Crm, hour: int = 10, minute: int = 0) -> datetime:
    """Moves the clock to the next working day's such hour in Warsaw."""
    day = now(crm).date() + timedelta(days=1)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return await at(crm, day, hour, minute)


async def _exchange(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The exchange with which a company begins, once telephony has heard of the company."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = ok(await http.get("/v1/telephoneConnections")).get("connections", [])
        return bool(found)

    await becomes(there, True, "the company has an exchange")
    return found
