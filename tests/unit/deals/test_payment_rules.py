"""Payments whatever they hold: nothing of one is ever lost or counted twice."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from chassis import errors
from crm.deals.v1 import invoice_pb2, payment_pb2, pipeline_pb2
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from services.deals.rules import paid_stages, payments

Payment = payment_pb2.Payment
Allocation = payment_pb2.Allocation
Invoice = invoice_pb2.Invoice
Pipeline = pipeline_pb2.Pipeline

_CENTS = st.integers(1, 10**6).map(lambda count: Decimal(count) / 100)


def _payment(amount: Decimal) -> Payment:
    made = Payment(id="p", amount=f"{amount:.2f}", currency="PLN", direction=Payment.DIRECTION_RECEIVED)  # fmt: skip
    payments.show_rest(made)
    return made


def _invoices(dues: list[Decimal]) -> dict[str, Invoice]:
    return {
        str(at): Invoice(id=str(at), number=f"FV/{at}", open_amount=f"{due:.2f}", currency="PLN", deal_id=f"d{at % 2}")
        for at, due in enumerate(dues)
    }  # fmt: skip


def _parts(payment: Payment) -> Decimal:
    paying = sum(Decimal(each.amount) for each in payment.allocations)
    return paying + Decimal(payment.unallocated_amount) + Decimal(payment.refunded_amount)


@given(_CENTS, st.lists(_CENTS, max_size=5), st.lists(_CENTS, max_size=4))
def test_the_parts_of_a_payment_always_come_to_its_amount(
    amount: Decimal, dues: list[Decimal], refunds: list[Decimal]
) -> None:
    payment, invoices = _payment(amount), _invoices(dues)
    payments.allocate(payment, [Allocation(invoice_id=id) for id in invoices], invoices, may_leave_rest=True)  # fmt: skip
    assert _parts(payment) == amount
    assert all(Decimal(a.amount) <= Decimal(invoices[a.invoice_id].open_amount) for a in payment.allocations)  # fmt: skip

    back_in_all = Decimal(0)
    for asked in refunds:
        before, back = payments.shares(payment), Payment(currency="PLN")
        try:
            payments.refund(payment, back, f"{asked:.2f}")
        except errors.FailedPrecondition:
            assert asked > amount - back_in_all
            continue
        back_in_all += asked
        assert _parts(payment) == amount
        lost = payments.differences(payments.shares(payment).invoices, before.invoices)
        assert {each.invoice_id: -Decimal(each.amount) for each in back.allocations} == lost
    assert Decimal(payment.refunded_amount) == back_in_all <= amount


@given(_CENTS, st.lists(_CENTS, min_size=1, max_size=5))
def test_what_is_taken_away_is_unallocated(amount: Decimal, dues: list[Decimal]) -> None:
    payment, invoices = _payment(amount), _invoices(dues)
    payments.allocate(payment, [Allocation(invoice_id=id) for id in invoices], invoices, may_leave_rest=True)  # fmt: skip
    payments.unallocate(payment, ())
    assert (list(payment.allocations), Decimal(payment.unallocated_amount)) == ([], amount)


def test_a_rest_counts_for_the_payments_own_deal_and_allocations_for_theirs() -> None:
    payment = _payment(Decimal(100))
    payment.deal_id = "d0"
    payment.allocations.add(invoice_id="1", amount="30.00", deal_id="d1")
    payments.show_rest(payment)
    assert payments.shares(payment).deals == {"d1": Decimal(30), "d0": Decimal(70)}
    payment.direction = Payment.DIRECTION_REFUNDED
    assert payments.shares(payment).deals == {}


def _document(state: "Invoice.State", type: "InvoiceType" = InvoiceType.INVOICE_TYPE_INVOICE, *parts: tuple[str, str]) -> Invoice:  # fmt: skip
    made = Invoice(state=state, type=type)
    for paid, left in parts:
        made.instalments.add(paid_amount=paid, open_amount=left)
    return made


def test_when_a_deal_counts_as_paid() -> None:
    full, first = Pipeline.PAID_ON_FULL, Pipeline.PAID_ON_FIRST_INSTALMENT
    paid, issued = _document(Invoice.STATE_PAID), _document(Invoice.STATE_ISSUED)
    proforma = _document(Invoice.STATE_PAID, InvoiceType.INVOICE_TYPE_PROFORMA)
    note = _document(Invoice.STATE_ISSUED, InvoiceType.INVOICE_TYPE_CREDIT_NOTE)
    begun = _document(Invoice.STATE_PARTLY_PAID, InvoiceType.INVOICE_TYPE_INVOICE, ("40", "0"), ("0", "60"))  # fmt: skip
    part = _document(Invoice.STATE_PARTLY_PAID, InvoiceType.INVOICE_TYPE_INVOICE, ("10", "30"))

    assert paid_stages.is_paid([paid, note, _document(Invoice.STATE_CANCELLED)], full)
    assert paid_stages.is_paid([proforma], full)
    assert not any(paid_stages.is_paid(each, full) for each in ([], [paid, issued], [proforma, issued], [begun]))  # fmt: skip
    assert paid_stages.is_paid([issued, begun], first)
    assert not any(paid_stages.is_paid(each, first) for each in ([], [issued], [part]))
