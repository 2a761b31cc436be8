"""Drafts of invoices, and what :issue makes of them."""

import asyncio

import pytest
from google.type.date_pb2 import Date

from chassis import errors
from crm.deals.v1 import deal_verbs_pb2, invoice_pb2, invoice_verbs_pb2, legal_entity_pb2
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from tests.service.deals.invoicing import Instalment, Invoice, Invoicing, line
from tests.service.deals.world import World
from tests.service.worlds import Refused


@pytest.fixture
def invoicing(world: World) -> Invoicing:
    return Invoicing(world)


async def test_a_new_invoice_is_a_draft_of_the_companys_own_legal_entity(
    invoicing: Invoicing,
) -> None:
    draft = await invoicing.draft()

    assert (draft.state, draft.type) == (Invoice.STATE_DRAFT, InvoiceType.INVOICE_TYPE_INVOICE)
    assert draft.legal_entity_id == invoicing.world.tenant.id
    assert (draft.number, draft.totals.gross, draft.currency) == ("", "100.00", "PLN")
    entity = await invoicing.stub.GetLegalEntity(
        legal_entity_pb2.GetLegalEntityRequest(id=draft.legal_entity_id)
    )
    assert entity.follows_company
    assert [each.pattern for each in entity.series] == [
        "FV/{year}/{number:04}", "PRO/{year}/{number:04}", "FK/{year}/{number:04}", "FZ/{year}/{number:04}",
    ]  # fmt: skip


async def test_issuing_gives_the_next_number_and_freezes_both_sides(invoicing: Invoicing) -> None:
    first, second = await invoicing.issued(), await invoicing.issued()

    year = first.issue_date.year
    assert [first.number, second.number] == [f"FV/{year}/0001", f"FV/{year}/0002"]
    assert (first.state, first.open_amount, first.paid_amount) == (Invoice.STATE_ISSUED, "100.00", "0.00")  # fmt: skip
    assert (first.seller.name, first.buyer.name) == ("Test", "Ana Nowak")
    assert first.sale_date == first.issue_date
    [instalment] = first.instalments
    assert (instalment.amount, instalment.open_amount) == ("100.00", "100.00")
    told = await invoicing.world.events("InvoiceIssued", 2)
    assert [each["invoice"]["number"] for each in told] == [first.number, second.number]


async def test_each_kind_counts_for_itself(invoicing: Invoicing) -> None:
    invoice = await invoicing.issued()
    proforma = await invoicing.issued(type=InvoiceType.INVOICE_TYPE_PROFORMA)
    advance = await invoicing.issued(type=InvoiceType.INVOICE_TYPE_ADVANCE)

    numbers = [each.number.rpartition("/")[2] for each in (invoice, proforma, advance)]
    assert numbers == ["0001", "0001", "0001"]


async def test_an_invoice_takes_over_the_deals_lines_unchanged(invoicing: Invoicing) -> None:
    world = invoicing.world
    seller = await world.seller()
    deal = await world.make(
        owner_id=seller.id, tax_included=True, discount_percent="10", contact_id=world.tenant.id,
        lines=[line("3", "0.33"), line("1", "100")],
    )  # fmt: skip

    draft = await invoicing.draft(deal_id=deal.id)

    assert list(draft.lines) == list(deal.lines)
    assert draft.totals == deal.totals
    assert (draft.discount_percent, draft.tax_included, draft.currency) == ("10", True, "PLN")
    assert (draft.contact_id, draft.owner_id) == (deal.contact_id, seller.id)


async def test_who_reads_the_deal_reads_its_invoice_also_after_it_was_given_away(
    invoicing: Invoicing,
) -> None:
    world = invoicing.world
    first, second = await invoicing.reader(), await invoicing.reader()
    deal = await world.make(owner_id=first.id, lines=[line()])
    invoice = await invoicing.issued(deal_id=deal.id)
    assert (await invoicing.get(invoice, first)).id == invoice.id

    await world.admin.AssignDeal(deal_verbs_pb2.AssignDealRequest(id=deal.id, owner_id=second.id))

    assert (await invoicing.get(invoice, second)).owner_id == second.id
    with pytest.raises(errors.NotFound):
        await invoicing.get(invoice, first)


