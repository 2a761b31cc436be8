"""Lines of bank statements: what somebody may say of one, and when. Pure."""

from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import bank_statement_line_pb2 as pb
from crm.deals.v1 import payment_pb2
from services.deals import errors

Line = pb.BankStatementLine
Payment = payment_pb2.Payment

_OPEN = (Line.STATE_DOUBTFUL, Line.STATE_OUTGOING)


def may_be_matched(line: Line) -> bool:
    """Whether the line may become a payment by itself: nobody has said what it is, and it takes nothing back."""
    is_open = line.state == Line.STATE_DOUBTFUL and not line.undone
    return is_open and not line.outgoing and not line.is_reversal


def require_open(line: Line, verb: str) -> None:
    """LineWrongState unless somebody may decide about it."""
    if line.state not in _OPEN:
        raise errors.LineWrongState(verb, _state(line), "doubtful or outgoing; use :undo first")


def require_decided(line: Line) -> None:
    """LineWrongState unless it was matched or ignored."""
    if line.state not in (Line.STATE_MATCHED, Line.STATE_IGNORED):
        raise errors.LineWrongState("undone", _state(line), "matched or ignored")


def check_wanted(line: Line, request: pb.MatchBankStatementLineRequest) -> None:
    """ValuesInvalid unless the request says one thing that such a line can be."""
    named = bool(request.allocations or request.deal_id or request.contact_id or request.company_id)
    if line.outgoing and not request.payment_id:
        raise errors.ValuesInvalid([Violation("payment_id", "must name the payment that the outgoing line pays back")])  # fmt: skip
    if request.payment_id and named:
        raise errors.ValuesInvalid([Violation("payment_id", "is a payment already; leave out invoices, deal and customer")])  # fmt: skip
    if not request.payment_id and not named:
        raise errors.ValuesInvalid([Violation("allocations", "must say what the line pays: invoices, a payment_id, a deal or a customer; or use :ignore")])  # fmt: skip


def wrong_refund(line: Line, payment: Payment) -> list[Violation]:
    """Why the outgoing line cannot pay this payment back."""
    if payment.direction != Payment.DIRECTION_RECEIVED:
        return [Violation("payment_id", "is a refund; name the payment that is paid back")]
    if payment.currency != line.currency:
        return [Violation("payment_id", f"is in {payment.currency}, the line in {line.currency}")]
    left = Decimal(payment.amount) - Decimal(payment.refunded_amount or 0)
    if Decimal(line.amount) > left:
        return [Violation("payment_id", f"has {left:f} {payment.currency} left, the line pays {line.amount} back")]  # fmt: skip
    return []


def _state(line: Line) -> str:
    return Line.State.Name(line.state).removeprefix("STATE_").lower()
