"""Sales as they happen: facts for plans, commissions and reports, written in the transaction of what makes them (S38, S89, S90).

Who had the deal then keeps the credit. What does not hold any more is answered by a fact of the other sign on the day of that.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from chassis.kit.columns import reference
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import commission_pb2, deal_pb2, invoice_pb2
from services.deals import converting, earning, people, store
from services.deals.money import currencies
from services.deals.rules import sales as rules
from services.deals.store import sales_facts as facts

Deal = deal_pb2.Deal
Invoice = invoice_pb2.Invoice
SaleBasis = commission_pb2.SaleBasis


async def follow_deal(tx: Tx, new: Deal, old: Deal | None, *, counts: bool | None = None) -> None:
    """Records what was won with a save of the deal, and what is won no more.

    counts: whether plans and commissions count it; imported history does only when asked.
    """
    was, now = rules.standing(old), rules.standing(new)
    if was == now:
        return
    version = new.etag
    if was is not None:
        await _take_back(tx, new, f"deal {new.id} {version} reopened", counts)
    if now is not None:
        at = tx.now if was is not None else to_datetime(new.ending.time)
        await _record(
            tx, new, kind=facts.WON, effect=f"deal {new.id} {version} won", at=at, amount=now.net,
            cost=now.cost, currency=new.currency, counts=counts,
        )  # fmt: skip


async def received(
    tx: Tx,
    deal: Deal,
    *,
    effect: str,
    amount: Decimal,
    time: datetime,
    reverses: str = "",
    counts: bool | None = None,
) -> None:
    """Records what was paid for a deal, or less than 0 what was paid back; the same effect is recorded once.

    effect: names the payment or refund, e.g. "payment <id>". reverses: the effect of the payment that is paid back.
    """
    before = await facts.by_effect(tx, reverses) if reverses else None
    await _record(
        tx, deal, kind=facts.REFUNDED if amount < 0 else facts.RECEIVED, effect=effect, at=time, amount=amount,
        cost=Decimal(0), currency=deal.currency, counts=counts, reverses_id=before["id"] if before else None,
    )  # fmt: skip


async def credited(tx: Tx, note: Invoice) -> None:
    """Records what a credit note takes off the deal's win, on its own day; of a deal that is not won there is nothing to take."""
    deal = await store.deals.find(tx, note.deal_id) if note.deal_id else None
    if deal is None or rules.standing(deal) is None:
        return
    won = await facts.last_won(tx, deal.id)
    if won is None or won["currency"] != note.currency:
        return
    await lock(tx, str(won["owner_id"] or ""))
    basis = rules.credit_basis(note, SaleBasis.FromString(won["doc"]))
    figures = {"amount": -Decimal(basis.net), "cost": -Decimal(basis.cost)}
    worth = {
        f"base_{name}": await converting.converted(
            tx, value, won["currency"], won["base_currency"], won["fact_date"]
        )
        for name, value in figures.items()
    }
    await _answer(
        tx, won, f"credit note {note.id}", kind=facts.CREDITED, doc=basis.SerializeToString(),
        **figures, base_amount=worth["base_amount"], base_cost=worth["base_cost"],
    )  # fmt: skip


async def _record(
    tx: Tx,
    deal: Deal,
    *,
    kind: str,
    effect: str,
    at: datetime,
    amount: Decimal,
    cost: Decimal,
    currency: str,
    counts: bool | None,
    reverses_id: Any = None,
) -> None:
    owner_id, department_id = rules.credited(deal)
    await lock(tx, owner_id)
    basis = rules.basis(deal)
    basis.role_ids.extend((tx.directory.user(owner_id) or {}).get("role_ids", ()))
    for each in basis.participants:
        each.department_id = people.home_of(tx, each.user_id)
    if kind in (facts.RECEIVED, facts.REFUNDED):
        basis.paid_before = f"{Decimal(await facts.paid(tx, deal.id)):f}"
    base, on = await converting.base_of(tx), converting.day_at(tx, at)
    fact = await facts.add(
        tx, effect=effect, record_time=tx.now, fact_time=at, fact_date=on, kind=kind, reverses_id=reverses_id,
        deal_id=deal.id, pipeline_id=reference(deal.pipeline_id), owner_id=reference(owner_id),
        department_id=reference(department_id), department_ids=_upwards(tx, department_id),
        source_id=reference(deal.source_id), contact_id=reference(deal.contact_id),
        company_id=reference(deal.company_id), currency=currency, amount=currencies.rounded(amount, currency),
        cost=cost, base_currency=base, base_amount=await converting.converted(tx, amount, currency, base, on),
        base_cost=await converting.converted(tx, cost, currency, base, on), cause=tx.cause.kind,
        counts=tx.cause.kind != "import" if counts is None else counts, doc=basis.SerializeToString(),
    )  # fmt: skip
    if fact is not None:
        await earning.earn(tx, fact)


async def _take_back(tx: Tx, deal: Deal, effect: str, counts: bool | None) -> None:
    """Answers the win, and what credit notes took off it, by the same amounts of the other sign.

    A win that was never recorded needs no answer.
    """
    won = await facts.last_won(tx, deal.id)
    if won is None:
        return
    await lock(tx, str(won["owner_id"] or ""))
    counted = won["counts"] if counts is None else counts
    for credit in await facts.credits_of(tx, won):
        await _answer(tx, credit, f"{effect} {credit['id']}", counts=counted, **_negated(credit))
    await _answer(tx, won, effect, kind=facts.REOPENED, counts=counted, **_negated(won))


async def _answer(tx: Tx, fact: facts.Fact, effect: str, **other: Any) -> None:
    """Records a fact that answers this one: as that was, today, but for the values in `other`."""
    same = {name: value for name, value in fact.items() if name not in ("id", "seq")}
    answer = {
        "effect": effect, "record_time": tx.now, "fact_time": tx.now, "fact_date": converting.day_at(tx, tx.now),
        "reverses_id": fact["id"], "cause": tx.cause.kind,
    }  # fmt: skip
    recorded = await facts.add(tx, **{**same, **answer, **other})
    if recorded is not None:
        await earning.earn(tx, recorded)


def _negated(fact: facts.Fact) -> dict[str, Decimal | None]:
    names = ("amount", "cost", "base_amount", "base_cost")
    return {name: None if fact[name] is None else -fact[name] for name in names}


async def lock(tx: Tx, *owner_ids: str) -> None:
    """One sale of a person after the other, so that each knows how far his plan was reached before it."""
    await tx.lock(*(f"sales {owner_id}" for owner_id in owner_ids))


def _upwards(tx: Tx, department_id: str) -> list[str]:
    """The department and all above it, as the directory knows them."""
    found: list[str] = []
    while department_id and department_id not in found:
        found.append(department_id)
        department_id = (tx.directory.department(department_id) or {}).get("parent_id") or ""
    return found
