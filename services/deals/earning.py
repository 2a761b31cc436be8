"""Who earns what by a sales fact: entries are added to the ledger, so that they sum to what the plans say."""

from datetime import date, timedelta
from decimal import Decimal

from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import commission_events_pb2 as events
from crm.deals.v1 import commission_pb2, sales_plan_pb2
from services.deals import converting, store
from services.deals.money import currencies
from services.deals.money.steps import Figure, Steps
from services.deals.rules import commission_plans as plan_rules
from services.deals.rules import commissions as rules
from services.deals.rules import days, sales_plans
from services.deals.store import sales_facts as facts
from services.deals.store.deals import NEVER
from services.deals.store.sales_plans import Scope

Commission = commission_pb2.Commission
SaleBasis = commission_pb2.SaleBasis
SalesPlan = sales_plan_pb2.SalesPlan
CommissionTerms = plan_rules.CommissionTerms
CommissionPlan = plan_rules.CommissionPlan

ADJUST = "commissions-adjust"
_SETTLES = timedelta(seconds=2)
"""Sales whose transactions still went by the plan of before are there by then."""

_NO_PLAN = "the seller has no sales plan of his own for that day, so nothing is above it"
_NO_RATE = "no rate of the day is known, so nothing is counted above the sales plan"


async def earn(tx: Tx, fact: facts.Fact) -> None:
    """Adds what people earn by a new fact. The caller holds the lock of its owner."""
    await _settle(tx, fact, await store.all_commission_plans(tx), fresh=True)


async def adjust(tx: Tx, fact: facts.Fact, plans: list[CommissionPlan]) -> None:
    """Adds what is lacking after plans, targets or rates were changed; nothing if nothing is."""
    await _settle(tx, fact, plans, fresh=False)


async def adjust_between(tx: Tx, first: date, last: date) -> None:
    """Reckons the commissions of sales of these days again, shortly; days to come have none."""
    if first <= converting.day_at(tx, tx.now):
        payload = {"first": first.isoformat(), "last": last.isoformat(), "after": 0}
        await tx.set_timer(ADJUST, tx.new_id(), tx.now + _SETTLES, payload)


async def _settle(tx: Tx, fact: facts.Fact, plans: list[CommissionPlan], *, fresh: bool) -> None:
    if not fact["counts"]:
        return
    basis = SaleBasis.FromString(fact["doc"])
    found = await _plan_of(tx, fact, basis, plans)
    already = {} if fresh else await store.earned_by_fact(tx, str(fact["id"]))
    if found is None and not already:
        return
    made = rules.Reckoned(Decimal(0))
    notes: list[str] = []
    if found is not None:
        progress, notes = await _progress(tx, fact, *found)
        made = rules.reckon(_sale(fact, basis), *found, progress)
    amounts = {person: figure.value for person, figure in made.people.items()}
    for person, amount in rules.differences(amounts, already).items():
        figure = made.people.get(person, Figure("nothing", Decimal(0)))
        entry = _entry(
            tx, fact, basis, person, amount, notes, adjusts=person in already or not fresh
        )
        if found is not None:
            plan, terms = found
            entry.plan_id, entry.terms_id, entry.plan_version = plan.id, terms.id, int(plan.etag)
        entry.basis_amount = currencies.shown(made.basis, entry.currency)
        _explain(entry, made, figure, already.get(person, Decimal(0)))
        store.commissions.save(tx, entry)
        earned = entry.kind == Commission.KIND_EARNED
        tx.emit((events.CommissionEarned if earned else events.CommissionAdjusted)(commission=entry))  # fmt: skip


async def _plan_of(tx: Tx, fact: facts.Fact, basis: SaleBasis, plans: list[CommissionPlan]) -> tuple[CommissionPlan, CommissionTerms] | None:  # fmt: skip
    """The plan and terms of the fact; what takes a fact back goes by those of that fact."""
    first = fact
    while first["reverses_id"]:
        [first] = await facts.these(tx, [str(first["reverses_id"])])
    paid = fact["kind"] in (facts.RECEIVED, facts.REFUNDED)
    return plan_rules.applying(
        plans, first["fact_date"],
        CommissionTerms.EARNED_ON_PAYMENT if paid else CommissionTerms.EARNED_ON_WINNING,
        owner_id=str(fact["owner_id"] or ""), role_ids=basis.role_ids,
        department_ids=[str(id) for id in fact["department_ids"]],
    )  # fmt: skip


def _sale(fact: facts.Fact, basis: SaleBasis) -> rules.Sale:
    paid = fact["kind"] in (facts.RECEIVED, facts.REFUNDED)
    return rules.Sale(
        owner_id=str(fact["owner_id"] or ""), currency=fact["currency"], basis=basis,
        payment=fact["amount"] if paid else None, taken_back=fact["kind"] == facts.REOPENED or fact["amount"] < 0,
    )  # fmt: skip


