"""What deals and invoices are to the facts of a card."""

from decimal import Decimal

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2, invoice_party_pb2, invoice_pb2
from services.contacts.rules import card_items

Deal, Invoice = deal_pb2.Deal, invoice_pb2.Invoice
NOON = Timestamp(seconds=1_795_000_000)


def deal(**given: object) -> deal_pb2.Deal:
    return Deal(**{"id": "d", "contact_id": "c", "company_id": "f", "stage_id": "s", "currency": "PLN", "amount": "480.00"} | given)  # fmt: skip


def test_an_open_deal_has_its_stage_and_value() -> None:
    item = card_items.of_deal(deal(state=Deal.STATE_OPEN), 3)
    assert (item.kind, item.state, item.stage, item.version) == ("deal", "open", "s", 3)
    assert (item.amount, item.currency, item.time) == (Decimal("480.00"), "PLN", None)
    assert (item.contact_id, item.company_id) == ("c", "f")


def test_a_won_deal_is_a_purchase_at_the_moment_of_its_end() -> None:
    won = card_items.of_deal(deal(state=Deal.STATE_WON, ending={"time": NOON}), 4)
    assert (won.state, won.time) == ("won", to_datetime(NOON))


@pytest.mark.parametrize(
    "given",
    [{"state": Deal.STATE_LOST}, {"state": Deal.STATE_OPEN, "delete_time": NOON}, {"state": Deal.STATE_WON, "delete_time": NOON}],
)  # fmt: skip
def test_what_is_lost_or_deleted_is_over(given: dict[str, object]) -> None:
    assert card_items.of_deal(deal(**given), 5).state == "over"


def test_a_deal_that_nobody_has_valued_has_no_amount() -> None:
    assert card_items.of_deal(deal(state=Deal.STATE_OPEN, amount=""), 1).amount is None


@pytest.mark.parametrize(
    ("state", "type", "expected"),
    [
        (Invoice.STATE_ISSUED, invoice_party_pb2.INVOICE_TYPE_INVOICE, "open"),
        (Invoice.STATE_PARTLY_PAID, invoice_party_pb2.INVOICE_TYPE_ADVANCE, "open"),
        (Invoice.STATE_PAID, invoice_party_pb2.INVOICE_TYPE_INVOICE, "over"),
        (Invoice.STATE_DRAFT, invoice_party_pb2.INVOICE_TYPE_INVOICE, "over"),
        (Invoice.STATE_CANCELLED, invoice_party_pb2.INVOICE_TYPE_INVOICE, "over"),
        (Invoice.STATE_ISSUED, invoice_party_pb2.INVOICE_TYPE_PROFORMA, "over"),
        (Invoice.STATE_ISSUED, invoice_party_pb2.INVOICE_TYPE_CREDIT_NOTE, "over"),
    ],
)
def test_what_is_owed_is_what_is_left_of_an_issued_invoice(state: int, type: int, expected: str) -> None:  # fmt: skip
    invoice = Invoice(id="i", state=state, type=type, open_amount="120.50", currency="PLN")
    item = card_items.of_invoice(invoice, 2)
    assert (item.kind, item.state, item.amount) == ("bill", expected, Decimal("120.50"))
