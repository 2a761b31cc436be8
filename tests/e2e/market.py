"""A firm that sells, over HTTP, on an installation in the test's process whose clock the tests move.

The clock only moves forward, so each test moves to a moment of its kind before its firm signs up. The servers are its own: an
installation of other tests, whose clock stands still, might fire the timers.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from google.protobuf.json_format import ParseDict

from chassis.settling import settled
from crm.deals.v1 import explain_pb2
from tests.e2e.bare_servers import bare_servers
from tests.e2e.company import Company, Person, ok, signed_up
from tests.service.gateway.conftest import Crm, running
from tests.unit.deals.reckoning import replay

SERVICES = ("identity", "contacts", "deals", "tasks", "notifications")
WARSAW = ZoneInfo("Europe/Warsaw")


@asynccontextmanager
async def market(*more: str) -> AsyncIterator[Crm]:
    """An installation of its own, with these services too, where companies may sign up."""
    async with bare_servers() as own:
        urls: dict[str, Any] = {
            "postgres_url": own.settings.postgres_url,
            "nats_url": own.settings.nats_url,
        }
        with own.postgres, own.nats, pytest.MonkeyPatch.context() as environment:
            environment.setenv("CRM_SIGNUP", "1")
            data = own.folder / "data"
            async with running(
                (*SERVICES, *more, "gateway"), test_clock=True, data_dir=data, **urls
            ) as made:
                yield made


def now(crm: Crm) -> datetime:
    """What time it is for the installation, in Warsaw."""
    return crm.installation.process.clock.now().astimezone(WARSAW)


async def at(crm: Crm, day: date, hour: int = 0, minute: int = 0) -> datetime:
    """Moves the clock to this moment in Warsaw; returns when all that follows has happened."""
    moment = datetime.combine(day, time(hour, minute), WARSAW)
    process = crm.installation.process
    await process.clock.advance(process.nats, moment - process.clock.now())  # type: ignore[attr-defined]
    await settled(process)
    return moment


def monday_of_a_month(after: date, weeks: int = 0) -> date:
    """The first Monday of the next month, and so many weeks later."""
    first = (after.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first + timedelta(days=(7 - first.weekday()) % 7, weeks=weeks)


def quarter_after(day: date) -> date:
    """The first day of the next quarter."""
    month = day.month + 3 - (day.month - 1) % 3
    return date(day.year + month // 13, (month - 1) % 12 + 1, 1)


def dated(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Market:
    """A firm with a sales department: its head, a seller and an accountant."""

    crm: Crm
    firm: Company
    sales: str
    head: Person
    ana: Person
    books: Person
    roles: dict[str, str]

    @property
    def http(self) -> httpx.AsyncClient:
        return self.firm.admin.http

    async def settle(self) -> None:
        """Returns when all that follows from what was done has happened."""
        ok(await self.http.post("/v1/testClock:advance", json={"seconds": 0}))

    async def tax(self, percent: str) -> str:
        """The id of a tax class of this rate."""
        body = {"key": f"vat_{percent}", "name": f"VAT {percent}", "rates": [{"percent": percent}]}
        return str(ok(await self.http.post("/v1/taxClasses", json=body))["id"])

    async def product(self, family: str, name: str, **fields: Any) -> str:
        """The id of a new product of this family."""
        body = {"sku": name, "name": name, "familyId": family, **fields}
        return str(ok(await self.http.post("/v1/products", json=body))["id"])

    async def family(self, name: str) -> str:
        return str(ok(await self.http.post("/v1/productFamilies", json={"name": name}))["id"])

    async def pipeline(self, **fields: Any) -> dict[str, Any]:
        """A pipeline of stages new, offer and paid, in which deals are won with 20, 50 and 90 percent."""
        likely = {"new": 20, "offer": 50, "paid": 90}
        stages = [{"key": k, "name": k.title(), "probability": p} for k, p in likely.items()]
        body = {"key": "windows", "name": "Windows", "stages": stages, **fields}
        return ok(await self.http.post("/v1/pipelines", json=body))

    async def deal(self, owner: Person, **fields: Any) -> dict[str, Any]:
        """A new deal of this person, for a customer of its own unless it says for whom."""
        if "contactId" not in fields:
            fields["contactId"] = (await self.firm.contact(ownerId=owner.id))["id"]
        body = {"title": "Windows for the house", "ownerId": owner.id, **fields}
        return ok(await self.http.post("/v1/deals", json=body))

    async def won(self, owner: Person, amount: str, **fields: Any) -> dict[str, Any]:
        """A deal that this person has won."""
        made = await self.deal(owner, amount=amount, **fields)
        return ok(await owner.http.post(f"/v1/deals/{made['id']}:win", json={}))

    async def explained(self, reader: Person, object: str, id: str) -> dict[str, Any]:
        """How an amount came about; fails unless its steps, reckoned again, lead to it."""
        query = {"object": object, "id": id}
        told = ok(await reader.http.get("/v1/amounts:explain", params=query))
        steps = ParseDict(told, explain_pb2.AmountExplanation()).steps
        assert replay(steps)[told["result"]] == Fraction(told["amount"])
        return told


@asynccontextmanager
async def opened(crm: Crm) -> AsyncIterator[Market]:
    """A new firm."""
    async with signed_up(crm.url) as firm:
        found = ok(await firm.admin.http.get("/v1/roles"))["roles"]
        roles = {role["builtIn"]: role["id"] for role in found if role.get("builtIn")}
        sales = await firm.department()
        head = await firm.person(roles["head"], sales)
        ok(await firm.admin.http.patch(f"/v1/departments/{sales}", json={"headId": head.id}))
        ana = await firm.person(roles["salesperson"], sales)
        books = await firm.person(roles["accountant"])
        made = Market(crm, firm, sales, head, ana, books, roles)
        await made.settle()
        yield made


class Quarter:
    """Plans of two departments and their seven people for the quarter that has begun, set by the head."""

    def __init__(self, shop: Market, first: date, pipeline_id: str) -> None:
        self.shop, self.first, self.pipeline_id = shop, first, pipeline_id
        self.departments: dict[str, str] = {}
        self.people: dict[str, list[Person]] = {}
        self.plans: dict[str, str] = {}
        """Department -> its plan."""

    @property
    def span(self) -> dict[str, str]:
        start = datetime.combine(self.first, time(), WARSAW)
        end = datetime.combine(quarter_after(self.first), time(), WARSAW)
        return {"startTime": moment(start), "endTime": moment(end)}

    async def begin(self, name: str, target: str, own: Sequence[str]) -> None:
        """A department with so many people, each with a plan of his own."""
        department = self.departments[name] = await self.shop.firm.department(self.shop.sales)
        role = self.shop.roles["salesperson"]
        self.people[name] = [await self.shop.firm.person(role, department) for _ in own]
        await self.shop.settle()
        self.plans[name] = await self._plan(target, departmentId=department)
        for person, his in zip(self.people[name], own, strict=True):
            await self._plan(his, ownerId=person.id)

    async def _plan(self, target: str, **whose: str) -> str:
        body = {
            "period": "PERIOD_QUARTER", "fromDate": dated(self.first), "target": target,
            "measure": "MEASURE_WON_VALUE", **whose,
        }  # fmt: skip
        return str(ok(await self.shop.head.http.post("/v1/salesPlans", json=body))["id"])

    async def progress(self, name: str, **query: str) -> dict[str, Any]:
        """How far the department is, as its head sees it."""
        path = f"/v1/salesPlans/{self.plans[name]}/progress"
        return ok(await self.shop.head.http.get(path, params=query))

    async def won(self, person: Person, amount: str) -> str:
        return str((await self.shop.won(person, amount, pipelineId=self.pipeline_id))["id"])

    async def expected(self, person: Person, amount: str, day: date) -> str:
        """An open deal that is won with a probability of 50 %."""
        fields = {"pipelineId": self.pipeline_id, "expectedCloseDate": dated(day)}
        made = await self.shop.deal(person, amount=amount, probability=50, **fields)
        return str(made["id"])

    async def behind(self, filter: str) -> set[str]:
        """The deals that a figure's filter gives."""
        return await self.shop.head.ids("/v1/deals", filter=filter)
