"""Bank statements, and what somebody says of their lines."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import bank_statement_line_pb2 as pb
from crm.deals.v1 import payment_pb2
from services.deals import errors, payments, statements, store
from services.deals.rules import statement_lines as rules

Line = pb.BankStatementLine
Payment = payment_pb2.Payment

StandardStatement = standard(store.bank_statements, on_save=statements.check)
StandardLine = standard(store.bank_statement_lines)


class BankStatements(StandardStatement, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/bankStatements`."""


class BankStatementLines(StandardLine, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/bankStatementLines`."""

    @writes
    async def MatchBankStatementLine(
        self, request: pb.MatchBankStatementLineRequest, tx: Tx
    ) -> Line:
        line = await _taken(tx, request.id, request.etag)
        rules.require_open(line, "matched")
        rules.check_wanted(line, request)
        if line.outgoing:
            await _pay_back(tx, line, request.payment_id)
        elif request.payment_id:
            payment = await payments.taken(tx, request.payment_id)
            if wrong := statements.wrong_link(line, payment):
                raise errors.ValuesInvalid(wrong)
            statements.link(tx, line, payment)
        else:
            payment = statements.paid_by(tx, line)
            payment.allocations.extend(request.allocations)
            for field in ("deal_id", "contact_id", "company_id"):
                setattr(payment, field, getattr(request, field))
            await payments.receive(tx, payment, Payment.SOURCE_STATEMENT, may_leave_rest=True)
            statements.matched(line, payment)
        return await _saved(tx, line)

    @writes
    async def IgnoreBankStatementLine(
        self, request: pb.IgnoreBankStatementLineRequest, tx: Tx
    ) -> Line:
        line = await _taken(tx, request.id, request.etag)
        rules.require_open(line, "ignored")
        line.state, line.note = Line.STATE_IGNORED, request.note
        return await _saved(tx, line)

    @writes
    async def UndoBankStatementLine(self, request: pb.UndoBankStatementLineRequest, tx: Tx) -> Line:
        line = await _taken(tx, request.id, request.etag)
        rules.require_decided(line)
        await statements.open_again(tx, line)
        return await _saved(tx, line)


async def _taken(tx: Tx, id: str, etag: str) -> Line:
    """The line, while nobody else decides about it."""
    await tx.lock(statements.lock_of(id))
    return await store.bank_statement_lines.get(tx, id, etag=etag)


async def _pay_back(tx: Tx, line: Line, payment_id: str) -> None:
    """The line is the refund of a payment."""
    payment = await payments.taken(tx, payment_id)
    if wrong := rules.wrong_refund(line, payment):
        raise errors.ValuesInvalid(wrong)
    back = statements.paid_by(tx, line)
    back.source, back.reason = Payment.SOURCE_STATEMENT, line.text[:500]
    if back.time.ToDatetime() < payment.time.ToDatetime():  # booked on the day on which it came
        back.time.CopyFrom(payment.time)
    await payments.refund(tx, payment, back, line.amount)
    statements.matched(line, back)


async def _saved(tx: Tx, line: Line) -> Line:
    """The line is saved, and its statement counts it."""
    store.bank_statement_lines.save(tx, line)
    await statements.count_again(tx, line.statement_id)
    return line
