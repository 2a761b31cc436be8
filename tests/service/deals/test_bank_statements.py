"""Bank statements: each line counts once, what is sure is paid, the rest waits for somebody."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from chassis import errors
from chassis.settling import settled
from crm.deals.v1 import bank_statement_line_pb2 as pb
from crm.deals.v1 import bank_statement_pb2
from services.deals import statements
from tests.service.deals import moving
from tests.service.deals.invoicing import Invoice, line
from tests.service.deals.paying import Allocation, Paying, Payment
from tests.service.deals.world import World
from tests.service.worlds import Refused
from tests.unit.deals.statement_files import CAMT, details_of, entry_of

Line = pb.BankStatementLine
BankStatement = bank_statement_pb2.BankStatement
HEADER = "Date;Text;Payer;Payer account;Amount;Bank reference"


class Bank(Paying):
    """Statements of the tenant's account."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world.tables = (
            *self.world.tables,
            "bank_statements_history",
            "bank_statement_lines_history",
        )  # type: ignore[misc]

    async def upload(self, *rows: str, content: str = "", type: str = "text/csv", **given: Any) -> BankStatement:  # fmt: skip
        """A statement of these rows, after everything that is sure was paid."""
        text = content or "\n".join((HEADER, *rows))
        file_id = await moving.put_file(self.world, text.encode(), name="bank.csv", type=type)
        statement = BankStatement(**{"file_id": file_id, "account": "PL1", **given})
        made = await self.payments.CreateBankStatement(
            bank_statement_pb2.CreateBankStatementRequest(bank_statement=statement)
        )
        await settled(self.world.running.process)
        return await self.payments.GetBankStatement(
            bank_statement_pb2.GetBankStatementRequest(id=made.id)
        )

    async def lines(self, filter: str = "") -> Sequence[Line]:
        request = pb.ListBankStatementLinesRequest(filter=filter, order_by="amount")
        return (await self.payments.ListBankStatementLines(request)).bank_statement_lines

    async def match(self, line: Line, **given: Any) -> Line:
        return await self.payments.MatchBankStatementLine(
            pb.MatchBankStatementLineRequest(id=line.id, **given)
        )

    async def undo(self, line: Line) -> Line:
        return await self.payments.UndoBankStatementLine(
            pb.UndoBankStatementLineRequest(id=line.id)
        )


@pytest.fixture
def bank(world: World) -> Bank:
    return Bank(world)


async def test_what_is_sure_is_paid_and_the_doubtful_is_listed_with_candidates(bank: Bank) -> None:
    deal = await bank.world.make(lines=[line()])
    sure, doubted = await bank.issued(deal_id=deal.id), await bank.issued(buyer={"name": "Jan Kos"})

    statement = await bank.upload(
        f"2026-11-20;Zaplata {sure.number.replace('/', ' ')};Ana Nowak;PL27;100.00;R1",
        "2026-11-20;za okna;Jan Kos;PL28;33.00;R2",
        "2026-11-20;prad;Energa;PL29;-80.00;R3",
    )

    assert (statement.state, statement.line_count, statement.matched_count, statement.doubtful_count) == (
        BankStatement.STATE_MATCHED, 3, 1, 1,
    )  # fmt: skip
    assert (await bank.get(sure)).state == Invoice.STATE_PAID
    assert (await bank.world.deal(deal.id)).paid_amount == "100.00"
    [matched] = await bank.lines("state = MATCHED")
    [told] = await bank.world.events("PaymentReceived")
    assert (told["payment"]["id"], told["payment"]["source"]) == (
        matched.payment_id,
        "SOURCE_STATEMENT",
    )
    [open_] = await bank.lines("state = DOUBTFUL")
    assert [(each.invoice_id, list(each.reasons)) for each in open_.candidates] == [
        (doubted.id, [pb.MatchCandidate.REASON_NAME])
    ]
    assert [each.amount for each in await bank.lines("state = OUTGOING")] == ["80.00"]


