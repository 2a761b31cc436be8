"""Money that came before its invoice: lines that nobody knew are matched when an invoice is issued or its open amount changes."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.settling import settled
from crm.deals.v1 import bank_statement_line_pb2 as pb
from crm.deals.v1 import bank_statement_pb2
from services.deals import invoices, rematching, store
from tests.service.deals.invoicing import Invoice, line
from tests.service.deals.paying import Payment
from tests.service.deals.test_bank_statements import Bank, Line
from tests.service.deals.world import World


@pytest.fixture
def bank(world: World, monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setattr(invoices, "_SETTLES", timedelta())
    return Bank(world)


async def looked(bank: Bank) -> None:
    """Whatever is to be looked at again was."""
    await settled(bank.world.running.process)


async def numbered(bank: Bank, **given: Any) -> tuple[Invoice, str]:
    """(a draft, the number that it will get): as a customer knows it who pays by the order's confirmation."""
    first = await bank.issued(buyer={"name": "Somebody Else"}, lines=[line("1", "7")])
    head, _, count = first.number.rpartition("/")
    return await bank.draft(**given), f"{head}/{int(count) + 1:0{len(count)}}"


async def test_a_payment_before_its_invoice_is_matched_once_it_is_issued(bank: Bank) -> None:
    draft, number = await numbered(bank)
    statement = await bank.upload(f"2026-11-20;{number};Ana Nowak;PL27;100.00;R1")
    assert (statement.matched_count, statement.doubtful_count) == (0, 1)

    await bank.issue(draft)
    await looked(bank)

    [matched] = await bank.lines()
    assert (matched.state, matched.candidates[0].invoice_id) == (Line.STATE_MATCHED, draft.id)
    paid = await bank.get(draft)
    assert (paid.number, paid.state, paid.paid_amount) == (number, Invoice.STATE_PAID, "100.00")
    request = bank_statement_pb2.GetBankStatementRequest(id=statement.id)
    now = await bank.payments.GetBankStatement(request)
    assert (now.matched_count, now.doubtful_count) == (1, 0)
    assert len(await bank.world.events("PaymentReceived")) == 1


@pytest.mark.large
async def test_however_many_look_a_line_makes_one_payment(bank: Bank) -> None:
    draft, number = await numbered(bank)
    await bank.upload(f"2026-11-20;{number};Ana Nowak;PL27;60.00;R1")
    await bank.issue(draft)

    def look(tx: Any) -> Any:
        return rematching.look_again(tx, draft.id, str(store.NO_ID))

    await asyncio.gather(*(bank.work(look) for _ in range(6)), looked(bank))

    await looked(bank)
    assert (await bank.get(draft)).paid_amount == "60.00"
    assert await bank.world.count("payments") == 1


async def test_what_fits_less_surely_is_a_candidate_from_then_on(bank: Bank) -> None:
    await bank.upload("2026-11-20;za okna;Ana Nowak;PL27;33.00;R1")
    [before] = await bank.lines()
    invoice = await bank.issued()
    await looked(bank)
    [after] = await bank.lines()
    assert (len(before.candidates), after.state) == (0, Line.STATE_DOUBTFUL)
    assert [(each.invoice_id, list(each.reasons)) for each in after.candidates] == [
        (invoice.id, [pb.MatchCandidate.REASON_NAME])
    ]
    assert int(after.etag) == int(before.etag) + 1


async def test_an_open_amount_that_comes_to_the_line_makes_it_sure(bank: Bank) -> None:
    invoice = await bank.issued()
    by_digits = invoice.number.partition("/")[2].replace("/", " ")  # the number without its letters
    await bank.upload(f"2026-11-20;{by_digits};Ana Nowak;PL27;40.00;R1")
    [doubtful] = await bank.lines()
    assert doubtful.state == Line.STATE_DOUBTFUL
    await bank.pay("60", invoice)
    await looked(bank)
    [matched] = await bank.lines()
    assert (matched.state, (await bank.get(invoice)).state) == (Line.STATE_MATCHED, Invoice.STATE_PAID)  # fmt: skip


async def test_what_somebody_took_back_is_left_to_him(bank: Bank) -> None:
    invoice = await bank.issued()
    await bank.upload(f"2026-11-20;{invoice.number};Ana Nowak;PL27;100.00;R1")
    [matched] = await bank.lines()

    undone = await bank.undo(matched)  # the invoice is open again, and the line names it
    await looked(bank)
    await bank.credit(invoice)
    await bank.issued()
    await looked(bank)

    [now] = await bank.lines()
    assert (now.state, now.undone, now.etag) == (Line.STATE_DOUBTFUL, True, undone.etag)
    assert (await bank.world.count("payments")) == 1  # the one that was deleted


async def test_lines_that_cannot_be_it_stay_as_they_are(bank: Bank) -> None:
    draft, number = await numbered(bank)
    rows = [
        f"2026-11-20;{number};Ana Nowak;PL27;-100.00;R1",
        f"2026-11-20;{number};Ana Nowak;PL27;100.00;R2",
        "2026-11-20;other;Nobody;PL28;12.00;R3",
    ]
    await bank.upload(rows[0], rows[2])
    await bank.upload(rows[1], account="PL2", currency="EUR")
    before = await bank.lines()

    await bank.issue(draft)
    await looked(bank)

    assert await bank.lines() == before
    assert (await bank.get(draft)).paid_amount in ("", "0.00")


@pytest.mark.large
async def test_many_lines_are_looked_at_in_steps(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(rematching, "_AT_ONCE", 2)
    draft, number = await numbered(bank)
    rows = [f"2026-11-20;{number};Ana Nowak;PL27;{at}.00;R{at}" for at in range(1, 8)]
    await bank.upload(*rows, *(f"2026-11-20;x;Ana Nowak;PL27;{at}.50;S{at}" for at in range(5)))
    assert len(await bank.lines("state = DOUBTFUL")) == 12
    await bank.issue(draft)
    await looked(bank)
    paid = await bank.get(draft)
    assert (paid.paid_amount, len(await bank.lines("state = MATCHED"))) == ("28.00", 7)
    received = [await bank.payment(Payment(id=each.payment_id)) for each in await bank.lines("state = MATCHED")]  # fmt: skip
    assert sorted(each.amount for each in received) == [f"{at}.00" for at in range(1, 8)]
    assert all(each.candidates for each in await bank.lines("state = DOUBTFUL"))
