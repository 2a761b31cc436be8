"""Bank statements: a file becomes lines, each counted once, and what is sure becomes payments by itself (S39)."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.kit import bulk
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import bank_statement_line_pb2, bank_statement_pb2, invoice_pb2, payment_pb2
from services.deals import errors, payments, people, store
from services.deals.money import currencies, limits
from services.deals.rules import camt, days, instalments, matching, statement_csv
from services.deals.rules import invoices as invoice_rules
from services.deals.rules import statements as rules
from services.deals.store.payments import account_key

BankStatement = bank_statement_pb2.BankStatement
Line = bank_statement_line_pb2.BankStatementLine
Payment = payment_pb2.Payment
Allocation = payment_pb2.Allocation
Invoice = invoice_pb2.Invoice

MATCH = "match-bank-lines"
MOST_BYTES = 20 << 20
MOST_LINES = 5000
"""Of one file: what one transaction writes in a few seconds."""
_AT_ONCE = 20
"""Lines that one transaction matches: their invoices are locked until it ends."""
_NEAR = timedelta(days=7)
"""A payment that somebody recorded and its line are at most so far apart."""


async def check(tx: Tx, new: BankStatement, old: BankStatement | None) -> None:
    """Reads the file of a new statement and keeps those of its lines that no other statement brought."""
    assert old is None, "a statement never changes"
    new.id = new.id or tx.new_id()
    new.creator_id = people.user_of(tx.actor)
    read = await _read(tx, new)
    _describe(new, read)
    await tx.lock("bank statements")  # two files at once would each miss what the other brings
    keys = rules.keys(read.entries)
    known = await store.known_lines(tx, keys)
    lines = [
        _line(tx, new, entry, key, at)
        for at, (entry, key) in enumerate(zip(read.entries, keys, strict=True), 1)
        if key not in known
    ]
    new.repeated_count = len(keys) - len(lines)
    await bulk.write(tx, store.bank_statement_lines, [bulk.Write(line) for line in lines])
    waits = any(line.state == Line.STATE_WAITING for line in lines)
    new.doubtful_count = sum(line.state == Line.STATE_DOUBTFUL for line in lines)
    new.state = BankStatement.STATE_MATCHING if waits else BankStatement.STATE_MATCHED
    if waits:
        await tx.set_timer(MATCH, new.id, tx.now, {"statement_id": new.id})


async def _read(tx: Tx, new: BankStatement) -> rules.Statement:
    """What the file says; StatementUnreadable where it cannot be taken as it is. Before anything is locked."""
    assert tx.tenant is not None
    assert not tx.in_transaction, "no transaction waits for a file"
    blob = await tx.runtime.blobs.get(tx.tenant, new.file_id)
    if blob.size > MOST_BYTES:
        raise errors.StatementUnreadable(f"the file has {blob.size} bytes; at most {MOST_BYTES}")
    content = b"".join([chunk async for chunk in tx.runtime.blobs.read(tx.tenant, new.file_id)])
    new.file_name = blob.name[:250]
    new.format = new.format or _format(content)
    currency = new.currency or people.currency_of(tx)
    try:
        if new.format == BankStatement.FORMAT_CAMT053:
            read = await asyncio.to_thread(camt.parse, content)
        else:
            read = await asyncio.to_thread(
                statement_csv.parse, content, new.csv, account=new.account, currency=currency
            )
    except rules.Unreadable as error:
        raise errors.StatementUnreadable(str(error)) from None
    _check_entries(read)
    return read


def _format(content: bytes) -> "BankStatement.Format":
    is_xml = content[:200].lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    return BankStatement.FORMAT_CAMT053 if is_xml else BankStatement.FORMAT_CSV


def _check_entries(read: rules.Statement) -> None:
    """StatementUnreadable for more lines than one file may have, and for amounts that nobody can pay."""
    read.entries = [entry for entry in read.entries if entry.amount]
    if len(read.entries) > MOST_LINES:
        raise errors.StatementUnreadable(f"the file has {len(read.entries)} movements; at most {MOST_LINES}, cut it by days")  # fmt: skip
    for at, entry in enumerate(read.entries, 1):
        if not currencies.is_known(entry.currency):
            raise errors.StatementUnreadable(f"movement {at}: {entry.currency!r} is no currency of ISO 4217; say it in currency")  # fmt: skip
        if wrong := limits.amount("amount", f"{entry.amount:f}", entry.currency):
            raise errors.StatementUnreadable(f"movement {at}: {wrong[0].description}")


def _describe(new: BankStatement, read: rules.Statement) -> None:
    new.account, new.currency = read.account or new.account, read.currency or new.currency
    new.line_count, new.pending_count = len(read.entries), read.pending
    if read.entries:
        new.from_date.CopyFrom(days.to_date(min(entry.booked for entry in read.entries)))
        new.until_date.CopyFrom(days.to_date(max(entry.booked for entry in read.entries)))
    for field, balance in (("opening_balance", read.opening), ("closing_balance", read.closing)):
        if balance is not None:
            setattr(new, field, currencies.shown(balance, new.currency))


def _line(tx: Tx, statement: BankStatement, entry: rules.Entry, key: str, position: int) -> Line:
    line = Line(
        id=tx.new_id(), statement_id=statement.id, position=position, fingerprint=key,
        booking_date=days.to_date(entry.booked), amount=currencies.shown(entry.amount, entry.currency),
        currency=entry.currency, outgoing=entry.outgoing, is_reversal=entry.is_reversal, text=entry.text,
        payer_name=entry.payer_name, payer_account=entry.payer_account, bank_reference=entry.bank_reference,
    )  # fmt: skip
    if entry.charges:
        line.charges = currencies.shown(entry.charges, entry.currency)
    line.state = _unmatched(line) if entry.outgoing or entry.is_reversal else Line.STATE_WAITING
    return line


def _unmatched(line: Line) -> "Line.State":
    """How a line stands that is nothing yet: what takes something back is for somebody to decide."""
    return Line.STATE_OUTGOING if line.outgoing and not line.is_reversal else Line.STATE_DOUBTFUL


# -- what is sure ------------------------------------------------------------------------------------------------------------


async def match_next(tx: Tx, statement_id: str) -> None:
    """Looks at the next lines of a statement; the timer is set again until all were seen."""
    statement = await store.bank_statements.find(tx, statement_id)
    if statement is None:
        return
    lines = await store.waiting_lines(tx, statement_id, _AT_ONCE)
    book = await book_of(tx, lines)
    for line in lines:
        await decide(tx, line, book)
        store.bank_statement_lines.save(tx, line)
        await tx.flush()
    if len(lines) == _AT_ONCE:
        await tx.set_timer(MATCH, statement_id, tx.now, {"statement_id": statement_id})
        return
    statement.state = BankStatement.STATE_MATCHED
    await recount(tx, statement)


def asked(line: Line) -> matching.Line:
    """What the line says of a payment."""
    return matching.Line(
        Decimal(line.amount), line.currency, f"{line.text} {line.bank_reference}", line.payer_name,
        account_key(line.payer_account),
    )  # fmt: skip


async def decide(tx: Tx, line: Line, book: matching.Book) -> None:
    """The line becomes the payment that it surely is, or doubtful; what it is counts no more for the next. The caller saves it."""
    decision = book.decide(asked(line))
    del line.candidates[:]
    line.candidates.extend(
        bank_statement_line_pb2.MatchCandidate(
            invoice_id=each.of.invoice_id, payment_id=each.of.payment_id, number=each.of.number,
            score=min(each.score, 100), reasons=each.reasons,
        )
        for each in decision.candidates
    )  # fmt: skip
    line.state = Line.STATE_DOUBTFUL
    if decision.sure and decision.sure[0].payment_id:
        payment = await store.payments.find(tx, decision.sure[0].payment_id)
        assert payment is not None, "it was found in this transaction"
        link(tx, line, payment)
        book.take(payment.id)
    elif decision.sure:
        payment = paid_by(tx, line)
        payment.allocations.extend(Allocation(invoice_id=each.invoice_id) for each in decision.sure)
        await payments.receive(tx, payment, Payment.SOURCE_STATEMENT, may_leave_rest=True)
        matched(line, payment)
        for each in payment.allocations:
            book.pay(each.invoice_id, Decimal(each.amount))


async def book_of(tx: Tx, lines: Iterable[Line]) -> matching.Book:
    """What these lines may be."""
    lines = list(lines)
    found = await store.payable(tx, invoice_rules.LIVING, {line.currency for line in lines})
    opens = [open_of(invoice) for invoice in found]
    recorded = await store.unlinked_payments(tx, {Decimal(line.amount) for line in lines})
    times = [_paid_at(tx, line) for line in lines]
    opens += [
        _recorded(payment)
        for payment in recorded
        if any(abs(to_datetime(payment.time) - time) <= _NEAR for time in times)
    ]
    keys = {key for line in lines if (key := account_key(line.payer_account))}
    return matching.Book(opens, await store.payers(tx, keys))


def open_of(invoice: Invoice) -> matching.Open:
    """What of an invoice may be paid, and by what it is known."""
    parts = instalments.open_parts(invoice)
    return matching.Open(
        invoice.id, invoice.number, Decimal(invoice.open_amount), invoice.currency, invoice.buyer.name,
        frozenset(id for id in (invoice.contact_id, invoice.company_id) if id), parts[0][1] if parts else None,
    )  # fmt: skip


def _recorded(payment: Payment) -> matching.Open:
    """A payment that somebody recorded: known by the invoice that it pays, else by its reference."""
    number = payment.allocations[0].number if payment.allocations else payment.reference
    return matching.Open(
        "", number, Decimal(payment.amount), payment.currency, payment.payer_name,
        frozenset(id for id in (payment.contact_id, payment.company_id) if id), payment_id=payment.id,
    )  # fmt: skip


# -- what a line becomes -----------------------------------------------------------------------------------------------------


def paid_by(tx: Tx, line: Line) -> Payment:
    """The payment of which the line tells, before it pays anything."""
    return Payment(
        id=tx.new_id(), amount=line.amount, currency=line.currency, way=Payment.WAY_BANK,
        reference=line.text[:500], payer_name=line.payer_name, payer_account=line.payer_account,
        statement_line_id=line.id, time=to_timestamp(_paid_at(tx, line)),
    )  # fmt: skip


def _paid_at(tx: Tx, line: Line) -> datetime:
    """The middle of the booking day where the company is; now while that is still to come."""
    day = days.day_of(line, "booking_date")
    assert day is not None
    return min(datetime.combine(day, time(12), ZoneInfo(people.zone_of(tx))), tx.now)


def link(tx: Tx, line: Line, payment: Payment) -> None:
    """The line tells of a payment that was recorded before."""
    payment.statement_line_id = line.id
    store.payments.save(tx, payment)
    matched(line, payment)


def matched(line: Line, payment: Payment) -> None:
    """The line is this payment or refund."""
    line.state, line.payment_id = Line.STATE_MATCHED, payment.id
    line.contact_id, line.company_id = payment.contact_id, payment.company_id


async def open_again(tx: Tx, line: Line) -> None:
    """The line is nothing any more; what it made is deleted, what was there before stays."""
    payment = await store.payments.find(tx, line.payment_id) if line.payment_id else None
    if payment is not None and payment.source == Payment.SOURCE_STATEMENT:
        await payments.withdraw(tx, payment)
        store.payments.delete(tx, payment)
    elif payment is not None:
        payment.statement_line_id = ""
        store.payments.save(tx, payment)
    for field in ("payment_id", "contact_id", "company_id", "note"):
        line.ClearField(field)  # type: ignore[arg-type]
    line.state, line.undone = _unmatched(line), True


async def count_again(tx: Tx, statement_id: str) -> None:
    """As `recount`, while nobody else counts the statement."""
    await tx.lock(f"bank statement {statement_id}")
    statement = await store.bank_statements.find(tx, statement_id)
    if statement is not None:
        await recount(tx, statement)


def lock_of(line_id: str) -> str:
    """What whoever decides about a line locks."""
    return f"bank line {line_id}"


async def recount(tx: Tx, statement: BankStatement) -> None:
    """Shows how its lines stand by now."""
    await tx.flush()
    counts = await store.count_lines(tx, statement.id)
    statement.matched_count = counts.get(Line.STATE_MATCHED, 0)
    statement.doubtful_count = counts.get(Line.STATE_DOUBTFUL, 0)
    store.bank_statements.save(tx, statement)


def wrong_link(line: Line, payment: Payment) -> list[Violation]:
    """Why the line cannot be this payment."""
    if payment.direction != Payment.DIRECTION_RECEIVED:
        return [Violation("payment_id", "is a refund; name a payment that was received")]
    if payment.statement_line_id:
        return [Violation("payment_id", "stands in another line of a statement already")]
    if (Decimal(payment.amount), payment.currency) != (Decimal(line.amount), line.currency):
        return [Violation("payment_id", f"is {payment.amount} {payment.currency}, the line {line.amount} {line.currency}")]  # fmt: skip
    return []