async def _progress(tx: Tx, fact: facts.Fact, plan: CommissionPlan, terms: CommissionTerms) -> tuple[rules.PlanProgress | None, list[str]]:  # fmt: skip
    """How far the seller's sales plan was reached before the fact, and what is to be said about it."""
    if not terms.tiers or not fact["owner_id"]:
        return None, []
    target = await _target_of(tx, fact, _measure(terms))
    if target is None:
        return None, [_NO_PLAN]
    value = await _value(tx, fact, target)
    if value is None:
        return None, [_NO_RATE]
    before = await reached(tx, target, str(fact["owner_id"]), before=fact["seq"])
    return rules.PlanProgress(
        plan_id=target.id, version=int(target.etag), currency=target.currency,
        target=Decimal(target.target), before=before, value=value,
    ), []  # fmt: skip


def _measure(terms: CommissionTerms) -> int:
    """The measure of the sales plan that tiers look at."""
    if terms.earned_on == CommissionTerms.EARNED_ON_PAYMENT:
        return SalesPlan.MEASURE_RECEIVED
    margin = terms.basis == CommissionTerms.BASIS_MARGIN
    return SalesPlan.MEASURE_MARGIN if margin else SalesPlan.MEASURE_WON_VALUE


async def _target_of(tx: Tx, fact: facts.Fact, measure: int) -> SalesPlan | None:
    """The seller's own sales plan for the fact's day: that of its pipeline before that of all, the shortest first."""
    for plan in await store.plans_on(tx, str(fact["owner_id"]), fact["fact_date"]):
        pipeline = plan.pipeline_id
        if plan.measure == measure and (not pipeline or pipeline == str(fact["pipeline_id"])):
            return plan
    return None


async def _value(tx: Tx, fact: facts.Fact, plan: SalesPlan) -> Decimal | None:
    """What the fact adds to the plan, in its currency; None where no rate is known."""
    amount = fact["amount"]
    if plan.measure == SalesPlan.MEASURE_MARGIN:
        amount -= fact["cost"]
    if fact["base_amount"] is not None and fact["base_currency"] == plan.currency:
        cost = fact["base_cost"] if plan.measure == SalesPlan.MEASURE_MARGIN else Decimal(0)
        return Decimal(fact["base_amount"] - cost)
    return await converting.converted(tx, amount, fact["currency"], plan.currency, fact["fact_date"])  # fmt: skip


async def reached(tx: Tx, plan: SalesPlan, owner_id: str, *, before: int) -> Decimal:
    """What the person had sold in the plan's time before the fact with this number; what has no rate is left out.

    The number says what came before, not the clock: whoever waited for the seller's lock may have begun earlier.
    """
    first, last = days.span(plan)
    scope = Scope(
        kinds=sales_plans.kinds(plan.measure), first=first, last=last, base=plan.currency,
        owner_id=owner_id, pipeline_id=plan.pipeline_id,
    )  # fmt: skip
    margin = plan.measure == SalesPlan.MEASURE_MARGIN
    total = Decimal(0)
    for row in await store.plan_sums(tx, scope, known_at=NEVER, before=before):
        total += row["amount"] - (row["cost"] if margin else 0)
    for row in await store.plan_unconverted(tx, scope, known_at=NEVER, before=before):
        amount = row["amount"] - (row["cost"] if margin else 0)
        worth = await converting.converted(tx, amount, row["currency"], plan.currency, row["fact_date"])  # fmt: skip
        total += worth or Decimal(0)
    return total


def _entry(tx: Tx, fact: facts.Fact, basis: SaleBasis, person: str, amount: Decimal, notes: list[str], *, adjusts: bool) -> Commission:  # fmt: skip
    below = fact["kind"] == facts.REOPENED or fact["amount"] < 0
    kind = Commission.KIND_TAKEN_BACK if below else Commission.KIND_EARNED
    on: date = fact["fact_date"]
    return Commission(
        id=tx.new_id(), kind=Commission.KIND_ADJUSTED if adjusts else kind, owner_id=person,
        department_id=_department_of(fact, basis, person), deal_id=str(fact["deal_id"]), fact_id=str(fact["id"]),
        fact_time=to_timestamp(fact["fact_time"]), fact_date=days.to_date(on), currency=fact["currency"],
        amount=currencies.shown(amount, fact["currency"]), notes=notes,
    )  # fmt: skip


def _department_of(fact: facts.Fact, basis: SaleBasis, person: str) -> str:
    """Where the person was when the sale was made."""
    if person == str(fact["owner_id"] or ""):
        return str(fact["department_id"] or "")
    return next((each.department_id for each in basis.participants if each.user_id == person), "")


def _explain(entry: Commission, made: rules.Reckoned, figure: Figure, already: Decimal) -> None:
    """Ends the steps with the entry's own amount: what is earned, less what earlier entries say."""
    trail = made.trail
    kept = len(trail.steps)
    steps = Steps(entry.currency, trail.by("ledger", entry.currency))
    if already:
        steps.minus("amount", figure, Figure("already", already))
    else:
        steps.total("amount", [figure])
    entry.steps.extend(trail.steps)
    del trail.steps[kept:]
