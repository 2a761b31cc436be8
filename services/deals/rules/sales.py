"""What counts as sold: when a deal stands as won, and what it comes to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from crm.deals.v1 import commission_pb2, deal_pb2, invoice_pb2, line_pb2
from services.deals.money import currencies

Deal = deal_pb2.Deal
Invoice = invoice_pb2.Invoice
Line = line_pb2.Line
SaleBasis = commission_pb2.SaleBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a won deal is credited with; a deal whose standing changes is taken back and counted anew."""

    owner_id: str
    department_id: str
    currency: str
    net: Decimal
    gross: Decimal
    cost: Decimal


def standing(deal: Deal | None) -> Standing | None:
    """None unless the deal lives and is won."""
    if deal is None or deal.state != Deal.STATE_WON or deal.HasField("delete_time"):
        return None
    owner, department = credited(deal)
    return Standing(
        owner_id=owner, department_id=department, currency=deal.currency,
        net=net_of(deal), gross=Decimal(deal.amount or 0), cost=Decimal(deal.totals.cost or 0),
    )  # fmt: skip


def credited(deal: Deal) -> tuple[str, str]:
    """To whom a sale is credited, and his department: who had the deal when it was won, else who has it."""
    if deal.state == Deal.STATE_WON:
        return deal.ending.owner_id, deal.ending.department_id
    return deal.owner_id, deal.department_id


def net_of(deal: Deal) -> Decimal:
    """What the deal comes to without tax; of one without lines what somebody estimated."""
    return Decimal((deal.totals.net if deal.lines else deal.amount) or 0)


def credit_basis(note: Invoice, won: SaleBasis) -> SaleBasis:
    """What a credit note takes off a win, as amounts above 0; people and their parts are those of the win."""
    made = SaleBasis(
        net=f"{abs(Decimal(note.totals.net)):f}", gross=f"{abs(Decimal(note.totals.gross)):f}",
        cost=f"{abs(Decimal(note.totals.cost or 0)):f}", participants=won.participants, role_ids=won.role_ids,
    )  # fmt: skip
    _add_families(made, note.lines, note.currency)
    return made


def _add_families(made: SaleBasis, lines: Iterable[Line], currency: str) -> None:
    """Sums the lines by families; those of credit notes count above 0."""
    sums: dict[str, list[Decimal]] = {}
    for line in lines:
        cost = Decimal(line.quantity or 0) * Decimal(line.unit_cost or 0)
        found = sums.setdefault(line.family_id, [Decimal(0)] * 3)
        figures = (Decimal(line.net), Decimal(line.gross), currencies.rounded(cost, currency))
        sums[line.family_id] = [a + abs(b) for a, b in zip(found, figures, strict=True)]
    for family_id, (net, gross, cost) in sums.items():
        made.families.add(family_id=family_id, net=f"{net:f}", gross=f"{gross:f}", cost=f"{cost:f}")


def basis(deal: Deal) -> SaleBasis:
    """What commissions are reckoned from; roles and departments of people are filled by who knows them."""
    made = SaleBasis(
        net=f"{net_of(deal):f}", gross=deal.amount or "0", cost=deal.totals.cost or "0"
    )
    _add_families(made, deal.lines, deal.currency)
    for each in deal.participants:
        if each.user_id:
            made.participants.add(user_id=each.user_id, role=each.role)
    return made
