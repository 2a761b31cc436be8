"""Commission plans: what one must be, which one applies to a sale, and which days a change touches. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import commission_plan_pb2
from services.deals import errors
from services.deals.money import limits
from services.deals.rules import days

CommissionPlan = commission_plan_pb2.CommissionPlan
CommissionTerms = commission_plan_pb2.CommissionTerms

_EVERYBODY = 10_000
_MOST_PERCENT_OF_PLAN = 10_000


def normalise(plan: CommissionPlan, new_id: Callable[[], str]) -> None:
    """One spelling of names; all terms have an id, each person, department and role stands once."""
    plan.name = " ".join(plan.name.split())
    for terms in plan.terms:
        terms.id = terms.id or new_id()
        for share in terms.shares:
            share.role = " ".join(share.role.split())
    for ids in (plan.user_ids, plan.department_ids, plan.role_ids):
        once = list(dict.fromkeys(ids))
        del ids[:]
        ids.extend(once)


def check(plan: CommissionPlan) -> None:
    """Refuses values that contradict each other, and terms of which two would apply at once."""
    wrong = [] if plan.name else [Violation("name", "must say something besides blanks")]
    wrong += _repeated("terms.id", (terms.id for terms in plan.terms))
    for at, terms in enumerate(plan.terms):
        wrong += _wrong_terms(f"terms[{at}]", terms)
    if not wrong:
        wrong = _overlapping(plan.terms)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _wrong_terms(path: str, terms: CommissionTerms) -> list[Violation]:
    wrong = days.wrong_span(terms, f"{path}.")
    wrong += limits.percentage(f"{path}.percent", terms.percent)
    for at, rate in enumerate(terms.family_rates):
        wrong += limits.percentage(f"{path}.family_rates[{at}].percent", rate.percent)
    for at, tier in enumerate(terms.tiers):
        name = f"{path}.tiers[{at}]"
        wrong += limits.percentage(f"{name}.above_percent", tier.above_percent, most=_MOST_PERCENT_OF_PLAN)  # fmt: skip
        wrong += limits.percentage(f"{name}.percent", tier.percent)
    for at, share in enumerate(terms.shares):
        name = f"{path}.shares[{at}].weight"
        wrong += limits.number(name, share.weight) or (
            [] if Decimal(share.weight) else [Violation(name, "must be more than 0; leave the part out")]
        )  # fmt: skip
    wrong += _repeated(f"{path}.family_rates.family_id", (r.family_id for r in terms.family_rates))
    wrong += _repeated(f"{path}.shares.role", (s.role.casefold() for s in terms.shares))
    return wrong


def _repeated(path: str, values: Iterable[str]) -> list[Violation]:
    return [
        Violation(path, f"{value or 'the owner'} stands {count} times; each once")
        for value, count in Counter(values).items()
        if count > 1
    ]


def _overlapping(all_terms: Sequence[CommissionTerms]) -> list[Violation]:
    found = []
    for at, terms in enumerate(all_terms):
        first, last = days.span(terms)
        for earlier, other in enumerate(all_terms[:at]):
            begin, end = days.span(other)
            if terms.earned_on == other.earned_on and first <= end and begin <= last:
                field = f"terms[{at}].from_date"
                found.append(Violation(field, f"{days.shown(first, last)} overlaps terms[{earlier}], {days.shown(begin, end)}; end those the day before"))  # fmt: skip
    return found


def applying(
    plans: Sequence[CommissionPlan],
    on: date,
    earned_on: "CommissionTerms.EarnedOn",
    *,
    owner_id: str,
    department_ids: Sequence[str],
    role_ids: Sequence[str],
) -> tuple[CommissionPlan, CommissionTerms] | None:
    """The nearest plan that has terms for that day, and these; the oldest of several that are equally near."""
    ranked = []
    for at, plan in enumerate(plans):
        rank = _nearness(plan, owner_id, department_ids, role_ids)
        terms = _terms_on(plan, on, earned_on)
        if rank is not None and terms is not None:
            ranked.append((rank, at, plan, terms))
    if not ranked:
        return None
    _, _, plan, terms = min(ranked, key=lambda each: each[:2])
    return plan, terms


def _nearness(plan: CommissionPlan, owner_id: str, department_ids: Sequence[str], role_ids: Sequence[str]) -> int | None:  # fmt: skip
    """The smaller the nearer: the person, his department and those above it, his roles, everybody; None if it is not for him."""
    if owner_id in plan.user_ids:
        return 0
    near = [at for at, id in enumerate(department_ids, 1) if id in plan.department_ids]
    if near:
        return near[0]
    if set(role_ids) & set(plan.role_ids):
        return _EVERYBODY - 1
    return None if plan.user_ids or plan.department_ids or plan.role_ids else _EVERYBODY


def _terms_on(plan: CommissionPlan, on: date, earned_on: "CommissionTerms.EarnedOn") -> CommissionTerms | None:  # fmt: skip
    for terms in plan.terms:
        first, last = days.span(terms)
        if terms.earned_on == earned_on and first <= on <= last:
            return terms
    return None


def touched(new: CommissionPlan | None, old: CommissionPlan | None) -> tuple[date, date] | None:
    """The first and last day on which sales may earn something else after the change; None if none does."""
    all_new, all_old = _known(new), _known(old)
    same = new is not None and old is not None and _whom(new) == _whom(old)
    changed = [
        terms
        for terms in (*all_new.values(), *all_old.values())
        if not same or all_new.get(terms.id) != all_old.get(terms.id)
    ]
    if not changed:
        return None
    spans = [days.span(terms) for terms in changed]
    return min(first for first, _ in spans), max(last for _, last in spans)


def _known(plan: CommissionPlan | None) -> dict[str, CommissionTerms]:
    return {terms.id: terms for terms in plan.terms} if plan is not None else {}


def _whom(plan: CommissionPlan) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(ids) for ids in (plan.user_ids, plan.department_ids, plan.role_ids))
