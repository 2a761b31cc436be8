"""How far a sales plan is reached: facts that were sold, open deals by their probability, and what no rate is known for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chassis.kit.history import MOST_AS_OF, AsOfTooLarge
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, pipeline_pb2, sales_plan_pb2
from services.deals import converting, store
from services.deals.money import currencies
from services.deals.rules import days
from services.deals.rules import sales_plans as rules
from services.deals.rules.sales_plans import Tally
from services.deals.store.sales_plans import Scope
from services.deals.store.schema import day

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline
SalesPlan = sales_plan_pb2.SalesPlan
SalesProgress = sales_plan_pb2.SalesProgress

_HUNDRED = Decimal(100)


@dataclass(slots=True)
class _Picture:
    """What is known at a moment."""

    plan: SalesPlan
    at: datetime
    past: bool
    people: dict[str, Tally] = field(default_factory=dict)
    missing: dict[tuple[str, date], Decimal] = field(default_factory=dict)

    def of(self, person: Any) -> Tally:
        return self.people.setdefault(str(person or ""), Tally())

    def lacks(self, currency: str, on: date, amount: Decimal) -> None:
        self.missing[currency, on] = self.missing.get((currency, on), Decimal(0)) + amount


def scope_of(plan: SalesPlan) -> Scope:
    """Which facts count for the plan."""
    first, last = days.span(plan)
    return Scope(
        kinds=rules.kinds(plan.measure), first=first, last=last, base=plan.currency,
        owner_id=plan.owner_id, department_id=plan.department_id, pipeline_id=plan.pipeline_id,
    )  # fmt: skip


async def progress(tx: Tx, plan: SalesPlan, at: datetime) -> SalesProgress:
    """The picture at the moment: what was sold and expected by what was recorded until then."""
    picture = _Picture(plan, at, past=at < tx.now)
    await _add_sold(tx, picture)
    await (_add_expected_then if picture.past else _add_expected)(tx, picture)
    return await _answer(tx, picture)


async def _add_sold(tx: Tx, picture: _Picture) -> None:
    plan, scope = picture.plan, scope_of(picture.plan)
    counted = plan.measure == SalesPlan.MEASURE_COUNT
    margin = plan.measure == SalesPlan.MEASURE_MARGIN
    for row in await store.plan_sums(tx, scope, known_at=picture.at):
        value = row["count"] if counted else row["amount"] - (row["cost"] if margin else 0)
        picture.of(row["owner_id"]).actual += value
    if counted:
        return
    for row in await store.plan_unconverted(tx, scope, known_at=picture.at):
        amount, on = row["amount"] - (row["cost"] if margin else 0), row["fact_date"]
        worth = await converting.converted(
            tx, amount, row["currency"], plan.currency, on,
            known_at=picture.at if picture.past else None,
        )  # fmt: skip
        if worth is None:
            picture.lacks(row["currency"], on, amount)
        else:
            picture.of(row["owner_id"]).actual += worth


async def _add_expected(tx: Tx, picture: _Picture) -> None:
    plan, (first, last) = picture.plan, days.span(picture.plan)
    rows = await store.expected(
        tx, first=first, last=last, owner_id=plan.owner_id, departments=_departments(tx, plan),
        pipeline_id=plan.pipeline_id, margin=plan.measure == SalesPlan.MEASURE_MARGIN,
    )  # fmt: skip
    pipelines = await store.pipelines.find_many(tx, list({str(row["pipeline_id"]) for row in rows}))
    likely = _probabilities(pipelines)
    today = converting.day_at(tx, tx.now)
    counted = plan.measure == SalesPlan.MEASURE_COUNT
    for row in rows:
        said = row["probability"]
        percent = likely.get(str(row["stage_id"]), 0) if said is None else said
        worth = Decimal(row["count"]) if counted else row["worth"]
        picture.of(row["owner_id"]).forecast += worth * percent / _HUNDRED
        if row["unconverted"] and not counted:
            picture.lacks(row["currency"], today, row["unconverted"])


def _departments(tx: Tx, plan: SalesPlan) -> list[str] | None:
    """The departments whose deals count; None where all do, or those of a person."""
    if plan.owner_id or not plan.department_id:
        return None
    return sorted(tx.directory.subtree(plan.department_id))


def _probabilities(pipelines: Iterable[Pipeline]) -> dict[str, int]:
    return {stage.id: stage.probability for each in pipelines for stage in each.stages}


async def _add_expected_then(tx: Tx, picture: _Picture) -> None:
    """As `_add_expected`, from the versions of deals and stages that held at the moment; at most MOST_AS_OF deals."""
    plan = picture.plan
    instant = {"instant": picture.at, "page_limit": MOST_AS_OF + 1}
    rows = await tx.fetch(store.deals.of_history.all_at, **instant)
    if len(rows) > MOST_AS_OF:
        raise AsOfTooLarge(store.deals.service, store.deals.plural)
    stages = await tx.fetch(store.pipelines.of_history.all_at, **instant)
    likely = _probabilities(Pipeline.FromString(row["doc"]) for row in stages)
    departments = _departments(tx, plan)
    for row in rows:
        deal = Deal.FromString(row["doc"])
        if not _is_expected(deal, plan, departments):
            continue
        percent = deal.probability if deal.HasField("probability") else likely.get(deal.stage_id, 0)
        if plan.measure != SalesPlan.MEASURE_COUNT and deal.amount and not deal.base_amount:
            picture.lacks(deal.currency, converting.day_at(tx, picture.at), Decimal(deal.amount))
        picture.of(deal.owner_id).forecast += _worth(deal, plan) * percent / _HUNDRED


def _is_expected(deal: Deal, plan: SalesPlan, departments: list[str] | None) -> bool:
    expected, (first, last) = day(deal, "expected_close_date"), days.span(plan)
    return (
        deal.state == Deal.STATE_OPEN
        and expected is not None
        and first <= expected <= last
        and (not plan.owner_id or deal.owner_id == plan.owner_id)
        and (not plan.pipeline_id or deal.pipeline_id == plan.pipeline_id)
        and (departments is None or deal.department_id in departments)
    )


def _worth(deal: Deal, plan: SalesPlan) -> Decimal:
    """What the deal would add to the plan."""
    if plan.measure == SalesPlan.MEASURE_COUNT:
        return Decimal(1)
    worth, net = Decimal(deal.base_amount or 0), Decimal(deal.totals.net or 0)
    if plan.measure == SalesPlan.MEASURE_MARGIN and net:
        cost = Decimal(deal.totals.cost or 0)
        return currencies.EXACT.divide(currencies.EXACT.multiply(worth, net - cost), net)
    return worth


async def _answer(tx: Tx, picture: _Picture) -> SalesProgress:
    plan = picture.plan
    actual = sum((each.actual for each in picture.people.values()), Decimal(0))
    forecast = sum((each.forecast for each in picture.people.values()), Decimal(0))
    target = Decimal(plan.target)
    made = SalesProgress(
        sales_plan=plan, actual=rules.shown(actual, plan), forecast=rules.shown(forecast, plan),
        gap=rules.shown(max(Decimal(0), target - actual), plan), percent=f"{rules.percent(actual, target):f}",
        gap_after_forecast=rules.shown(max(Decimal(0), target - actual - forecast), plan),
        as_of=to_timestamp(picture.at),
    )  # fmt: skip
    own = await _own_plans(tx, picture)
    for person in own if not plan.owner_id else ():
        picture.of(person)
    for person, tally in sorted(picture.people.items(), key=lambda each: (-each[1].actual, each[0])):  # fmt: skip
        shown = made.people.add(
            user_id=person, actual=rules.shown(tally.actual, plan), forecast=rules.shown(tally.forecast, plan)
        )  # fmt: skip
        if person in own:
            shown.plan_id, shown.target = own[person].id, own[person].target
    for (currency, on), amount in sorted(picture.missing.items()):
        made.missing_rates.add(
            currency=currency, date=days.to_date(on), amount=currencies.shown(amount, currency)
        )
    return made


async def _own_plans(tx: Tx, picture: _Picture) -> dict[str, SalesPlan]:
    """The plans of single people for the same time, measure and pipeline, of those whom the plan concerns."""
    plan, (first, last) = picture.plan, days.span(picture.plan)
    found = await store.own_plans_beside(tx, first, last, plan.measure)
    if picture.past:
        ids = [each.id for each in found]
        rows = await tx.fetch(store.sales_plans.of_history.these_at, ids=ids, instant=picture.at)
        found = [SalesPlan.FromString(row["doc"]) for row in rows]
    departments = _departments(tx, plan)
    return {
        each.owner_id: each
        for each in found
        if each.pipeline_id == plan.pipeline_id
        and (departments is None or each.department_id in departments)
        and (not plan.owner_id or each.owner_id == plan.owner_id)
    }
