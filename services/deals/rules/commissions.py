"""What is earned by one sale: a percentage by families, more above the sales plan, split between people (S38). Pure.

A payment earns the difference between what all payments until then earn and what those before it earned, so that the parts
sum to the whole to the last unit; the part above a sales plan is found the same way, so that taking back undoes it exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from crm.deals.v1 import commission_pb2, commission_plan_pb2
from services.deals.money.steps import Figure, Steps
from services.deals.rules.explaining import Trail, amount

SaleBasis = commission_pb2.SaleBasis
FamilyBasis = commission_pb2.FamilyBasis
CommissionPlan = commission_plan_pb2.CommissionPlan
CommissionTerms = commission_plan_pb2.CommissionTerms

_ZERO = Figure("zero", Decimal(0))
_RULE = "commission_terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A sales fact, as commissions look at it."""

    owner_id: str
    currency: str
    basis: SaleBasis
    payment: Decimal | None = None
    """What was paid, less than 0 if it was paid back; None for winning."""
    taken_back: bool = False
    """True if a win is taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProgress:
    """How far the seller's own sales plan was reached when the sale came."""

    plan_id: str
    version: int
    currency: str
    target: Decimal
    before: Decimal
    value: Decimal
    """What the sale adds to it; less than 0 if it takes away."""


@dataclass(slots=True)
class Reckoned:
    """What each person earns by the sale, and how that came about."""

    basis: Decimal
    people: dict[str, Figure] = field(default_factory=dict)
    trail: Trail = field(default_factory=Trail)


def reckon(sale: Sale, plan: CommissionPlan, terms: CommissionTerms, progress: PlanProgress | None) -> Reckoned:  # fmt: skip
    """What people earn by the sale under these terms."""
    made = Reckoned(Decimal(0))
    version = int(plan.etag or 0)
    steps = Steps(sale.currency, made.trail.by(_RULE, sale.currency, id=plan.id, version=version))
    paid = _paid(steps, sale)
    bases, earned = [], []
    for at, part in enumerate(_parts(sale.basis)):
        name = f"parts[{at}]"
        basis = _basis(steps, name, sale, _whole(steps, name, part, terms), paid)
        rate = Figure(f"{name}.percent", _rate(terms, part.family_id))
        bases.append(basis)
        earned.append(steps.percent(f"{name}.earned", basis, rate))
    basis = steps.total("basis", bases)
    if progress is not None and progress.value:
        earned += _above_plan(steps, made.trail, terms, basis, progress)
    made.basis = basis.value
    made.people = _shared(steps, sale, terms, steps.total("commission", earned))
    return made


def _parts(basis: SaleBasis) -> Sequence[FamilyBasis]:
    """By families; one part for a deal without lines."""
    return list(basis.families) or [FamilyBasis(net=basis.net, gross=basis.gross, cost=basis.cost)]


def _whole(steps: Steps, name: str, part: FamilyBasis, terms: CommissionTerms) -> Figure:
    """Of what the percentage is taken, for the whole deal; a loss counts as nothing."""
    if terms.basis == CommissionTerms.BASIS_GROSS:
        return amount(f"{name}.gross", part.gross)
    net = amount(f"{name}.net", part.net)
    if terms.basis == CommissionTerms.BASIS_NET:
        return net
    return steps.above(f"{name}.margin", net, amount(f"{name}.cost", part.cost))


def _paid(steps: Steps, sale: Sale) -> tuple[Figure, Figure, Figure] | None:
    """Before and after the payment, as far as it pays the deal; and what the deal comes to. None for winning."""
    if sale.payment is None:
        return None
    gross, given = amount("gross", sale.basis.gross), amount("paid_before", sale.basis.paid_before)
    payment = Figure("payment", sale.payment)
    after = steps.total("paid_after", [given, payment])
    return (
        steps.above("credited_before", steps.least("within_before", given, gross), _ZERO),
        steps.above("credited_after", steps.least("within_after", after, gross), _ZERO),
        gross,
    )


