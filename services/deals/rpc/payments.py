"""Payments: the standard methods, what they pay, and paying back."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import payment_pb2 as pb
from services.deals import errors, payments, store
from services.deals.rpc.statements import BankStatementLines, BankStatements
from services.deals.rules import payments as rules


async def _check_delete(tx: Tx, payment: pb.Payment) -> None:
    """What a bank told of goes only with its line."""
    if payment.statement_line_id:
        raise errors.PaymentWrongState(
            "deleted", "a line of a bank statement", "without one; use :undo of the line"
        )
    await payments.withdraw(tx, payment)


async def _check_undelete(tx: Tx, payment: pb.Payment) -> None:
    """What was received comes back and counts for its deal again; invoices are allocated anew."""
    if payment.source == pb.Payment.SOURCE_STATEMENT:
        raise errors.PaymentWrongState(
            "brought back", "a line of a bank statement", "another one; use :match of the line"
        )
    if payment.direction == pb.Payment.DIRECTION_REFUNDED:
        raise errors.PaymentWrongState("brought back", "a refund", "a payment; use :refund again")
    await payments.settle(tx, None, payment, at=tx.now)


StandardPayment = standard(
    store.payments, on_save=payments.check, on_delete=_check_delete, on_undelete=_check_undelete
)


class Payments(StandardPayment, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/payments`."""

    @writes
    async def RefundPayment(self, request: pb.RefundPaymentRequest, tx: Tx) -> pb.Payment:
        payment = await payments.taken(tx, request.id, request.etag)
        rules.require_received(payment, "paid back")
        back = pb.Payment(
            way=request.way or payment.way, reference=request.reference, reason=request.reason,
            source=rules.source_of(tx.actor),
            time=request.time if request.HasField("time") else to_timestamp(tx.now),
        )  # fmt: skip
        await payments.refund(tx, payment, back, request.amount)
        return back

    @writes
    async def AllocatePayment(self, request: pb.AllocatePaymentRequest, tx: Tx) -> pb.Payment:
        payment = await payments.taken(tx, request.id, request.etag)
        await payments.allocate(tx, payment, request.allocations)
        return payment

    @writes
    async def UnallocatePayment(self, request: pb.UnallocatePaymentRequest, tx: Tx) -> pb.Payment:
        payment = await payments.taken(tx, request.id, request.etag)
        rules.require_received(payment, "taken from invoices")
        await payments.unallocate(tx, payment, request.invoice_ids)
        return payment


class PaymentsRpcs(Payments, BankStatements, BankStatementLines):
    """Every RPC of payments_service.proto."""

    service = "crm.deals.v1.PaymentsService"