async def test_instalments_by_percent_come_to_the_whole(invoicing: Invoicing) -> None:
    parts = [Instalment(percent="30", due_date=Date(year=2999, month=1, day=1)), Instalment(percent="70", label="on delivery")]  # fmt: skip
    invoice = await invoicing.issued(lines=[line("1", "0.05")], instalments=parts)

    assert [each.amount for each in invoice.instalments] == ["0.02", "0.03"]
    assert not invoice.instalments[1].HasField("due_date")

    scheduled = await invoicing.stub.ScheduleInstalment(
        invoice_verbs_pb2.ScheduleInstalmentRequest(
            id=invoice.id, instalment_id=invoice.instalments[1].id,
            due_date=Date(year=2999, month=2, day=1),
        )
    )  # fmt: skip
    assert scheduled.instalments[1].due_date == Date(year=2999, month=2, day=1)


@pytest.mark.parametrize(
    ("parts", "field", "words"),
    [
        ([{"percent": "30"}, {"percent": "60"}], "instalments", "come to 90%; they must come to 100%"),
        ([{"amount": "40"}, {"amount": "40"}], "instalments", "come to 80 PLN; they must come to 100.00 PLN"),
        ([{"percent": "101"}], "instalments[0].percent", "101 is no percentage between 0 and 100"),
        ([{"percent": "50"}, {"amount": "50"}], "instalments[1].percent", "all instalments say a percentage"),
        (
            [{"percent": "50", "due_date": Date(year=2030, month=2, day=1)}, {"percent": "50", "due_date": Date(year=2030, month=1, day=1)}],
            "instalments[1].due_date", "2030-01-01 is before that of the instalment above it, 2030-02-01",
        ),
        ([{"percent": "100", "due_date": Date(year=2030, month=2, day=30)}], "instalments[0].due_date", "is no day of the calendar"),
    ],
)  # fmt: skip
async def test_instalments_that_cannot_be_are_refused(
    invoicing: Invoicing, parts: list[dict], field: str, words: str
) -> None:
    draft = await invoicing.draft()
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", field) as refused:
        await invoicing.update(draft, instalments=[Instalment(**part) for part in parts])
    assert words in refused.error.violations[0].description


async def test_an_issued_invoice_keeps_everything_but_the_note(invoicing: Invoicing) -> None:
    invoice = await invoicing.issued()

    noted = await invoicing.update(invoice, note="paid in cash?")
    assert noted.note == "paid in cash?"

    async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_FIXED", "buyer", "lines"):  # fmt: skip
        await invoicing.update(invoice, lines=[line("3")], buyer={"name": "Eva"})
    async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_WRONG_STATE"):
        await invoicing.stub.DeleteInvoice(invoice_pb2.DeleteInvoiceRequest(id=invoice.id))
    async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_WRONG_STATE"):
        await invoicing.issue(invoice)


async def test_what_lacks_lines_or_a_buyer_is_not_issued(invoicing: Invoicing) -> None:
    draft = await invoicing.draft(lines=[], buyer=None)
    async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_INCOMPLETE", "lines", "buyer.name"):  # fmt: skip
        await invoicing.issue(draft)


async def test_no_invoice_is_dated_in_the_future_or_due_before_its_date(
    invoicing: Invoicing,
) -> None:
    due = [Instalment(percent="100", due_date=Date(year=2020, month=1, day=1))]
    draft = await invoicing.draft(instalments=due)
    fields = ("issue_date", "instalments[0].due_date")
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", *fields) as refused:  # fmt: skip
        await invoicing.issue(draft, issue_date=Date(year=2999, month=1, day=1))
    assert "2020-01-01 is before the invoice's date, 2999-01-01" in refused.error.violations[1].description  # fmt: skip


async def test_another_currency_than_the_deals_is_refused(invoicing: Invoicing) -> None:
    deal = await invoicing.world.make(lines=[line()])
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "currency"):
        await invoicing.draft(deal_id=deal.id, currency="EUR")


async def test_a_deal_or_quote_that_is_not_there_is_refused_by_name(invoicing: Invoicing) -> None:
    nowhere = (await invoicing.draft()).id
    async with Refused(invoicing.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "deal_id", "quote_id"):  # fmt: skip
        await invoicing.draft(deal_id=nowhere, quote_id=nowhere)


async def test_a_draft_is_given_up_and_a_proforma_too(invoicing: Invoicing) -> None:
    draft = await invoicing.draft()
    proforma = await invoicing.issued(type=InvoiceType.INVOICE_TYPE_PROFORMA)
    for each in (draft, proforma):
        request = invoice_verbs_pb2.CancelInvoiceRequest(id=each.id, reason="no need")
        cancelled = await invoicing.stub.CancelInvoice(request)
        assert (cancelled.state, cancelled.reason) == (Invoice.STATE_CANCELLED, "no need")
    await invoicing.world.events("InvoiceCancelled", 2)

    issued = await invoicing.issued()
    async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_WRONG_STATE"):
        await invoicing.stub.CancelInvoice(invoice_verbs_pb2.CancelInvoiceRequest(id=issued.id))