async def test_a_camt_statement_is_taken_with_its_account_and_balances(bank: Bank) -> None:
    invoice = await bank.issued()
    entry = entry_of(details=details_of(text=f"za {invoice.number}", name="<Nm>Ana Nowak</Nm>"))
    content = CAMT.format(version="08", entries=entry + entry_of(status="PDNG", reference="R2"))

    statement = await bank.upload(content=content, type="application/xml", account="")

    assert (statement.format, statement.account) == (
        BankStatement.FORMAT_CAMT053,
        "PL61109010140000071219812874",
    )
    assert (statement.opening_balance, statement.closing_balance, statement.pending_count) == (
        "-10.00",
        "989.00",
        1,
    )
    assert (await bank.get(invoice)).state == Invoice.STATE_PAID


async def test_a_line_is_counted_once_whatever_files_bring_it(bank: Bank) -> None:
    invoice = await bank.issued(lines=[line("3")])
    first = f"2026-11-20;{invoice.number};Ana Nowak;PL27;50.00;"
    rows = [first, first, f"2026-11-21;{invoice.number};Ana Nowak;PL27;20.00;"]

    await bank.upload(*rows[:2])
    again = await bank.upload(*rows[:2])
    overlapping = await bank.upload(*rows)

    assert (again.repeated_count, overlapping.repeated_count) == (2, 2)
    assert len(await bank.lines()) == 3
    paid = await bank.get(invoice)
    assert (paid.paid_amount, paid.open_amount) == ("120.00", "30.00")


async def test_the_same_file_sent_by_several_at_once_counts_once(bank: Bank) -> None:
    invoice = await bank.issued()
    row = f"2026-11-20;{invoice.number};Ana Nowak;PL27;40.00;"

    await asyncio.gather(*(bank.upload(row) for _ in range(5)))

    assert len(await bank.lines()) == 1
    assert (await bank.get(invoice)).paid_amount == "40.00"


async def test_more_than_the_invoice_leaves_a_rest_that_is_flagged(bank: Bank) -> None:
    invoice = await bank.issued()
    await bank.upload(f"2026-11-20;{invoice.number};Ana Nowak;PL27;130.00;")

    [matched] = await bank.lines()
    payment = await bank.payment(Payment(id=matched.payment_id))
    assert (payment.unallocated_amount, payment.over_paid) == ("30.00", True)
    assert (await bank.get(invoice)).overpaid_amount == "0.00"


async def test_a_payment_that_somebody_recorded_before_is_linked_not_doubled(bank: Bank) -> None:
    invoice = await bank.issued()
    recorded = await bank.pay("100", invoice, payer_name="Ana Nowak")

    day = recorded.time.ToDatetime().date()
    await bank.upload(f"{day};{invoice.number};Ana Nowak;PL27;100.00;")

    [matched] = await bank.lines()
    assert (matched.state, matched.payment_id) == (Line.STATE_MATCHED, recorded.id)
    assert len(await bank.world.events("PaymentReceived")) == 1

    await bank.undo(matched)
    assert (await bank.payment(recorded)).statement_line_id == ""


async def test_somebody_says_what_a_doubtful_line_is_and_takes_it_back(bank: Bank) -> None:
    invoice = await bank.issued()
    statement = await bank.upload("2026-11-20;okna;Ktos;PL27;60.00;")
    [doubtful] = await bank.lines()

    matched = await bank.match(doubtful, allocations=[Allocation(invoice_id=invoice.id)])
    assert (await bank.get(invoice)).open_amount == "40.00"
    async with Refused(bank.world, errors.FailedPrecondition, "LINE_WRONG_STATE"):
        await bank.match(matched, allocations=[Allocation(invoice_id=invoice.id)])
    async with Refused(bank.world, errors.FailedPrecondition, "PAYMENT_WRONG_STATE"):
        await bank.delete(Payment(id=matched.payment_id))

    again = await bank.undo(matched)
    assert (again.state, again.payment_id) == (Line.STATE_DOUBTFUL, "")
    assert (await bank.get(invoice)).open_amount == "100.00"
    request = pb.IgnoreBankStatementLineRequest(id=again.id, note="a gift")
    ignored = await bank.payments.IgnoreBankStatementLine(request)
    assert (ignored.state, ignored.note) == (Line.STATE_IGNORED, "a gift")
    counted = await bank.payments.GetBankStatement(
        bank_statement_pb2.GetBankStatementRequest(id=statement.id)
    )
    assert (counted.matched_count, counted.doubtful_count) == (0, 0)
    assert (await bank.undo(ignored)).state == Line.STATE_DOUBTFUL


