"""What becomes of issued invoices: credit notes, payments, instalments that are overdue, and what is planned to come in."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.type.date_pb2 import Date

from chassis import errors
from chassis.call import Actor, Cause
from chassis.db.names import database_of
from chassis.rights import Rights
from chassis.tx import Draws, Tx
from chassis.waits import first_of
from crm.contacts.v1 import party_pb2
from crm.deals.v1 import invoice_verbs_pb2, legal_entity_pb2
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from crm.identity.v1 import events_pb2 as identity
from crm.identity.v1.tenant_pb2 import Tenant
from services.deals import consumers_sellers, timers_invoices
from services.deals.rpc.invoices import InvoicesRpcs
from tests.service.deals import hearing
from tests.service.deals.invoicing import Instalment, Invoice, Invoicing, line
from tests.service.deals.world import World
from tests.service.worlds import Refused

Asked = invoice_verbs_pb2.CreditLine


@pytest.fixture
def invoicing(world: World) -> Invoicing:
    return Invoicing(world)


def dated(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def today(zone: str = "Europe/Warsaw") -> date:
    return datetime.now(ZoneInfo(zone)).date()


# -- credit notes ----------------------------------------------------------------------------------


async def test_a_credit_note_takes_back_a_part_and_the_next_one_the_rest(
    invoicing: Invoicing,
) -> None:
    invoice = await invoicing.issued(lines=[line("3", "10"), line("1", "5")])
    first, second = invoice.lines

    part = await invoicing.credit(invoice, Asked(line_id=first.id, quantity="2"))
    assert (part.type, part.state, part.totals.gross) == (InvoiceType.INVOICE_TYPE_CREDIT_NOTE, Invoice.STATE_ISSUED, "-20.00")  # fmt: skip
    assert part.number.startswith("FK/")
    assert (part.credited_invoice_id, part.credited_number) == (invoice.id, invoice.number)
    left = await invoicing.get(invoice)
    assert (left.credited_amount, left.open_amount) == ("20.00", "15.00")
    assert left.instalments[0].open_amount == "15.00"

    rest = await invoicing.credit(invoice)
    assert [(each.id, each.quantity) for each in rest.lines] == [(first.id, "-1"), (second.id, "-1")]  # fmt: skip
    gone = await invoicing.get(invoice)
    assert (gone.state, gone.open_amount) == (Invoice.STATE_CANCELLED, "0.00")
    told = await invoicing.world.events("InvoiceCredited", 2)
    assert [each["amount"] for each in told] == ["20.00", "15.00"]
    assert await invoicing.world.count("timers") == 0


async def test_more_than_is_left_is_never_taken_back(invoicing: Invoicing) -> None:
    invoice = await invoicing.issued(lines=[line("3", "10")])
    asked = Asked(line_id=invoice.lines[0].id, quantity="2")
    await invoicing.credit(invoice, asked)

    async with Refused(invoicing.world, errors.FailedPrecondition, "CREDIT_TOO_MUCH", "lines[0].quantity"):  # fmt: skip
        await invoicing.credit(invoice, asked)
    async with Refused(invoicing.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "lines[0].line_id"):  # fmt: skip
        await invoicing.credit(invoice, Asked(line_id=invoice.id))
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "issue_date"):
        await invoicing.credit(invoice, issue_date=Date(year=2020, month=1, day=1))
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "lines[0].quantity"):  # fmt: skip
        await invoicing.credit(invoice, Asked(line_id=invoice.lines[0].id, quantity="-1"))


async def test_only_what_is_owed_and_issued_is_taken_back(invoicing: Invoicing) -> None:
    draft = await invoicing.draft()
    proforma = await invoicing.issued(type=InvoiceType.INVOICE_TYPE_PROFORMA)
    note = await invoicing.credit(await invoicing.issued())
    for each in (draft, proforma, note):
        async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_WRONG_STATE"):
            await invoicing.credit(each)
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "type"):
        await invoicing.draft(type=InvoiceType.INVOICE_TYPE_CREDIT_NOTE)


async def test_twenty_credit_notes_at_once_take_back_what_there_is_and_no_more(
    invoicing: Invoicing,
) -> None:
    invoice = await invoicing.issued(lines=[line("5", "0.33", discount_percent="12.345")])
    asked = Asked(line_id=invoice.lines[0].id, quantity="1")

    answers = await asyncio.gather(
        *(invoicing.credit(invoice, asked) for _ in range(20)), return_exceptions=True
    )

    made = [each for each in answers if isinstance(each, Invoice)]
    assert {type(each) for each in answers} == {Invoice, errors.FailedPrecondition}
    assert len(made) == 5
    assert sum(Decimal(each.totals.gross) for each in made) == -Decimal(invoice.totals.gross)
    assert (await invoicing.get(invoice)).state == Invoice.STATE_CANCELLED
    assert sorted(each.number[-4:] for each in made) == ["0001", "0002", "0003", "0004", "0005"]


async def test_a_paid_invoice_that_is_taken_back_is_overpaid(invoicing: Invoicing) -> None:
    invoice = await invoicing.issued()
    await invoicing.pay(invoice, "100")

    await invoicing.credit(invoice)

    left = await invoicing.get(invoice)
    assert (left.state, left.open_amount, left.overpaid_amount) == (Invoice.STATE_CANCELLED, "0.00", "100.00")  # fmt: skip


# -- payments --------------------------------------------------------------------------------------


async def test_payments_cover_the_first_instalments_first_and_paid_is_told_once(
    invoicing: Invoicing,
) -> None:
    parts = [Instalment(percent="30"), Instalment(percent="70")]
    invoice = await invoicing.issued(instalments=parts)

    some = await invoicing.pay(invoice, "40")
    assert (some.state, some.paid_amount, some.open_amount) == (Invoice.STATE_PARTLY_PAID, "40.00", "60.00")  # fmt: skip
    assert [(each.paid_amount, each.open_amount) for each in some.instalments] == [("30.00", "0.00"), ("10.00", "60.00")]  # fmt: skip
    await invoicing.pay(invoice, "100")
    over = await invoicing.pay(invoice, "120")

    assert (over.state, over.open_amount, over.overpaid_amount) == (Invoice.STATE_PAID, "0.00", "20.00")  # fmt: skip
    await invoicing.world.published()
    assert len(await invoicing.world.events("InvoicePaid")) == 1


async def test_a_draft_and_a_credit_note_are_never_paid(invoicing: Invoicing) -> None:
    draft = await invoicing.draft()
    note = await invoicing.credit(await invoicing.issued())
    for each in (draft, note):
        async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_WRONG_STATE"):
            await invoicing.pay(each, "1")


# -- instalments that are overdue ------------------------------------------------------------------


async def test_an_instalment_whose_day_passed_is_told_once(invoicing: Invoicing) -> None:
    passed = today() - timedelta(days=2)
    parts = [Instalment(percent="30", due_date=dated(passed)), Instalment(percent="70", due_date=dated(today() + timedelta(days=9)))]  # fmt: skip
    draft = await invoicing.draft(instalments=parts)
    invoice = await invoicing.issue(draft, issue_date=dated(passed - timedelta(days=1)))

    [told] = await invoicing.world.events("InstalmentOverdue")
    assert (told["instalmentId"], told["amount"]) == (invoice.instalments[0].id, "30.00")
    late = await invoicing.get(invoice)
    assert [each.HasField("overdue_time") for each in late.instalments] == [True, False]
    [row] = await invoicing.world.running.rows("deals", "SELECT due_at FROM timers WHERE tenant_id = $1", invoicing.world.tenant.id)  # fmt: skip
    assert row["due_at"] == timers_invoices.passed(today() + timedelta(days=9), "Europe/Warsaw")

    async def again(tx: Tx) -> None:
        await timers_invoices.overdue({"invoice_id": invoice.id}, tx)

    await invoicing.work(again)
    assert (await invoicing.get(invoice)).etag == late.etag


async def test_what_is_paid_or_moved_is_not_overdue(invoicing: Invoicing) -> None:
    due = today("Pacific/Kiritimati") + timedelta(days=1)
    invoice = await invoicing.issued(instalments=[Instalment(percent="100", due_date=dated(due))])
    assert await invoicing.world.count("timers") == 1

    async def early(tx: Tx) -> None:
        await timers_invoices.overdue({"invoice_id": invoice.id}, tx)

    await invoicing.work(early)  # as if the company's zone had moved since it was set
    assert not (await invoicing.get(invoice)).instalments[0].HasField("overdue_time")
    assert await invoicing.world.count("timers") == 1
    await invoicing.pay(invoice, "100")
    assert await invoicing.world.count("timers") == 0


async def test_nothing_is_overdue_by_a_proforma(invoicing: Invoicing) -> None:
    await invoicing.issued(type=InvoiceType.INVOICE_TYPE_PROFORMA)

    assert await invoicing.world.count("timers") == 0


async def test_an_instalment_that_has_a_day_keeps_it(invoicing: Invoicing) -> None:
    invoice = await invoicing.issued()

    def schedule(id: str, day: date) -> Any:
        return invoicing.stub.ScheduleInstalment(
            invoice_verbs_pb2.ScheduleInstalmentRequest(id=invoice.id, instalment_id=id, due_date=dated(day))
        )  # fmt: skip

    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "due_date"):
        await schedule(invoice.instalments[0].id, today() + timedelta(days=30))
    async with Refused(invoicing.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "instalment_id"):  # fmt: skip
        await schedule(invoice.id, today())


# -- who buys and sells ----------------------------------------------------------------------------


async def test_the_buyer_is_what_is_known_of_company_or_contact_when_it_is_issued(
    invoicing: Invoicing,
) -> None:
    address = party_pb2.Address(lines=["Prosta 5"], postal_code="00-838", city="Warszawa", country="PL")  # fmt: skip
    person = await hearing.contact(invoicing.world, given_name="Jan", family_name="Kot", addresses=[address])  # fmt: skip
    company = await hearing.company(invoicing.world, name="Okna", legal_name="Okna sp. z o.o.")
    to_person = await invoicing.draft(buyer=None, contact_id=person)
    to_company = await invoicing.draft(buyer=None, contact_id=person, company_id=company)

    first, second = await invoicing.issue(to_person), await invoicing.issue(to_company)

    assert (first.buyer.name, list(first.buyer.address_lines)) == ("Jan Kot", ["Prosta 5", "00-838 Warszawa"])  # fmt: skip
    assert second.buyer.name == "Okna sp. z o.o."
    await hearing.contact(invoicing.world, person, version=2, given_name="Jan", family_name="Lis")
    assert (await invoicing.get(first)).buyer.name == "Jan Kot"


async def test_an_invoice_waits_for_the_version_of_the_customer_that_was_seen(
    invoicing: Invoicing,
) -> None:
    person = await hearing.contact(invoicing.world, given_name="Jan")
    draft = await invoicing.draft(buyer=None, contact_id=person)
    async with Refused(invoicing.world, errors.Aborted, "PARTY_NOT_HERE_YET", "contact_etag"):
        await invoicing.issue(draft, contact_etag="2")
    assert (await invoicing.issue(draft, contact_etag="1")).buyer.name == "Jan"


async def test_the_own_legal_entity_follows_the_company_until_somebody_changes_it(
    invoicing: Invoicing,
) -> None:
    tenant = invoicing.world.tenant
    company = Tenant(id=tenant.id, name="Test", country="PL")
    company.legal.legal_name, company.legal.tax_number = "Test sp. z o.o.", "5260001246"
    company.legal.bank_accounts.add(number="PL61109010140000071219812874")

    async def told(name: str) -> legal_entity_pb2.LegalEntity:
        company.legal.legal_name = name
        event = identity.TenantUpdated(tenant=company)
        await hearing.hear(invoicing.world, consumers_sellers.follow, event)
        asked = legal_entity_pb2.GetLegalEntityRequest(id=tenant.id)
        return await invoicing.stub.GetLegalEntity(asked)

    entity = await told("Test sp. z o.o.")
    assert (entity.seller.name, entity.seller.tax_number) == ("Test sp. z o.o.", "5260001246")
    assert (await invoicing.issued()).seller == entity.seller

    request = legal_entity_pb2.UpdateLegalEntityRequest(
        legal_entity=legal_entity_pb2.LegalEntity(id=tenant.id, seller={"name": "By hand"})
    )
    request.update_mask.paths.append("seller.name")
    assert not (await invoicing.stub.UpdateLegalEntity(request)).follows_company
    assert (await told("Another")).seller.name == "By hand"


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "year"), [("Asia/Jakarta", 2027), ("Europe/Warsaw", 2026), ("UTC", 2026)]
)
async def test_the_year_of_a_number_is_that_of_the_companys_calendar(
    invoicing: Invoicing, zone: str, year: int
) -> None:
    world = invoicing.world
    entry = {**world.running.process.directory.of(world.tenant.id).tenant(), "time_zone": zone}
    await world.tenant.put("tenant", world.tenant.id, entry)
    draft = await invoicing.draft()
    runtime = world.running.process.runtimes["deals"]
    tx = Tx(
        runtime, tenant=world.tenant.id, actor=Actor("system"), cause=Cause("rpc"), rights=Rights.of_system(),
        draws=Draws(datetime(2026, 12, 31, 17, 30, tzinfo=UTC)),
    )  # fmt: skip
    request = invoice_verbs_pb2.IssueInvoiceRequest(id=draft.id)

    issued = await InvoicesRpcs(runtime).IssueInvoice(request, tx)
    await tx.abort()

    assert issued.number == f"FV/{year}/0001"
    assert issued.issue_date.year == year


@pytest.mark.large
async def test_fifty_at_once_get_fifty_numbers_without_gap_or_twin_although_connections_are_killed(
    invoicing: Invoicing,
) -> None:
    drafts = [await invoicing.draft() for _ in range(50)]
    running, left = invoicing.world.running, set(range(50))
    killed = 0

    async def issue(at: int) -> Invoice:
        while True:
            try:
                issued = await invoicing.issue(drafts[at], request_id=f"issue-{at}")
            except (
                errors.Unavailable
            ):  # its connection was killed; nobody knows whether before the commit
                continue
            left.discard(at)
            return issued

    async def kill() -> None:
        nonlocal killed
        sql = (
            "SELECT count(pg_terminate_backend(pid)) AS n FROM (SELECT pid FROM pg_stat_activity WHERE datname = $1"
            " AND query LIKE '%invoice_numbers%' AND pid <> pg_backend_pid() AND state <> 'idle' LIMIT 2) AS few"
        )
        while left and killed < 12:
            killed += (await running.rows("deals", sql, database_of("deals")))[0]["n"]
            await first_of(asyncio.Event(), timeout_s=0.01)

    *issued, _ = await asyncio.gather(*(issue(at) for at in range(50)), kill())

    year = issued[0].issue_date.year
    assert sorted(each.number for each in issued) == [f"FV/{year}/{n:04}" for n in range(1, 51)]
    assert killed > 0
    told = await invoicing.world.events("InvoiceIssued", 50)
    await invoicing.world.published()
    assert len({each["invoice"]["id"] for each in told}) == 50
    assert (await invoicing.issued()).number == f"FV/{year}/0051"


async def test_ten_who_issue_one_draft_issue_it_once(invoicing: Invoicing) -> None:
    draft = await invoicing.draft()

    answers = await asyncio.gather(
        *(invoicing.issue(draft) for _ in range(10)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in answers) == ["FailedPrecondition"] * 9 + ["Invoice"]  # fmt: skip
    assert (await invoicing.issued()).number.endswith("/0002")
