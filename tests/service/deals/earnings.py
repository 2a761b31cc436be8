"""What the tests of commissions, plans and rates share: a tenant with its stubs, plans, rates, and deals that are won and paid."""

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from google.type.date_pb2 import Date

from chassis.testing.installation import Person
from chassis.waits import first_of
from crm.deals.v1 import (
    commission_pb2,
    commission_plan_pb2,
    currency_rate_pb2,
    explain_pb2,
    sales_plan_pb2,
)
from crm.deals.v1.commissions_service_pb2_grpc import CommissionsServiceStub
from crm.deals.v1.plans_service_pb2_grpc import PlansServiceStub
from services.deals import sales, store
from tests.service.deals import verbs
from tests.service.deals.moving import system
from tests.service.deals.shelf import Shelf
from tests.service.deals.world import SELLER, Deal

Commission = commission_pb2.Commission
CommissionPlan = commission_plan_pb2.CommissionPlan
CommissionTerms = commission_plan_pb2.CommissionTerms
CurrencyRate = currency_rate_pb2.CurrencyRate
SalesPlan = sales_plan_pb2.SalesPlan

OWN = [{"object": o, "action": "read", "scope": "own"} for o in ("commission", "sales_plan")]
"""What a salesperson may read of it."""


def day(on: date) -> Date:
    return Date(year=on.year, month=on.month, day=on.day)


def today() -> date:
    """The company's day."""
    return datetime.now(ZoneInfo("Europe/Warsaw")).date()


class Earnings(Shelf):
    tables = (
        *Shelf.tables, "sales_facts", "commissions", "commission_plans_history", "sales_plans_history", "currency_rates_history",
    )  # type: ignore[assignment] # fmt: skip

    def commissions(self, by: Person | None = None) -> Any:
        return self.stub(by or self.tenant.admin, CommissionsServiceStub)

    def plans(self, by: Person | None = None) -> Any:
        return self.stub(by or self.tenant.admin, PlansServiceStub)

    async def earner(self, **user: Any) -> Person:
        """Somebody who sells and sees what he earns."""
        return await self.tenant.person([*SELLER, *OWN], **user)

    async def plan(self, *, since: date = date(2020, 1, 1), name: str = "Five percent", whom: dict[str, Any] | None = None, **given: Any) -> CommissionPlan:  # fmt: skip
        """A commission plan of five percent of net on winning, unless these terms say otherwise."""
        terms = CommissionTerms(**{
            "from_date": day(since), "basis": CommissionTerms.BASIS_NET, "percent": "5",
            "earned_on": CommissionTerms.EARNED_ON_WINNING, **given,
        })  # fmt: skip
        made = CommissionPlan(name=name, terms=[terms], **(whom or {}))
        return await self.commissions().CreateCommissionPlan(
            commission_plan_pb2.CreateCommissionPlanRequest(commission_plan=made)
        )

    async def goal(self, target: str, by: Person | None = None, **given: Any) -> SalesPlan:
        """A sales plan for this year, of what is won, unless it says otherwise."""
        made = SalesPlan(**{
            "period": SalesPlan.PERIOD_YEAR, "from_date": day(today()), "target": target,
            "measure": SalesPlan.MEASURE_WON_VALUE, **given,
        })  # fmt: skip
        request = sales_plan_pb2.CreateSalesPlanRequest(sales_plan=made)
        return await self.plans(by).CreateSalesPlan(request)

    async def rate(self, currency: str, rate: str, on: date = date(2020, 1, 1)) -> CurrencyRate:
        made = CurrencyRate(currency=currency, rate=rate, date=day(on))
        request = currency_rate_pb2.CreateCurrencyRateRequest(currency_rate=made)
        return await self.plans().CreateCurrencyRate(request)

    async def won(self, by: Person, amount: str = "1000.00", **given: Any) -> Deal:
        """A deal that this person has won."""
        return await verbs.win(self, await self.make(by, amount=amount, **given), by)

    async def pay(self, deal: Deal, amount: str, effect: str, *, reverses: str = "", counts: bool | None = None) -> None:  # fmt: skip
        """What is paid for the deal, as whoever keeps payments tells it."""

        async def work(tx: Any) -> None:
            found = await store.deals.find(tx, deal.id)
            assert found is not None
            await sales.received(
                tx, found, effect=effect, amount=Decimal(amount), time=tx.now, reverses=reverses, counts=counts
            )  # fmt: skip

        await system(self, work)

    async def entries(self, by: Person | None = None, **asked: Any) -> list[Commission]:
        """The ledger as this person sees it, in the order of its entries."""
        request = commission_pb2.ListCommissionsRequest(order_by="create_time", **asked)
        return list((await self.commissions(by).ListCommissions(request)).commissions)

    async def earned(self, person: Person) -> Decimal:
        """What all entries of a person sum to."""
        return sum((Decimal(e.amount) for e in await self.entries() if e.owner_id == person.id), Decimal(0))  # fmt: skip

    async def entries_once(self, count: int) -> list[Commission]:
        """The ledger once it has so many entries: a change for the past takes its time."""
        async with asyncio.timeout(20):
            while len(found := await self.entries()) < count:
                await first_of(asyncio.Event(), timeout_s=0.05)
        assert len(found) == count
        return found

    async def adjusted(self) -> None:
        """Once no change for the past waits any more."""
        waiting = "SELECT 1 FROM timers WHERE tenant_id = $1 AND kind = 'commissions-adjust'"
        async with asyncio.timeout(20):
            while await self.running.rows("deals", waiting, self.tenant.id):
                await first_of(asyncio.Event(), timeout_s=0.05)

    async def progress(self, plan: SalesPlan, by: Person | None = None, **asked: Any) -> sales_plan_pb2.SalesProgress:  # fmt: skip
        request = sales_plan_pb2.GetSalesProgressRequest(id=plan.id, **asked)
        return await self.plans(by).GetSalesProgress(request)

    async def explain(self, object: str, id: str, by: Person | None = None) -> explain_pb2.AmountExplanation:  # fmt: skip
        request = explain_pb2.ExplainAmountRequest(object=object, id=id)
        return await self.commissions(by).ExplainAmount(request)
