"""Commission plans and the ledger of what people earned."""

from datetime import date

from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import commission_pb2 as pb
from crm.deals.v1 import commission_plan_pb2
from services.deals import earning, errors, store
from services.deals.money import currencies
from services.deals.rpc.explain import Explain
from services.deals.rules import commission_plans as rules
from services.deals.rules import days

CommissionPlan = commission_plan_pb2.CommissionPlan


async def check_plan(tx: Tx, new: CommissionPlan, old: CommissionPlan | None) -> None:
    """Keeps that terms do not contradict each other; a change for the past adjusts what was earned."""
    rules.normalise(new, tx.new_id)
    rules.check(new)
    await _refer(tx, new, old)
    await _adjust(tx, new, old)


async def forget_plan(tx: Tx, plan: CommissionPlan) -> None:
    await _adjust(tx, None, plan)


async def bring_plan_back(tx: Tx, plan: CommissionPlan) -> None:
    await _adjust(tx, plan, None)


async def _adjust(tx: Tx, new: CommissionPlan | None, old: CommissionPlan | None) -> None:
    if touched := rules.touched(new, old):
        await earning.adjust_between(tx, *touched)


async def _refer(tx: Tx, new: CommissionPlan, old: CommissionPlan | None) -> None:
    """ReferenceUnknown for people, departments, roles and families that a change adds and that do not exist."""
    missing = []
    for field, find in (
        ("user_ids", tx.directory.user), ("department_ids", tx.directory.department), ("role_ids", tx.directory.role),
    ):  # fmt: skip
        known = set(getattr(old, field)) if old is not None else set()
        noun = field.removesuffix("_ids")
        missing += [(field, f"{noun} {id}") for id in getattr(new, field) if id not in known and find(id) is None]  # fmt: skip
    before = _families(old) if old is not None else set()
    wanted = sorted(_families(new) - before)
    found = {each.id for each in await store.product_families.find_many(tx, wanted)}
    missing += [("terms.family_rates.family_id", f"product family {id}") for id in wanted if id not in found]  # fmt: skip
    if missing:
        raise errors.ReferenceUnknown(missing)


def _families(plan: CommissionPlan) -> set[str]:
    return {rate.family_id for terms in plan.terms for rate in terms.family_rates}


class CommissionPlans(
    standard(store.commission_plans, on_save=check_plan, on_delete=forget_plan, on_undelete=bring_plan_back), Servicer  # type: ignore[misc]
):  # fmt: skip
    """`/v1/commissionPlans`."""


class Commissions(standard(store.commissions), Servicer):  # type: ignore[misc]
    """`/v1/commissions`."""

    @reads
    async def SumCommissions(
        self, request: pb.SumCommissionsRequest, tx: Tx
    ) -> pb.SumCommissionsResponse:
        first, last = _days(request)
        showing.refuse_unreadable(tx, store.commissions, ["amount", "owner_id", "currency"])
        owners = tx.rights.owners("commission", "read")
        if request.owner_id:
            owners = frozenset({request.owner_id}) & (owners if owners is not None else {request.owner_id})  # fmt: skip
        answer = pb.SumCommissionsResponse()
        for row in await store.sum_commissions(tx, first, last, owners):
            answer.sums.add(
                owner_id=str(row["owner_id"]), currency=row["currency"], entries=row["entries"],
                amount=currencies.shown(row["amount"], row["currency"]),
            )  # fmt: skip
        return answer


def _days(request: pb.SumCommissionsRequest) -> tuple[date, date]:
    if wrong := days.wrong_span(request):
        raise errors.ValuesInvalid(wrong)
    return days.span(request)


class CommissionsRpcs(CommissionPlans, Commissions, Explain):
    """Every RPC of commissions, and the explanation of amounts."""

    service = "crm.deals.v1.CommissionsService"
