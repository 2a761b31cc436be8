"""Contracts: what each creation and change passes, and how one goes on or ends, whoever says so."""

from datetime import date

from chassis.errors import Violation
from chassis.tx import Tx
from crm.deals.v1 import contract_events_pb2 as events
from crm.deals.v1 import contract_pb2
from services.deals import (
    errors,
    following_parties,
    made_for,
    people,
    store,
)
from services.deals.rules import contracts as rules

Contract = contract_pb2.Contract

TURN = "contract-turn"
"""The kind of timer; the key is the contract, and it rings at whatever comes first of what rules.plan names."""


async def check(tx: Tx, new: Contract, old: Contract | None) -> None:
    """Completes and checks a contract before its save."""
    new.id = new.id or tx.new_id()
    await following_parties.parties.resolve(tx, new, old)
    if old is None:
        await _begin(tx, new)
    else:
        rules.keep(new, old)
    _require_party(new)
    if old is None or new.state == Contract.STATE_ACTIVE:
        rules.check(new, old, people.today_of(tx))
        rules.settle(new, old)
    await follow(tx, new)


async def renew(tx: Tx, contract: Contract, *, end: date | None = None, value: str = "", deal_id: str = "") -> Contract:  # fmt: skip
    """The contract that goes on where this one stops; both saves are recorded, and ContractRenewed tells of it."""
    made = rules.following(contract, end, value)
    made.id = tx.new_id()
    if deal_id and deal_id != made.deal_id:
        made.deal_id = deal_id
        made_for.belong(tx, made, await made_for.deal_of(tx, deal_id))
    rules.begin(made, by=people.user_of(tx.actor))
    if tx.actor.kind != "system":  # what goes on by itself goes on as it was agreed, however late
        rules.check(made, None, people.today_of(tx))
    rules.settle(made, None)
    rules.renew(contract, made.id, at=tx.now, by=made.creator_id)
    store.contracts.save(tx, contract)
    store.contracts.save(tx, made)
    tx.emit(
        events.ContractRenewed(contract=contract, next_id=made.id, next_value=made.value),
    )
    tx.emit(events.ContractCreated(contract=made))
    await follow(tx, contract)
    await follow(tx, made)
    return made


async def end(tx: Tx, contract: Contract, last: date, reason: str) -> None:
    """None goes on where it stops; the save is recorded, and ContractEnded tells of it."""
    rules.end(contract, last, reason, at=tx.now, by=people.user_of(tx.actor))
    rules.settle(contract, contract)
    store.contracts.save(tx, contract)
    tx.emit(events.ContractEnded(contract=contract))
    await follow(tx, contract)


async def _begin(tx: Tx, contract: Contract) -> None:
    """A new contract is its deal's, with its customer and currency unless it says otherwise."""
    deal = await made_for.deal_of(tx, contract.deal_id) if contract.deal_id else None
    if deal is not None and not contract.contact_id and not contract.company_id:
        contract.contact_id, contract.company_id = deal.contact_id, deal.company_id
    if not contract.currency:
        contract.currency = deal.currency if deal is not None else people.currency_of(tx)
    made_for.belong(tx, contract, deal)
    rules.begin(contract, by=people.user_of(tx.actor))


def _require_party(contract: Contract) -> None:
    if not (contract.deal_id or contract.contact_id or contract.company_id):
        told = "is missing; name the deal, the contact or the company with which it is made"
        raise errors.ValuesInvalid([Violation("company_id", told)])


async def follow(tx: Tx, contract: Contract) -> None:
    """Sets the contract's timer to what comes next, or removes it; called whenever its days or its state have changed."""
    plan = rules.plan(contract, people.zone_of(tx))
    moments = [moment for moment in (plan.due, plan.over) if moment is not None]
    if moments:
        await tx.set_timer(TURN, contract.id, min(moments), {"contract_id": contract.id})
    else:
        await tx.cancel_timer(TURN, contract.id)


async def stop(tx: Tx, contract: Contract) -> None:
    """Nothing happens to it by itself any more."""
    await tx.cancel_timer(TURN, contract.id)
