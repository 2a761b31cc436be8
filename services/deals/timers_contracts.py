"""Contracts by the company's clock: each comes up for renewal in the morning of its day, and is over at the midnight after its last."""

from typing import Any

from chassis.handlers import timer
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import contract_events_pb2 as events
from crm.deals.v1 import contract_pb2
from services.deals import contracts, people, store
from services.deals.rules import contracts as rules

Contract = contract_pb2.Contract


@timer(contracts.TURN)
async def turn(payload: dict[str, Any], tx: Tx) -> None:
    """Tells once that it comes up; when its last day is over it goes on by itself or ends, as was agreed."""
    contract = await store.contracts.find(tx, payload["contract_id"])
    if contract is None:
        return
    plan = rules.plan(contract, people.zone_of(tx))  # of now: the company may have moved
    over = plan.over is not None and plan.over <= tx.now
    if plan.due is not None and (over or plan.due <= tx.now):
        contract.due_time.CopyFrom(to_timestamp(tx.now))
        store.contracts.save(tx, contract)
        tx.emit(events.RenewalDue(contract=contract))
    if over and contract.auto_renewal:
        await contracts.renew(tx, contract)
    elif over:
        await contracts.end(tx, contract, rules.last_day(contract), "")
    else:
        await contracts.follow(tx, contract)