async def test_a_line_is_matched_once_by_many_at_once(bank: Bank) -> None:
    invoice = await bank.issued()
    await bank.upload("2026-11-20;okna;Ktos;PL27;60.00;")
    [doubtful] = await bank.lines()

    done = await asyncio.gather(
        *(bank.match(doubtful, allocations=[Allocation(invoice_id=invoice.id)]) for _ in range(8)),
        return_exceptions=True,
    )

    refused = [each for each in done if isinstance(each, errors.CrmError)]
    assert [each.reason for each in refused] == ["LINE_WRONG_STATE"] * 7
    assert (await bank.get(invoice)).paid_amount == "60.00"


async def test_money_that_went_out_may_pay_a_payment_back(bank: Bank) -> None:
    invoice = await bank.issued()
    payment = await bank.pay("100", invoice)
    day = payment.time.ToDatetime().date()
    await bank.upload(
        f"{day};zwrot;Ana Nowak;PL27;-100.00;", f"{day};zwrot;Ana Nowak;PL27;-101.00;"
    )
    back, too_much = await bank.lines("state = OUTGOING")

    async with Refused(bank.world, errors.InvalidArgument, "VALUES_INVALID", "payment_id"):
        await bank.match(too_much, payment_id=payment.id)
    async with Refused(bank.world, errors.InvalidArgument, "VALUES_INVALID", "payment_id"):
        await bank.match(back, allocations=[Allocation(invoice_id=invoice.id)])
    matched = await bank.match(back, payment_id=payment.id)

    assert (await bank.payment(payment)).refunded_amount == "100.00"
    assert (await bank.get(invoice)).open_amount == "100.00"
    assert (await bank.undo(matched)).state == Line.STATE_OUTGOING
    assert (await bank.payment(payment)).refunded_amount == "0.00"


async def test_what_a_line_cannot_be_is_refused(bank: Bank) -> None:
    payment = await bank.pay("59")
    await bank.upload("2026-11-20;okna;Ktos;PL27;60.00;")
    [doubtful] = await bank.lines()
    invalid = (bank.world, errors.InvalidArgument, "VALUES_INVALID")

    async with Refused(*invalid, "allocations"):
        await bank.match(doubtful)
    async with Refused(*invalid, "payment_id"):
        await bank.match(doubtful, payment_id=payment.id)
    async with Refused(*invalid, "payment_id"):
        await bank.match(doubtful, payment_id=payment.id, deal_id=payment.id)
    async with Refused(bank.world, errors.FailedPrecondition, "LINE_WRONG_STATE"):
        await bank.undo(doubtful)


async def test_a_file_that_is_no_statement_is_refused_and_named(bank: Bank) -> None:
    unreadable = (bank.world, errors.InvalidArgument, "STATEMENT_UNREADABLE", "file_id")

    async with Refused(*unreadable) as refused:
        await bank.upload("2026-11-20;x;y;z;much;")
    assert "line 2: 'much' is no amount" in refused.error.violations[0].description
    async with Refused(*unreadable):
        await bank.upload(content='<!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>')
    async with Refused(*unreadable) as refused:
        await bank.upload("2026-11-20;x;y;z;1.0055;")
    assert "movement 1: 1.0055 has 4 decimal places; at most 2 in PLN" in refused.error.violations[0].description  # fmt: skip
    many = [f"2026-11-20;{n};y;z;1.00;" for n in range(statements.MOST_LINES + 1)]
    async with Refused(*unreadable):
        await bank.upload(*many)
    async with Refused(bank.world, errors.InvalidArgument, "INVALID_ARGUMENT"):
        stranger = BankStatement(file_id=bank.world.tenant.id)
        await bank.payments.CreateBankStatement(
            bank_statement_pb2.CreateBankStatementRequest(bank_statement=stranger)
        )
