"""deals' part of handovers and absences: whose deals go to whom, and what comes back.

deals           all of them go when somebody leaves: customers who bought go on being looked after; whoever won one keeps the
                credit (ending.owner_id). While somebody is away only what is open is lent, and what ended meanwhile stays
                with who ended it
made for deals  quotes, invoices, deliveries and the like are read by who reads their deal: they follow it in the same step
commissions     what somebody earned is his
taking part     the leaver no longer follows; as a participant he stays named: he did take part
others          every other record with an owner goes when somebody leaves, and stays while he is away
"""

from collections.abc import Sequence
from typing import Any

from chassis.call import Actor, Cause
from chassis.kit import bulk
from chassis.kit.handover import Held, Owner
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import store
from services.deals.following import FOLLOWING
from services.deals.store import moves
from services.deals.store.deals import readers

Deal = deal_pb2.Deal

_STAYING = {"commission", "sales_plan"}
"""Records about what somebody did himself."""
_NO_ID = "00000000-0000-0000-0000-000000000000"


def _held() -> list[Held]:
    deals = Held(
        resource=store.deals,
        unfinished=moves.OPEN_DEALS,
        finished=lambda deal: deal.state != Deal.STATE_OPEN,
        settle=_owner_changed,
    )
    views = Held(resource=store.saved_views, condition=moves.SHARED_VIEWS, lent=False)
    named = {deals.object, views.object, *_STAYING}
    others = [
        Held(resource=each, condition=_of_no_deal(each), lent=False)
        for each in _owned()
        if each.object not in named
    ]
    followed = Held(
        resource=store.deals, field="follower_ids", condition=moves.FOLLOWED_DEALS, lent=False
    )
    return [deals, *others, views, followed]


def _owner_changed(deal: Deal, before: str, after: str) -> None:
    """The owner is no follower of his own deal."""
    if after in deal.follower_ids:
        deal.follower_ids.remove(after)


def _owned() -> list[Resource[Any]]:
    """Every resource whose records have an owner."""
    return [one for one in moves.resources() if "owner_id" in one.extra]


def _of_no_deal(resource: Resource[Any]) -> Any:
    """What was made for a deal goes with it; None for a resource that knows no deals."""
    return resource.view.c.deal_id.is_(None) if "deal_id" in resource.extra else None


async def follow(tx: Tx, object: str, records: Sequence[Any], actor: Actor, cause: Cause) -> None:
    """What was made for these deals is theirs who have the deals now."""
    if object != store.deals.object:
        return
    deals = {deal.id: deal for deal in records}
    for resource in FOLLOWING:
        rows = await moves.of_deals(tx, resource, list(deals), _NO_ID)
        while rows:
            writes = []
            for row in rows:
                record = resource.message.FromString(row["doc"])
                deal = deals[record.deal_id]
                record.owner_id, record.department_id = deal.owner_id, deal.department_id
                record.follower_ids[:] = readers(deal)
                writes.append(bulk.Write(record, row["doc"]))
            await bulk.write(tx, resource, writes, actor=actor, cause=cause)
            rows = await moves.of_deals(tx, resource, list(deals), str(rows[-1]["id"]))


parts = Owner(store.metadata, _held(), after=follow)
"""deals' consumer and operations of handovers."""