def _basis(steps: Steps, name: str, sale: Sale, whole: Figure, paid: tuple[Figure, Figure, Figure] | None) -> Figure:  # fmt: skip
    """The part of the whole that this sale brings."""
    if paid is None:
        return steps.minus(f"{name}.taken_back", _ZERO, whole) if sale.taken_back else whole
    before, after, gross = paid
    if not gross.value:  # nothing to pay: no payment earns anything
        return _ZERO
    until = steps.ratio(f"{name}.until_now", whole, after, gross)
    return steps.minus(f"{name}.basis", until, steps.ratio(f"{name}.until_then", whole, before, gross))  # fmt: skip


def _rate(terms: CommissionTerms, family_id: str) -> Decimal:
    own = {each.family_id: each.percent for each in terms.family_rates}
    return Decimal(own.get(family_id, terms.percent) if family_id else terms.percent)


def _above_plan(steps: Steps, trail: Trail, terms: CommissionTerms, basis: Figure, progress: PlanProgress) -> list[Figure]:  # fmt: skip
    """What each tier adds: its percentage of that part of the sale which lies above the tier's limit."""
    if not terms.tiers:
        return []
    currency = progress.currency
    trace = trail.by("sales_plan", currency, id=progress.plan_id, version=progress.version)
    plan = Steps(currency, trace)
    target, before = Figure("plan.target", progress.target), Figure("plan.before", progress.before)
    value = Figure("plan.value", progress.value)
    after = plan.total("plan.after", [before, value])
    found = []
    for at, tier in enumerate(terms.tiers):
        name = f"tiers[{at}]"
        limit = plan.percent(f"{name}.limit", target, amount(f"{name}.above_percent", tier.above_percent))  # fmt: skip
        until = plan.above(f"{name}.until_now", after, limit)
        over = plan.minus(f"{name}.over", until, plan.above(f"{name}.until_then", before, limit))
        part = steps.ratio(f"{name}.basis", basis, over, value)
        found.append(steps.percent(f"{name}.earned", part, amount(f"{name}.percent", tier.percent)))
    return found


def _shared(steps: Steps, sale: Sale, terms: CommissionTerms, whole: Figure) -> dict[str, Figure]:
    """Each person's part; they sum to the whole. A part that nobody of the deal has goes to the others."""
    present = []
    for at, share in enumerate(terms.shares):
        if people := _people(sale, share.role):
            present.append((people, amount(f"shares[{at}].weight", share.weight)))
    if not present:
        present = [([sale.owner_id], Figure("shares[0].weight", Decimal(1)))] if sale.owner_id else []  # fmt: skip
    names = [f"shares[{at}].amount" for at in range(len(present))]
    parts = steps.split(names, whole, [weight for _, weight in present])
    by_person: dict[str, list[Figure]] = {}
    for (people, _), part in zip(present, parts, strict=True):
        alike = [Figure(f"{part.name}.weight", Decimal(1)) for _ in people]
        names = [f"{part.name}[{at}]" for at in range(len(people))]
        each = steps.split(names, part, alike) if len(people) > 1 else [part]
        for person, his in zip(people, each, strict=True):
            by_person.setdefault(person, []).append(his)
    return {
        person: steps.total(f"people[{at}].amount", parts)
        for at, (person, parts) in enumerate(by_person.items())
    }


def _people(sale: Sale, role: str) -> list[str]:
    """Who takes part as that; the owner where no role is said."""
    if not role:
        return [sale.owner_id] if sale.owner_id else []
    wanted = role.casefold()
    found = (each.user_id for each in sale.basis.participants if each.role.casefold() == wanted)
    return list(dict.fromkeys(found))


def differences(fresh: Mapping[str, Decimal], already: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What is to be added for each person so that his entries sum to what he earns; nobody whose entries do already."""
    people = dict.fromkeys((*fresh, *already))
    lacking = {p: fresh.get(p, Decimal(0)) - already.get(p, Decimal(0)) for p in people}
    return {person: amount for person, amount in lacking.items() if amount}
