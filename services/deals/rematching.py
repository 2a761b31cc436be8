"""Lines of bank statements that found no invoice are looked at again when an invoice comes, or more or less of one is open (S39)."""

from collections.abc import Iterable

from chassis.tx import Tx
from crm.deals.v1 import bank_statement_line_pb2, invoice_pb2
from services.deals import invoices, statements, store
from services.deals.rules import invoices as invoice_rules
from services.deals.rules import matching
from services.deals.rules import statement_lines as rules
from services.deals.store.payments import account_key
from services.deals.store.statements import DOUBTFUL_AT_ONCE

Line = bank_statement_line_pb2.BankStatementLine
Invoice = invoice_pb2.Invoice

_AT_ONCE = 20
"""Lines that one transaction matches: their invoices are locked until it ends."""


async def look_again(tx: Tx, invoice_id: str, after: str) -> None:
    """Looks at the next doubtful lines that may pay the invoice; the timer is set again until all were seen.

    A line is decided about as when it came, by everything that is open, and makes one payment at most. What somebody has taken
    back is left to him.
    """
    invoice = await store.invoices.find(tx, invoice_id)
    if invoice is None or not invoice_rules.is_payable(invoice):
        return
    seen = await store.doubtful_lines(tx, invoice.currency, after)
    concerned = (await _concerned(tx, seen, invoice))[:_AT_ONCE]
    changed = await _decide(tx, concerned)
    if any(line.state == Line.STATE_MATCHED for line in changed):
        following = str(store.NO_ID)  # something else is open by now
    elif len(concerned) == _AT_ONCE:
        following = concerned[-1].id
    elif len(seen) == DOUBTFUL_AT_ONCE:
        following = seen[-1].id
    else:
        return
    await tx.set_timer(
        invoices.REMATCH, invoice_id, tx.now, {"invoice_id": invoice_id, "after": following}
    )


async def _concerned(tx: Tx, lines: Iterable[Line], invoice: Invoice) -> list[Line]:
    """Those of the lines that something connects with the invoice, before all other invoices are read."""
    free = [line for line in lines if rules.may_be_matched(line)]
    keys = {key for line in free if (key := account_key(line.payer_account))}
    alone = matching.Book([statements.open_of(invoice)], await store.payers(tx, keys))
    return [line for line in free if alone.decide(statements.asked(line)).candidates]


async def _decide(tx: Tx, lines: list[Line]) -> list[Line]:
    """Decides about these lines unless somebody has done so meanwhile; those that are not what they were."""
    if not lines:
        return []
    await tx.lock(*(statements.lock_of(line.id) for line in lines))
    now = await store.bank_statement_lines.find_many(tx, [line.id for line in lines])
    free = sorted(filter(rules.may_be_matched, now), key=lambda line: line.id)
    book, changed = await statements.book_of(tx, free), []
    for line in free:
        before = Line()
        before.CopyFrom(line)
        await statements.decide(tx, line, book)
        if line != before:
            store.bank_statement_lines.save(tx, line)
            await tx.flush()
            changed.append(line)
    for statement_id in sorted({line.statement_id for line in changed}):
        await statements.count_again(tx, statement_id)
    return changed
