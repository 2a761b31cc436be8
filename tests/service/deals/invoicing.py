"""What the tests of invoices share: drafts, issued ones, and who keeps them."""

from decimal import Decimal
from typing import Any

from chassis.call import Cause
from chassis.testing.installation import Person
from chassis.tx import Tx
from crm.deals.v1 import invoice_pb2, invoice_verbs_pb2, line_pb2
from crm.deals.v1.invoices_service_pb2_grpc import InvoicesServiceStub
from services.deals import invoices
from tests.service.deals.world import World

Invoice = invoice_pb2.Invoice
Line = line_pb2.Line
Instalment = invoice_pb2.Instalment

BUYER = {"name": "Ana Nowak", "tax_number": "5260001246"}
_READ = {"object": "invoice", "action": "read", "scope": "own"}


def line(quantity: str = "2", unit_price: str = "50", **given: Any) -> Line:
    return Line(name="Window", quantity=quantity, unit_price=unit_price, **given)


class InvoiceWorld(World):
    tables = (*World.tables, "invoices_history", "legal_entities_history", "invoice_numbers")


class Invoicing:
    """Invoices of a world's tenant."""

    def __init__(self, world: World) -> None:
        self.world = InvoiceWorld(world.running, world.tenant)
        self.stub = self.stub_of(world.tenant.admin)

    def stub_of(self, person: Person, **metadata: str) -> Any:
        return self.world.stub(person, InvoicesServiceStub, **metadata)

    async def reader(self) -> Person:
        """Somebody who reads his own invoices, and changes none."""
        return await self.world.tenant.person([_READ])

    async def draft(self, **given: Any) -> Invoice:
        """A draft of 100 PLN for a buyer, or of what is given."""
        whose = {"buyer": BUYER, "currency": "PLN"} if "deal_id" not in given else {"buyer": BUYER}
        lines = [line()] if "deal_id" not in given and "quote_id" not in given else []
        invoice = Invoice(**{**whose, "lines": lines, **given})
        return await self.stub.CreateInvoice(invoice_pb2.CreateInvoiceRequest(invoice=invoice))

    async def issue(self, invoice: Invoice, **given: Any) -> Invoice:
        return await self.stub.IssueInvoice(
            invoice_verbs_pb2.IssueInvoiceRequest(id=invoice.id, **given)
        )

    async def issued(self, **given: Any) -> Invoice:
        return await self.issue(await self.draft(**given))

    async def update(self, invoice: Invoice, *paths: str, **given: Any) -> Invoice:
        request = invoice_pb2.UpdateInvoiceRequest(invoice=Invoice(id=invoice.id, **given))
        request.update_mask.paths.extend(paths or given)
        return await self.stub.UpdateInvoice(request)

    async def credit(self, invoice: Invoice, *lines: Any, **given: Any) -> Invoice:
        request = invoice_verbs_pb2.CreditInvoiceRequest(
            id=invoice.id, lines=lines, **{"reason": "taken back", **given}
        )
        return await self.stub.CreditInvoice(request)

    async def get(self, invoice: Invoice, reader: Person | None = None) -> Invoice:
        stub = self.stub_of(reader) if reader else self.stub
        return await stub.GetInvoice(invoice_pb2.GetInvoiceRequest(id=invoice.id))

    async def work(self, body: Any) -> Any:
        """Runs the body as a consumer's or timer's, in one transaction of the tenant."""
        runtime = self.world.running.process.runtimes["deals"]
        return await runtime.run_system(self.world.tenant.id, Cause("event"), body)

    async def pay(self, invoice: Invoice, paid: str) -> Invoice:
        """So much of it is paid in all, as payments say it."""

        async def settle(tx: Tx) -> None:
            found = await invoices.locked(tx, invoice.id)
            assert found is not None
            await invoices.settle(tx, found, Decimal(paid))

        await self.work(settle)
        return await self.get(invoice)
