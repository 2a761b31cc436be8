"""What is left of records about a person who is erased."""

from google.protobuf.struct_pb2 import Value

from chassis.keys import uuid7
from crm.common.v1 import common_pb2
from crm.deals.v1 import deal_pb2, invoice_pb2
from crm.deals.v1.deal_pb2 import Deal, Participant, ShopOrder
from services.deals.rules import privacy

PERSON, OTHER = uuid7(), uuid7()


def test_figures_ids_and_dates_stay_and_texts_go() -> None:
    deal = Deal(
        id=OTHER, etag="3", title="For Ana", contact_id=PERSON, amount="12.50", currency="PLN", done_steps=["call"],
        current_step="visit", order=ShopOrder(system="woo", id="7", url="https://shop.example/ana"),
        lines=[{"sku": "W", "name": "Ana's window", "description": "oak", "quantity": "2", "net": "5"}],
        participants=[Participant(contact_id=PERSON, role="pays"), Participant(contact_id=OTHER, role="decides", note="Ana's")],
    )  # fmt: skip

    bare = privacy.anonymised(deal, {PERSON}, {})

    assert bare == Deal(
        id=OTHER, etag="3", title=privacy.ERASED_TITLE, amount="12.50", currency="PLN", done_steps=["call"],
        current_step="visit", order=ShopOrder(system="woo", id="7"), lines=[{"sku": "W", "quantity": "2", "net": "5"}],
        participants=[Participant(contact_id=OTHER, role="decides")],
    )  # fmt: skip
    assert privacy.anonymised(bare, {PERSON}, {}) == bare


def test_of_the_tenants_own_fields_those_without_text_stay() -> None:
    deal = Deal(custom={"area": Value(number_value=3), "wish": Value(string_value="Ana"), "gone": Value(bool_value=True)})  # fmt: skip
    types = {
        "area": common_pb2.CUSTOM_FIELD_TYPE_NUMBER,
        "wish": common_pb2.CUSTOM_FIELD_TYPE_TEXT,
    }

    assert dict(privacy.anonymised(deal, {PERSON}, types).custom) == {"area": Value(number_value=3)}


def test_the_seller_of_an_invoice_is_not_the_customer() -> None:
    invoice = invoice_pb2.Invoice(
        number="F/1", seller={"name": "We"}, buyer={"name": "Ana", "country": "PL"}
    )

    bare = privacy.anonymised(invoice, {PERSON}, {})

    assert (bare.number, bare.seller.name, bare.buyer.name, bare.buyer.country) == ("F/1", "We", "", "PL")  # fmt: skip


def test_only_what_was_issued_must_be_kept() -> None:
    issued = invoice_pb2.Invoice(number="F/1", contact_id=PERSON, note="slow", buyer={"name": "Ana"})  # fmt: skip

    assert privacy.must_be_kept("invoice", issued)
    assert not privacy.must_be_kept("invoice", invoice_pb2.Invoice())
    assert not privacy.must_be_kept("deal", deal_pb2.Deal())
    assert privacy.without_reference(issued, {PERSON}) == invoice_pb2.Invoice(
        number="F/1", buyer={"name": "Ana"}
    )


def test_what_names_nobody_is_about_whom_its_deal_is_about() -> None:
    deal = uuid7()
    nobodys, firms = invoice_pb2.Invoice(deal_id=deal), invoice_pb2.Invoice(deal_id=deal, company_id=OTHER)  # fmt: skip

    assert privacy.is_about(nobodys, {PERSON}, (), [deal])
    assert not privacy.is_about(firms, {PERSON}, (), [deal])
    assert not privacy.is_about(nobodys, {PERSON}, (), [])
    assert privacy.is_about(Deal(request_ids=[OTHER]), {PERSON}, [OTHER])
