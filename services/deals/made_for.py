"""Whose the records are that are made for deals: found with the deal, and read by who reads it."""

from typing import Any

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import errors, people, store
from services.deals.store.deals import readers

Deal = deal_pb2.Deal


async def deal_of(tx: Tx, deal_id: str) -> Deal:
    """The deal; ReferenceUnknown unless it is there for the caller."""
    deal = await store.deals.find(tx, deal_id)
    if deal is None or not tx.rights.reaches("deal", "read", *store.deals.scope_of_message(deal)):
        raise errors.ReferenceUnknown([("deal_id", f"deal {deal_id}")])
    return deal


def belong(tx: Tx, record: Any, deal: Deal | None) -> None:
    """Gives the record the deal's owner, department and readers; without a deal it is its maker's."""
    del record.follower_ids[:]
    if deal is None:
        record.owner_id = people.user_of(tx.actor)
        record.department_id = people.home_of(tx, record.owner_id)
        return
    record.owner_id, record.department_id = deal.owner_id, deal.department_id
    record.follower_ids.extend(readers(deal))
