"""Bank statements and their lines, and what lines are compared with."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import bank_statement_line_pb2, bank_statement_pb2, payment_pb2
from services.deals import errors
from services.deals.store.invoices import invoices
from services.deals.store.payments import payments
from services.deals.store.schema import amount, day, metadata

BankStatement = bank_statement_pb2.BankStatement
BankStatementLine = bank_statement_line_pb2.BankStatementLine
Payment = payment_pb2.Payment


DOUBTFUL_AT_ONCE = 200
"""Lines of money of which nobody knows what it is that are looked at in one transaction."""


def _statement_values(statement: BankStatement) -> dict[str, Any]:
    return {
        "file_id": reference(statement.file_id),
        "state": statement.state,
        "account": statement.account,
        "from_date": day(statement, "from_date"),
        "until_date": day(statement, "until_date"),
        "doubtful_count": statement.doubtful_count,
    }


bank_statements = Resource(
    BankStatement,
    metadata,
    table="bank_statements",
    columns=[
        Column("file_id", Uuid), Column("state", SmallInteger, nullable=False), Column("account", Text, nullable=False),
        Column("from_date", Date), Column("until_date", Date), Column("doubtful_count", Integer, nullable=False),
    ],
    values=_statement_values,
    fields={
        "state": choice("state", BankStatement.State, "STATE_"),
        "account": Field("account", "text", sentinel=""),
        "from_date": Field("from_date", "date"),
        "until_date": Field("until_date", "date"),
        "doubtful_count": Field("doubtful_count", "number"),
    },
)  # fmt: skip


def _line_values(line: BankStatementLine) -> dict[str, Any]:
    return {
        "statement_id": reference(line.statement_id),
        "position": line.position,
        "state": line.state,
        "booking_date": day(line, "booking_date"),
        "amount": amount(line.amount) or Decimal(0),
        "currency": line.currency,
        "outgoing": line.outgoing,
        "payment_id": reference(line.payment_id),
        "contact_id": reference(line.contact_id),
        "company_id": reference(line.company_id),
        "fingerprint": line.fingerprint,
        "search": search_key(f"{line.payer_name} {line.text}"),
        "search_open": "",  # where the payer is hidden from the caller
    }


bank_statement_lines = Resource(
    BankStatementLine,
    metadata,
    table="bank_statement_lines",
    columns=[
        Column("statement_id", Uuid, nullable=False), Column("position", Integer, nullable=False),
        Column("state", SmallInteger, nullable=False), Column("booking_date", Date, nullable=False),
        Column("amount", Numeric, nullable=False), Column("currency", Text, nullable=False),
        Column("outgoing", Boolean, nullable=False), Column("payment_id", Uuid),
        Column("contact_id", Uuid), Column("company_id", Uuid), Column("fingerprint", Text, nullable=False),
        Column("search", Text, nullable=False), Column("search_open", Text, nullable=False),
    ],
    values=_line_values,
    items=[
        Index("uq_bank_statement_lines_fingerprint", "tenant_id", "fingerprint", unique=True),
        Index("ix_bank_statement_lines_statement", "tenant_id", "statement_id", "position"),
        Index("ix_bank_statement_lines_doubtful", "tenant_id", "booking_date", "id", postgresql_where=text("state = 3")),
        Index("ix_bank_statement_lines_unknown", "tenant_id", "currency", "id",
              postgresql_where=text("state IN (1, 3) AND NOT outgoing")),
        Index("ix_bank_statement_lines_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_bank_statement_lines_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
    ],
    fields={
        "statement_id": Field("statement_id", "uuid"),
        "state": choice("state", BankStatementLine.State, "STATE_"),
        "booking_date": Field("booking_date", "date", sortable=True),
        "amount": Field("amount", "number", sortable=True),
        "currency": Field("currency", "text", sentinel=""),
        "payment_id": Field("payment_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
    },
    search="search",
    open_search="search_open",
    search_reveals=("payer_name", "text"),
    default_order="booking_date desc",
    constraints={"uq_bank_statement_lines_fingerprint": errors.KeyTaken("line", "fingerprint")},
)  # fmt: skip

_TENANT = bindparam("tenant_id", type_=Uuid)
_L = bank_statement_lines.view.c
_KNOWN = Statement(
    select(_L.fingerprint).where(
        _L.tenant_id == _TENANT, _L.fingerprint == bindparam("keys", type_=ARRAY(Text)).any_()
    )
)
_OF_STATEMENT = (_L.tenant_id == _TENANT, _L.statement_id == bindparam("of_statement", type_=Uuid))
_COUNTS = Statement(
    select(_L.state, func.count().label("count")).where(*_OF_STATEMENT).group_by(_L.state)
)


async def known_lines(tx: Tx, keys: Sequence[str]) -> set[str]:
    """Those of the fingerprints whose lines are here."""
    return {row["fingerprint"] for row in await tx.fetch(_KNOWN, keys=list(keys))}


async def waiting_lines(tx: Tx, statement_id: str, most: int) -> list[BankStatementLine]:
    """The next lines of a statement that nobody has looked at."""
    return await bank_statement_lines.find_where(tx, _waiting(most), of_statement=statement_id)


def _waiting(most: int) -> Statement:
    waits = _L.state == int(BankStatementLine.STATE_WAITING)
    return bank_statement_lines.select(*_OF_STATEMENT[1:], waits, order=_L.position, limit=most)


_CURRENCY = _L.currency == bindparam("of_currency", type_=Text)
_UNKNOWN = Statement(
    select(_L.id)
    .where(_L.tenant_id == _TENANT, _CURRENCY, literal_column("state IN (1, 3) AND NOT outgoing"))
    .limit(1)
)
_DOUBTFUL = bank_statement_lines.select(
    _CURRENCY, literal_column("state = 3 AND NOT outgoing"), _L.id > bindparam("after", type_=Uuid), order=_L.id,
    limit=DOUBTFUL_AT_ONCE,
)  # fmt: skip


async def has_unknown_lines(tx: Tx, currency: str) -> bool:
    """Whether there is money of which nobody knows yet what it is."""
    return await tx.fetchval(_UNKNOWN, of_currency=currency) is not None


async def doubtful_lines(tx: Tx, currency: str, after: str) -> list[BankStatementLine]:
    """The next DOUBTFUL_AT_ONCE lines of money that came in and of which nobody knows what it is."""
    return await bank_statement_lines.find_where(tx, _DOUBTFUL, of_currency=currency, after=after)


async def count_lines(tx: Tx, statement_id: str) -> dict[int, int]:
    """State -> how many lines of the statement."""
    rows = await tx.fetch(_COUNTS, of_statement=statement_id)
    return {row["state"]: row["count"] for row in rows}


# -- what lines are compared with --------------------------------------------------------------------------------------------

_I = invoices.view.c
_PAYABLE = invoices.select(
    _I.state == bindparam("states", type_=ARRAY(SmallInteger)).any_(), _I.open_amount > 0,
    _I.currency == bindparam("currencies", type_=ARRAY(Text)).any_(), order=_I.id,
)  # fmt: skip
_P = payments.view.c
_UNLINKED = payments.select(
    _P.statement_line_id.is_(None), _P.direction == int(Payment.DIRECTION_RECEIVED),
    _P.way == int(Payment.WAY_BANK), _P.amount == bindparam("amounts", type_=ARRAY(Numeric)).any_(), order=_P.id,
)  # fmt: skip
_PAYERS = Statement(
    select(_P.account_key, _P.contact_id, _P.company_id)
    .where(
        _P.tenant_id == _TENANT,
        _P.account_key == bindparam("keys", type_=ARRAY(Text)).any_(),
        _P.delete_time.is_(None),
    )
    .distinct()
)


async def payable(tx: Tx, states: Collection[int], currencies: Collection[str]) -> list[Any]:
    """The invoices in these states and currencies of which something is open."""
    return await invoices.find_where(tx, _PAYABLE, states=list(states), currencies=list(currencies))


async def unlinked_payments(tx: Tx, amounts: Collection[Decimal]) -> list[Payment]:
    """Payments to the bank of these amounts that no line has told of."""
    return await payments.find_where(tx, _UNLINKED, amounts=list(amounts))


async def payers(tx: Tx, accounts: Collection[str]) -> dict[str, set[str]]:
    """Account key -> the contacts and companies that have paid from it."""
    found: dict[str, set[str]] = defaultdict(set)
    rows: list[Record] = await tx.fetch(_PAYERS, keys=list(accounts)) if accounts else []
    for row in rows:
        found[row["account_key"]] |= {
            str(id) for id in (row["contact_id"], row["company_id"]) if id
        }
    return found