async def test_what_costs_nothing_is_paid_as_soon_as_it_is_issued(invoicing: Invoicing) -> None:
    invoice = await invoicing.issued(lines=[line("1", "0")])

    assert invoice.state == Invoice.STATE_PAID
    [paid] = await invoicing.world.events("InvoicePaid")
    assert paid["invoice"]["id"] == invoice.id


async def test_a_number_that_was_given_is_never_given_again(invoicing: Invoicing) -> None:
    await invoicing.issued()
    await _patterns(invoicing, "A/{year}/{number}", "FV/{year}/{number:04}")
    advance = await invoicing.draft(type=InvoiceType.INVOICE_TYPE_ADVANCE)
    async with Refused(invoicing.world, errors.AlreadyExists, "INVOICE_NUMBER_TAKEN", "series"):
        await invoicing.issue(advance)


async def test_series_that_cannot_number_are_refused(invoicing: Invoicing) -> None:
    await invoicing.draft()
    fields = ("series[0].pattern", "series[1].pattern")
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", *fields):
        await _patterns(invoicing, "FV/{number}", "FV/{year}")
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "series[3].pattern"):  # fmt: skip
        await _patterns(invoicing, "X/{year}/{number}", "X/{yy}/{number:04}")


async def _patterns(invoicing: Invoicing, invoice: str, advance: str) -> None:
    entity = legal_entity_pb2.LegalEntity(id=invoicing.world.tenant.id)
    entity.series.add(type=InvoiceType.INVOICE_TYPE_INVOICE, pattern=invoice)
    entity.series.add(type=InvoiceType.INVOICE_TYPE_ADVANCE, pattern=advance)
    request = legal_entity_pb2.UpdateLegalEntityRequest(legal_entity=entity)
    request.update_mask.paths.append("series")
    await invoicing.stub.UpdateLegalEntity(request)


async def test_a_retired_legal_entity_issues_nothing_and_the_own_one_stays(
    invoicing: Invoicing,
) -> None:
    draft = await invoicing.draft()
    request = legal_entity_pb2.UpdateLegalEntityRequest(
        legal_entity=legal_entity_pb2.LegalEntity(id=draft.legal_entity_id, retired=True)
    )
    request.update_mask.paths.append("retired")
    entity = await invoicing.stub.UpdateLegalEntity(request)
    assert entity.follows_company  # only name and seller are the company's
    async with Refused(invoicing.world, errors.FailedPrecondition, "LEGAL_ENTITY_NEEDED"):
        await invoicing.issue(draft)
    async with Refused(invoicing.world, errors.FailedPrecondition, "LEGAL_ENTITY_NEEDED"):
        await invoicing.stub.DeleteLegalEntity(
            legal_entity_pb2.DeleteLegalEntityRequest(id=draft.legal_entity_id)
        )


async def test_who_only_reads_changes_nothing(invoicing: Invoicing) -> None:
    reader = await invoicing.reader()
    deal = await invoicing.world.make(owner_id=reader.id, lines=[line()])
    invoice = await invoicing.draft(deal_id=deal.id)
    async with Refused(invoicing.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await invoicing.stub_of(reader).IssueInvoice(
            invoice_verbs_pb2.IssueInvoiceRequest(id=invoice.id)
        )


async def test_the_first_drafts_of_a_company_at_once_make_one_legal_entity(
    invoicing: Invoicing,
) -> None:
    await asyncio.gather(*(invoicing.draft() for _ in range(5)))

    assert await invoicing.world.count("legal_entities") == 1


async def test_a_repeated_request_issues_nothing_twice(invoicing: Invoicing) -> None:
    draft = await invoicing.draft()
    first = await invoicing.issue(draft, request_id="once")
    again = await invoicing.issue(draft, request_id="once")

    assert again == first
    assert (await invoicing.issued()).number.endswith("/0002")


async def test_figures_that_only_payments_make_are_not_taken_from_outside(
    invoicing: Invoicing,
) -> None:
    sent = Instalment(percent="100", paid_amount="100", open_amount="0")
    draft = await invoicing.draft(instalments=[sent], paid_amount="100", number="FV/1")

    assert (draft.paid_amount, draft.number, draft.instalments[0].paid_amount) == ("", "", "")
    assert (await invoicing.issue(draft)).open_amount == "100.00"
