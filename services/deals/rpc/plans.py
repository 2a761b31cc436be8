"""Sales plans and how far they are reached."""

from datetime import datetime

from chassis.handlers import Servicer, reads
from chassis.kit import history, showing
from chassis.kit.standard import standard
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import sales_plan_pb2 as pb
from services.deals import converting, earning, errors, people, progress, store
from services.deals.money import currencies
from services.deals.rpc.rates import Rates
from services.deals.rules import days
from services.deals.rules import sales_plans as rules
from services.deals.store.sales_facts import Fact

SalesPlan = pb.SalesPlan

_COUNTS = ("owner_id", "pipeline_id", "from_date", "until_date", "measure", "target")
"""A change of any of these changes what is earned above the plan."""


async def check_plan(tx: Tx, new: SalesPlan, old: SalesPlan | None) -> None:
    """Keeps that a plan has whole days, a target and an owner or department that exists."""
    new.currency = new.currency or await converting.base_of(tx)
    rules.complete(new)
    await _refer(tx, new, old)
    if new.owner_id and (old is None or old.owner_id != new.owner_id):
        new.department_id = people.home_of(tx, new.owner_id)
    new.name = new.name or rules.title(new, _whose(tx, new))
    if old is None or any(getattr(new, field) != getattr(old, field) for field in _COUNTS):
        for plan in (new, old):
            await _adjust(tx, plan)


async def follow_end(tx: Tx, plan: SalesPlan) -> None:
    """A plan that goes or comes back changes what is earned above it."""
    await _adjust(tx, plan)


async def _adjust(tx: Tx, plan: SalesPlan | None) -> None:
    if plan is not None and plan.owner_id and plan.measure != SalesPlan.MEASURE_COUNT:
        await earning.adjust_between(tx, *days.span(plan))


async def _refer(tx: Tx, new: SalesPlan, old: SalesPlan | None) -> None:
    missing = []
    for field, find in (("owner_id", tx.directory.user), ("department_id", tx.directory.department)):  # fmt: skip
        id = getattr(new, field)
        if id and (old is None or id != getattr(old, field)) and find(id) is None:
            missing.append((field, f"{'user' if field == 'owner_id' else 'department'} {id}"))
    id = new.pipeline_id
    added = id and (old is None or id != old.pipeline_id)
    if added and await store.pipelines.find(tx, id) is None:
        missing.append(("pipeline_id", f"pipeline {id}"))
    if missing:
        raise errors.ReferenceUnknown(missing)


def _whose(tx: Tx, plan: SalesPlan) -> str:
    found = (
        tx.directory.user(plan.owner_id) if plan.owner_id else tx.directory.department(plan.department_id)
    ) or tx.directory.tenant()  # fmt: skip
    return str(found.get("name") or "Company")


class SalesPlans(standard(store.sales_plans, on_save=check_plan, on_delete=follow_end, on_undelete=follow_end), Servicer):  # type: ignore[misc] # fmt: skip
    """`/v1/salesPlans`."""

    @reads
    async def GetSalesProgress(
        self, request: pb.GetSalesProgressRequest, tx: Tx
    ) -> pb.SalesProgress:
        plan, at = await _plan(tx, request)
        answer = await progress.progress(tx, plan, at)
        shown = showing.limited(tx, store.sales_plans, answer.sales_plan)
        answer.sales_plan.CopyFrom(shown)
        return answer

    @reads
    async def ListSalesFacts(
        self, request: pb.ListSalesFactsRequest, tx: Tx
    ) -> pb.ListSalesFactsResponse:
        plan, at = await _plan(tx, request)
        size, tokens, after = request.page_size or 50, tx.runtime.page_tokens, 0
        shape = (
            f"{tx.tenant}|sales-facts|{plan.id}|{request.user_id}|{request.as_of.ToJsonString()}"
        )
        if request.page_token:
            [last] = tokens.read(request.page_token, shape=shape).values
            assert isinstance(last, int)
            after = last
        rows = await store.plan_facts(
            tx, progress.scope_of(plan), known_at=at, after=after, most=size + 1, user_id=request.user_id
        )  # fmt: skip
        more = len(rows) > size
        answer = pb.ListSalesFactsResponse(
            next_page_token=tokens.make([rows[size - 1]["seq"]], False, shape) if more else ""
        )
        for row in rows[:size]:
            answer.sales_facts.append(await _fact(tx, row, plan, at))
        return answer


async def _plan(tx: Tx, request: pb.GetSalesProgressRequest | pb.ListSalesFactsRequest) -> tuple[SalesPlan, datetime]:  # fmt: skip
    """The plan and the moment that are asked for."""
    showing.refuse_unreadable(tx, store.sales_plans, ["target"])
    if not request.HasField("as_of") or to_datetime(request.as_of) >= tx.now:
        return await store.sales_plans.get(tx, request.id), tx.now
    plan = await history.as_of(tx, store.sales_plans, request.id, request.as_of)
    return plan, to_datetime(request.as_of)


async def _fact(tx: Tx, row: Fact, plan: SalesPlan, at: datetime) -> pb.SalesFact:
    worth = row["base_amount"] if row["base_currency"] == plan.currency else None
    if worth is None:
        worth = await converting.converted(
            tx, row["amount"], row["currency"], plan.currency, row["fact_date"],
            known_at=at if at < tx.now else None,
        )  # fmt: skip
    return pb.SalesFact(
        id=str(row["id"]), kind=row["kind"], time=to_timestamp(row["fact_time"]), deal_id=str(row["deal_id"] or ""),
        owner_id=str(row["owner_id"] or ""), department_id=str(row["department_id"] or ""), currency=row["currency"],
        amount=currencies.shown(row["amount"], row["currency"]),
        base_amount="" if worth is None else currencies.shown(worth, plan.currency),
    )  # fmt: skip


class PlansRpcs(SalesPlans, Rates):
    """Every RPC of sales plans and currency rates."""

    service = "crm.deals.v1.PlansService"
