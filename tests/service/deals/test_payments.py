"""Payments: what they pay, what is paid back, and what races for the same invoice."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chassis import errors
from chassis.times import to_timestamp
from crm.deals.v1 import deal_verbs_pb2, payment_pb2
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from tests.service.deals.invoicing import Invoice, line
from tests.service.deals.paying import Allocation, Paying, Payment
from tests.service.deals.world import World
from tests.service.worlds import Refused


@pytest.fixture
def paying(world: World) -> Paying:
    return Paying(world)


async def test_a_part_then_the_rest_pays_the_invoice_once(paying: Paying) -> None:
    deal = await paying.world.make(lines=[line()])
    invoice = await paying.issued(deal_id=deal.id)

    first = await paying.pay("30", invoice)
    partly = await paying.get(invoice)
    second = await paying.pay("70", invoice)

    assert (partly.state, partly.open_amount) == (Invoice.STATE_PARTLY_PAID, "70.00")
    paid = await paying.get(invoice)
    assert (paid.state, paid.paid_amount, paid.open_amount) == (Invoice.STATE_PAID, "100.00", "0.00")  # fmt: skip
    assert (first.direction, first.source, first.way) == (Payment.DIRECTION_RECEIVED, Payment.SOURCE_BY_HAND, Payment.WAY_BANK)  # fmt: skip
    assert (first.currency, first.deal_id, first.unallocated_amount) == ("PLN", deal.id, "0.00")
    [part] = first.allocations
    assert (part.invoice_id, part.amount, part.number) == (invoice.id, "30.00", invoice.number)
    assert (await paying.world.deal(deal.id)).paid_amount == "100.00"
    assert len(await paying.world.events("InvoicePaid")) == 1
    told = await paying.world.events("PaymentReceived", 2)
    assert [each["payment"]["id"] for each in told] == [first.id, second.id]


async def test_a_payment_above_the_invoice_is_refused_unless_that_is_accepted(
    paying: Paying,
) -> None:
    invoice = await paying.issued()

    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_TOO_LARGE", "amount") as refused:  # fmt: skip
        await paying.pay("150", invoice)
    assert "150.00 is above the 100.00 PLN" in refused.error.violations[0].description
    asked = [Allocation(invoice_id=invoice.id, amount="120")]
    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_TOO_LARGE", "allocations[0].amount"):  # fmt: skip
        await paying.pay("120", allocations=asked)

    payment = await paying.pay("150", invoice, over_payment_accepted=True)
    assert (payment.unallocated_amount, payment.over_paid) == ("50.00", True)
    settled = await paying.get(invoice)
    assert (settled.paid_amount, settled.overpaid_amount) == ("100.00", "0.00")


async def test_two_payments_that_race_to_close_an_invoice_are_both_kept(paying: Paying) -> None:
    deal = await paying.world.make(lines=[line()])
    invoice = await paying.issued(deal_id=deal.id)

    made = await asyncio.gather(
        *(paying.pay("100", invoice, over_payment_accepted=True) for _ in range(6))
    )

    assert sorted(each.unallocated_amount for each in made) == ["0.00", *["100.00"] * 5]
    assert [each.over_paid for each in made].count(False) == 1
    paid = await paying.get(invoice)
    assert (paid.state, paid.paid_amount) == (Invoice.STATE_PAID, "100.00")
    assert (await paying.world.deal(deal.id)).paid_amount == "600.00"
    await paying.world.events("PaymentReceived", 6)
    assert len(await paying.world.events("InvoicePaid")) == 1


async def test_the_same_request_pays_once(paying: Paying) -> None:
    invoice = await paying.issued()

    first = await paying.pay("40", invoice, request_id="once")
    again = await paying.pay("40", invoice, request_id="once")

    assert again == first
    assert (await paying.get(invoice)).paid_amount == "40.00"


async def test_a_refund_takes_what_pays_nothing_first_then_the_last_invoice(paying: Paying) -> None:
    deal = await paying.world.make(lines=[line()])
    first, second = await paying.issued(deal_id=deal.id), await paying.issued(deal_id=deal.id)
    payment = await paying.pay("250", first, second, over_payment_accepted=True)

    back = await paying.refund(payment, "80")

    assert (back.direction, back.amount, back.refunded_payment_id) == (Payment.DIRECTION_REFUNDED, "80.00", payment.id)  # fmt: skip
    assert [(each.invoice_id, each.amount) for each in back.allocations] == [(second.id, "30.00")]
    left = await paying.payment(payment)
    assert (left.refunded_amount, left.unallocated_amount) == ("80.00", "0.00")
    assert [each.amount for each in left.allocations] == ["100.00", "70.00"]
    assert (await paying.get(second)).open_amount == "30.00"
    assert (await paying.world.deal(deal.id)).paid_amount == "170.00"
    [told] = await paying.world.events("PaymentRefunded")
    assert told["payment"]["id"] == back.id
    assert await paying.sold() == [Decimal(250), Decimal(-80)]

    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_TOO_LARGE", "amount") as refused:  # fmt: skip
        await paying.refund(payment, "170.01")
    assert "170.01 is above what is left of the payment, 170.00 PLN" in refused.error.violations[0].description  # fmt: skip
    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_WRONG_STATE"):
        await paying.refund(back)


async def test_refunds_at_once_pay_back_no_more_than_came(paying: Paying) -> None:
    invoice = await paying.issued()
    payment = await paying.pay("100", invoice)

    done = await asyncio.gather(
        *(paying.refund(payment, "60") for _ in range(8)), return_exceptions=True
    )

    refused = [each for each in done if isinstance(each, errors.CrmError)]
    assert [each.reason for each in refused] == ["PAYMENT_TOO_LARGE"] * 7
    assert (await paying.get(invoice)).paid_amount == "40.00"
    assert (await paying.payment(payment)).refunded_amount == "60.00"


async def test_a_payment_is_taken_from_one_invoice_and_given_to_another(paying: Paying) -> None:
    wrong, right = await paying.issued(), await paying.issued()
    payment = await paying.pay("100", wrong)

    free = await paying.unallocate(payment, wrong)
    given = await paying.allocate(payment, Allocation(invoice_id=right.id))

    assert free.unallocated_amount == "100.00"
    assert [each.invoice_id for each in given.allocations] == [right.id]
    assert (await paying.get(wrong)).state == Invoice.STATE_ISSUED
    assert (await paying.get(right)).state == Invoice.STATE_PAID
    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_TOO_LARGE", "allocations"):
        await paying.allocate(payment, Allocation(invoice_id=wrong.id))
    async with Refused(paying.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "invoice_ids[0]"):
        await paying.unallocate(payment, wrong)


async def test_an_advance_counts_for_its_deal_and_pays_the_invoice_later(paying: Paying) -> None:
    deal = await paying.world.make(lines=[line()])
    payment = await paying.pay("60", deal_id=deal.id)
    assert (await paying.world.deal(deal.id)).paid_amount == "60.00"

    invoice = await paying.issued(deal_id=deal.id)
    await paying.allocate(payment, Allocation(invoice_id=invoice.id))

    assert (await paying.get(invoice)).open_amount == "40.00"
    assert (await paying.world.deal(deal.id)).paid_amount == "60.00"


async def test_what_was_recorded_by_mistake_is_deleted_and_comes_back_unallocated(
    paying: Paying,
) -> None:
    deal = await paying.world.make(lines=[line()])
    invoice = await paying.issued(deal_id=deal.id)
    payment = await paying.pay("100", invoice)

    await paying.delete(payment)
    assert (await paying.get(invoice)).open_amount == "100.00"
    assert (await paying.world.deal(deal.id)).paid_amount == "0.00"

    back = await paying.payments.UndeletePayment(payment_pb2.UndeletePaymentRequest(id=payment.id))
    assert (list(back.allocations), back.unallocated_amount) == ([], "100.00")
    assert (await paying.world.deal(deal.id)).paid_amount == "100.00"

    await paying.refund(back, "10")
    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_WRONG_STATE"):
        await paying.delete(back)


async def test_a_refund_that_was_a_mistake_is_deleted(paying: Paying) -> None:
    invoice = await paying.issued()
    payment = await paying.pay("100", invoice)
    back = await paying.refund(payment)

    await paying.delete(back)

    left = await paying.payment(payment)
    assert (left.refunded_amount, left.unallocated_amount) == ("0.00", "100.00")
    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_WRONG_STATE"):
        await paying.payments.UndeletePayment(payment_pb2.UndeletePaymentRequest(id=back.id))


async def test_what_was_paid_stays_and_only_remarks_change(paying: Paying) -> None:
    payment = await paying.pay("100")
    request = payment_pb2.UpdatePaymentRequest(payment=Payment(id=payment.id, note="cash box 2"))
    request.update_mask.paths.append("note")
    assert (await paying.payments.UpdatePayment(request)).note == "cash box 2"

    request = payment_pb2.UpdatePaymentRequest(payment=Payment(id=payment.id, amount="1", currency="EUR"))  # fmt: skip
    request.update_mask.paths.extend(["amount", "currency"])
    async with Refused(paying.world, errors.FailedPrecondition, "PAYMENT_FIXED", "amount", "currency"):  # fmt: skip
        await paying.payments.UpdatePayment(request)


async def test_values_that_no_payment_has_are_refused(paying: Paying) -> None:
    world, draft = paying.world, await paying.draft()
    issued = await paying.issued()
    note = await paying.credit(await paying.issued())
    tomorrow = to_timestamp(datetime.now(UTC) + timedelta(days=1))
    invalid = (world, errors.InvalidArgument, "VALUES_INVALID")

    async with Refused(*invalid, "amount"):
        await paying.pay("0")
    async with Refused(*invalid, "amount"):
        await paying.pay("-5")
    async with Refused(*invalid, "amount"):
        await paying.pay("1.005")
    async with Refused(*invalid, "time"):
        await paying.pay("5", time=tomorrow)
    async with Refused(*invalid, "allocations[0].invoice_id"):
        await paying.pay("5", draft)
    async with Refused(*invalid, "allocations[0].invoice_id"):
        await paying.pay("5", note)
    async with Refused(*invalid, "allocations[1].invoice_id"):
        await paying.pay("5", issued, issued)
    async with Refused(*invalid, "allocations[0].invoice_id") as refused:
        await paying.pay("5", issued, currency="EUR")
    assert "is in PLN, the payment in EUR" in refused.error.violations[0].description
    async with Refused(*invalid, "allocations"):
        await paying.pay("5", allocations=[Allocation(invoice_id=issued.id, amount="6")])
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "allocations[0].invoice_id"):  # fmt: skip
        await paying.pay("5", allocations=[Allocation(invoice_id=world.tenant.id)])
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "deal_id"):
        await paying.pay("5", deal_id=world.tenant.id)
    deal = await world.make(lines=[line()])
    async with Refused(*invalid, "currency"):
        await paying.pay("5", deal_id=deal.id, currency="EUR")


async def test_who_reads_the_deal_reads_its_payment_also_after_it_was_given_away(
    paying: Paying,
) -> None:
    tenant = paying.world.tenant
    right = {"object": "payment", "action": "read", "scope": "own"}
    first, second = await tenant.person([right]), await tenant.person([right])
    deal = await paying.world.make(owner_id=first.id, lines=[line()])
    payment = await paying.pay("10", deal_id=deal.id)
    assert (await paying.payment(payment, first)).id == payment.id

    await paying.world.admin.AssignDeal(
        deal_verbs_pb2.AssignDealRequest(id=deal.id, owner_id=second.id)
    )

    assert (await paying.payment(payment, second)).owner_id == second.id
    with pytest.raises(errors.NotFound):
        await paying.payment(payment, first)
    async with Refused(paying.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await paying.pay("5", by=second)


async def test_what_a_credit_note_leaves_is_paid_and_the_rest_can_be_freed(paying: Paying) -> None:
    invoice = await paying.issued()
    payment = await paying.pay("100", invoice)
    await paying.credit(invoice)
    assert (await paying.get(invoice)).overpaid_amount == "100.00"

    await paying.unallocate(payment)

    assert (await paying.get(invoice)).overpaid_amount == "0.00"


async def test_a_proforma_is_paid_too(paying: Paying) -> None:
    proforma = await paying.issued(type=InvoiceType.INVOICE_TYPE_PROFORMA)
    await paying.pay("100", proforma)
    assert (await paying.get(proforma)).state == Invoice.STATE_PAID
