"""What is made for a deal is read by who reads the deal: its owner, department and readers go along."""

from collections.abc import Sequence
from typing import Any

from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import store
from services.deals.store.deals import readers

Deal = deal_pb2.Deal

FOLLOWING: tuple[Resource[Any], ...] = (
    store.invoices,
    store.quotes,
    store.payments,
    store.contracts,
    store.deliveries,
)
"""Records with deal_id, owner_id, department_id and follower_ids of their deal."""


def is_moved(new: Deal, old: Deal | None) -> bool:
    """Whether somebody else may read the deal than before."""
    return old is not None and _whose(new) != _whose(old)


async def follow_owner(tx: Tx, deal: Deal) -> None:
    """Gives everything that is made for the deal the deal's owner, department and readers."""
    await follow_owners(tx, [deal])


async def follow_owners(tx: Tx, deals: Sequence[Deal]) -> None:
    """As `follow_owner` for many deals, in one statement."""
    changing = {(save.resource.name, save.message.id): save.message for save in tx.recorded.saves}
    whose = {deal.id: _whose(deal) for deal in deals}
    for resource, deal_id, found in await store.made_for(tx, FOLLOWING, list(whose)):
        record = changing.get((resource.name, found.id), found)
        record.owner_id, record.department_id, followers = whose[deal_id]
        del record.follower_ids[:]
        record.follower_ids.extend(followers)
        resource.save(tx, record)


def _whose(deal: Deal) -> tuple[str, str, list[str]]:
    return deal.owner_id, deal.department_id, readers(deal)
