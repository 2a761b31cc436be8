"""What the tests of payments share: payments of a world's tenant, and what must stay as it is when one is refused."""

from decimal import Decimal
from typing import Any

from chassis.testing.installation import Person
from crm.deals.v1 import payment_pb2
from crm.deals.v1.payments_service_pb2_grpc import PaymentsServiceStub
from tests.service.deals.invoicing import Invoice, InvoiceWorld, Invoicing
from tests.service.deals.world import World

Payment = payment_pb2.Payment
Allocation = payment_pb2.Allocation


class PaymentWorld(InvoiceWorld):
    tables = (*InvoiceWorld.tables, "payments_history", "sales_facts")


class Paying(Invoicing):
    """Payments, and the invoices that they pay."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world = PaymentWorld(world.running, world.tenant)
        self.payments = self.payments_of(world.tenant.admin)

    def payments_of(self, person: Person, **metadata: str) -> Any:
        return self.world.stub(person, PaymentsServiceStub, **metadata)

    async def pay(self, amount: str, *invoices: Invoice, by: Person | None = None, request_id: str = "", **given: Any) -> Payment:  # fmt: skip
        """A payment of these invoices, each as far as it goes."""
        named = [Allocation(invoice_id=each.id) for each in invoices]
        payment = Payment(**{"amount": amount, "allocations": named, **given})
        stub = self.payments_of(by) if by else self.payments
        return await stub.CreatePayment(
            payment_pb2.CreatePaymentRequest(payment=payment, request_id=request_id)
        )

    async def payment(self, payment: Payment, reader: Person | None = None) -> Payment:
        stub = self.payments_of(reader) if reader else self.payments
        return await stub.GetPayment(payment_pb2.GetPaymentRequest(id=payment.id))

    async def refund(self, payment: Payment, amount: str = "", **given: Any) -> Payment:
        request = payment_pb2.RefundPaymentRequest(
            id=payment.id, amount=amount, **{"reason": "sent back", **given}
        )
        return await self.payments.RefundPayment(request)

    async def allocate(self, payment: Payment, *named: Allocation) -> Payment:
        request = payment_pb2.AllocatePaymentRequest(id=payment.id, allocations=named)
        return await self.payments.AllocatePayment(request)

    async def unallocate(self, payment: Payment, *invoices: Invoice) -> Payment:
        request = payment_pb2.UnallocatePaymentRequest(
            id=payment.id, invoice_ids=[each.id for each in invoices]
        )
        return await self.payments.UnallocatePayment(request)

    async def sold(self) -> list[Decimal]:
        """What plans and commissions know of, as it came."""
        rows = await self.world.running.rows(
            "deals", "SELECT amount FROM sales_facts WHERE tenant_id = $1 ORDER BY seq", self.world.tenant.id
        )  # fmt: skip
        return [row["amount"] for row in rows]

    async def delete(self, payment: Payment) -> Payment:
        return await self.payments.DeletePayment(payment_pb2.DeletePaymentRequest(id=payment.id))
