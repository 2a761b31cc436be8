"""Bank statements: what camt.053 and tables say, and what makes a line the same line again."""

from datetime import date
from decimal import Decimal

import pytest

from crm.deals.v1 import bank_statement_pb2
from services.deals.rules import camt, statement_csv
from services.deals.rules.statements import Entry, Unreadable, keys
from tests.unit.deals.statement_files import CAMT, details_of, entry_of

Layout = bank_statement_pb2.CsvLayout


def _parsed(*entries: str, version: str = "02") -> list[Entry]:
    return camt.parse(CAMT.format(version=version, entries="".join(entries)).encode()).entries


def test_a_statement_says_account_balances_and_who_paid_what() -> None:
    read = camt.parse(CAMT.format(version="02", entries=entry_of()).encode())

    assert (read.account, read.currency) == ("PL61109010140000071219812874", "PLN")
    assert (read.opening, read.closing) == (Decimal("-10.00"), Decimal("989.00"))
    assert read.entries == [
        Entry(
            booked=date(2026, 11, 20), amount=Decimal("100.00"), currency="PLN", text="FV 1", payer_name="Ana Nowak",
            payer_account="PL27114020040000300201355387", bank_reference="R1", account=read.account,
        )
    ]  # fmt: skip


def test_version_eight_names_parties_and_states_deeper() -> None:
    details = details_of(name="<Pty><Nm>Ana Nowak</Nm></Pty>", end="E2E-7")
    [entry] = _parsed(entry_of(status="<Cd>BOOK</Cd>", details=details), version="08")
    assert (entry.payer_name, entry.text) == ("Ana Nowak", "FV 1 E2E-7")


def test_what_is_not_booked_is_left_out() -> None:
    read = camt.parse(
        CAMT.format(version="02", entries=entry_of() + entry_of(status="PDNG")).encode()
    )
    assert (len(read.entries), read.pending) == (1, 1)


def test_a_batch_is_as_many_lines_as_it_has_transactions() -> None:
    parts = "".join(
        details_of(text=f"FV {n}", amount=f'<Amt Ccy="PLN">{n}0.00</Amt>') for n in (4, 6)
    )
    found = _parsed(entry_of(details=parts))
    assert [(e.amount, e.text, e.bank_reference) for e in found] == [
        (Decimal("40.00"), "FV 4", "R1/1"), (Decimal("60.00"), "FV 6", "R1/2"),
    ]  # fmt: skip


def test_a_batch_whose_parts_do_not_sum_stays_one_line_with_all_texts() -> None:
    parts = "".join(details_of(text=f"FV {n}") for n in (4, 6))
    [entry] = _parsed(entry_of(details=parts))
    assert (entry.amount, entry.text, entry.payer_name) == (Decimal("100.00"), "FV 4 FV 6", "")


def test_what_the_bank_kept_counts_as_paid() -> None:
    charges = '<Chrgs><TtlChrgsAndTaxAmt Ccy="PLN">1.50</TtlChrgsAndTaxAmt></Chrgs>'
    details = details_of(amount='<AmtDtls><TxAmt><Amt Ccy="PLN">100.00</Amt></TxAmt></AmtDtls>')
    [entry] = _parsed(entry_of("98.50", details=details, charges=charges))
    assert (entry.amount, entry.charges) == (Decimal("100.00"), Decimal("1.50"))


