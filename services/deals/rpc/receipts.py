"""What is expected to come in."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.tx import Tx
from crm.deals.v1 import invoice_verbs_pb2 as verbs
from services.deals import invoices, store
from services.deals.rules import receipts as rules
from services.deals.store.invoices import NO_DAY


class PlannedReceipts(Servicer):
    """`/v1/invoices:plannedReceipts`."""

    @reads
    async def GetPlannedReceipts(
        self, request: verbs.GetPlannedReceiptsRequest, tx: Tx
    ) -> verbs.PlannedReceipts:
        of = store.whose(request.owner_id, request.department_id)
        showing.refuse_unreadable(tx, store.invoices, ("currency", "instalments"))
        found = [_expected(row) for row in await store.open_instalments(tx, of)]
        if tx.rights.may("deal", "read"):
            showing.refuse_unreadable(tx, store.deals, ("amount", "currency"))
            found += await _deals(tx, of)
        weeks = request.weeks or rules.WEEKS
        return rules.plan(found, today=invoices.today(tx), weeks=weeks)


async def _deals(tx: Tx, of: str) -> list[rules.Expected]:
    """What open deals are worth, each as likely as somebody said of it, else as its stage."""
    likely = {
        stage.id: Decimal(stage.probability)
        for pipeline in await store.living_pipelines(tx)
        for stage in pipeline.stages
    }
    found = []
    for row in await store.open_deals(tx, of):
        known = row["probability"]
        of_stage = likely.get(str(row["stage_id"]), Decimal(0))
        found.append(_expected(row, Decimal(known) if known is not None else of_stage))
    return found


def _expected(row: Mapping[str, Any], probability: Decimal | None = None) -> rules.Expected:
    day = row["day"]
    return rules.Expected(
        row["currency"],
        date.max if day == NO_DAY else day,
        row["amount"],
        row["count"],
        probability,
    )