def test_a_reversal_and_what_went_out_are_told_apart() -> None:
    found = _parsed(
        entry_of(side="DBIT", more="<RvslInd>true</RvslInd>"), entry_of(side="DBIT", reference="R2")
    )
    assert [(e.outgoing, e.is_reversal) for e in found] == [(True, True), (True, False)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not xml", "no XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><Document>&a;</Document>', "no XML"),
        (b"<Document><Other/></Document>", "no statement (Stmt)"),
        (CAMT.format(version="02", entries=entry_of("1,5")).encode(), "movement 1: '1,5' is no amount"),
        (CAMT.format(version="02", entries=entry_of("NaN")).encode(), "movement 1: 'NaN' is no amount"),
        (CAMT.format(version="02", entries=entry_of().replace("2026-11-20", "20.11.2026")).encode(), "is no booking date"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_says_why(content: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        camt.parse(content)
    assert words in str(refused.value)


# -- tables ------------------------------------------------------------------------------------------------------------------


def _table(text: str, encoding: str = "utf-8", **layout: object) -> list[Entry]:
    given = Layout(**layout)  # type: ignore[arg-type]
    return statement_csv.parse(text.encode(encoding), given, account="PL1", currency="PLN").entries


def test_a_polish_table_is_read_with_its_commas_preface_and_encoding() -> None:
    text = (
        "Wyciąg z rachunku;;;;\n"
        "Data księgowania;Tytułem;Nadawca / Odbiorca;Numer rachunku;Kwota\n"
        "20.11.2026;Zapłata za FV 1;Łukasz Żak;'PL27114020040000300201355387';1 234,50\n"
        "21.11.2026;opłata;Bank;;-5,00\n"
        ";;;Saldo;1229,50\n"
    )
    first, second = _table(text, "cp1250")
    assert (first.booked, first.amount, first.payer_name, first.text) == (
        date(2026, 11, 20), Decimal("1234.50"), "Łukasz Żak", "Zapłata za FV 1",
    )  # fmt: skip
    assert first.payer_account == "PL27114020040000300201355387"
    assert (second.amount, second.outgoing) == (Decimal("5.00"), True)


def test_a_table_with_two_columns_and_points_is_read() -> None:
    text = 'Date,Description,Debit,Credit,Currency\n2026-11-20,Rent,"1,200.00",,EUR\n2026-11-21,INV 7,,99.90,EUR\n'
    found = _table(text)
    assert [(e.amount, e.outgoing, e.currency) for e in found] == [
        (Decimal("1200.00"), True, "EUR"), (Decimal("99.90"), False, "EUR"),
    ]  # fmt: skip


def test_columns_and_layout_that_were_told_are_taken() -> None:
    text = "When|What|More|How much\n12/31/2026|FV|1|5.00\n"
    [entry] = _table(
        text, date_column="When", amount_column="How much", text_columns=["What", "More"],
        date_order=Layout.DATE_ORDER_MDY,
    )  # fmt: skip
    assert (entry.booked, entry.text) == (date(2026, 12, 31), "FV 1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A;B\n1;2\n", "no line names a column for the date"),
        ("Date;Amount\n2026-11-20;1,234\n", "decimal comma or a decimal point"),
        ("Date;Amount\n2026-11-20;1,20\n2026-11-20;1.20\n", "decimal comma or a decimal point"),
        ("Date;Amount\nsoon;1,20\n", "line 2: 'soon' is no date"),
        ("Date;Amount\n2026-11-20;1,20\n2026-11-21;much\n", "line 3: 'much' is no amount"),
        ("Date;Amount\n", "no movements"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(text: str, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        _table(text)
    assert words in str(refused.value)


# -- the same line -----------------------------------------------------------------------------------------------------------


def _movement(**given: object) -> Entry:
    values = {"booked": date(2026, 11, 20), "amount": Decimal("100.00"), "currency": "PLN", "text": "FV 1", "account": "PL1"}  # fmt: skip
    return Entry(**{**values, **given})  # type: ignore[arg-type]


def test_two_alike_are_two_and_stay_the_same_in_the_next_file() -> None:
    twice = [_movement(), _movement(), _movement(text="FV 2")]
    assert len(set(keys(twice))) == 3
    assert keys([_movement(text="  fv  1 "), _movement(), _movement(amount=Decimal(100))])[:2] == keys(twice)[:2]  # fmt: skip


def test_the_banks_reference_tells_lines_apart_whatever_their_texts() -> None:
    first, other = keys([_movement(bank_reference="R1"), _movement(bank_reference="R2")])
    assert first != other
    assert keys([_movement(bank_reference="R1", text="corrected")]) == [first]
    assert keys([_movement(bank_reference="R1", account="PL 2")]) != [first]
