"""Matching lines of statements with open invoices: what is sure, and what is left to somebody."""

from decimal import Decimal

import pytest

from services.deals.rules.matching import NUMBER, SHORT_NUMBER, Book, Line, Open, names


def _open(number: str = "FV/2026/0001", amount: str = "100", buyer: str = "Ana Nowak", **given: object) -> Open:  # fmt: skip
    return Open(f"id of {number}", number, Decimal(amount), "PLN", buyer, **given)  # type: ignore[arg-type]


def _line(text: str = "", amount: str = "100", payer: str = "", account: str = "") -> Line:
    return Line(Decimal(amount), "PLN", text, payer, account)


def _sure(book: Book, line: Line) -> list[str]:
    return [each.number or each.payment_id for each in book.decide(line).sure]


@pytest.mark.parametrize(
    "text",
    ["fv/2026/0001", "zaplata fv 2026-1", "fv20260001", "fv 2026 / 0001 dziekuje", "fv_2026_001", "nr fv-2026-0001."],
)  # fmt: skip
def test_a_number_is_found_in_any_spelling(text: str) -> None:
    assert names("FV/2026/0001", text) == NUMBER


@pytest.mark.parametrize(
    "text", ["fv/2026/00012", "fv/2026/0011", "fv20261", "fv/2025/0001", "fk/2026/0002", "2026", ""]
)
def test_another_number_is_not(text: str) -> None:
    assert names("FV/2026/0001", text) == 0


def test_digits_alone_are_worth_less() -> None:
    assert names("FV/2026/0001", "faktura 2026/0001") == SHORT_NUMBER
    assert names("0001/2026/FV", "0001/2026/fv") == NUMBER


def test_number_with_amount_name_or_account_is_sure() -> None:
    known = {"acc": {"ana"}}
    book = Book([_open(parties=frozenset({"ana"})), _open("FV/2026/0002", "70", "Jan Kos")], known)

    assert _sure(book, _line("FV 2026/1")) == ["FV/2026/0001"]
    assert _sure(book, _line("FV 2026/1", "40", "NOWAK ANA ul. Długa 5")) == ["FV/2026/0001"]
    assert _sure(book, _line("FV 2026/1", "140", account="acc")) == ["FV/2026/0001"]
    assert _sure(book, _line("", "100", "Ana Nowak", "acc")) == ["FV/2026/0001"]


def test_one_sign_alone_is_doubtful() -> None:
    book = Book([_open(parties=frozenset({"ana"}))], {"acc": {"ana"}})

    for line in (_line("FV 2026/1", "33"), _line("", "100"), _line("", "33", "Ana Nowak"), _line("", "100", account="acc")):  # fmt: skip
        decision = book.decide(line)
        assert decision.sure == []
        assert [each.of.number for each in decision.candidates] == ["FV/2026/0001"]
    assert book.decide(_line("FV 2026/9", "33", "Somebody")).candidates == []


def test_two_that_are_alike_are_left_to_somebody() -> None:
    both = [_open("FV/2026/0001", parties=frozenset({"ana"})), _open("FV/2026/0002", parties=frozenset({"ana"}))]  # fmt: skip
    decision = Book(both, {"acc": {"ana"}}).decide(_line("", "100", "Ana Nowak", "acc"))
    assert (decision.sure, len(decision.candidates)) == ([], 2)


def test_a_number_that_contradicts_everything_else_is_doubtful() -> None:
    book = Book(
        [_open("FV/2026/0012", "500", "Jan Kos"), _open("FV/2026/0021", parties=frozenset({"ana"}))],
        {"acc": {"ana"}},
    )  # fmt: skip
    decision = book.decide(_line("FV/2026/0012", "100", "Ana Nowak", "acc"))
    assert decision.sure == []
    assert [each.of.number for each in decision.candidates] == ["FV/2026/0021", "FV/2026/0012"]


def test_several_numbers_that_come_to_the_amount_are_all_paid() -> None:
    book = Book([_open("FV/2026/0001", "100"), _open("FV/2026/0002", "50")])
    assert _sure(book, _line("FV 2026/1 i FV 2026/2", "150")) == ["FV/2026/0001", "FV/2026/0002"]
    assert _sure(book, _line("FV 2026/1 i FV 2026/2", "140")) == []


def test_the_next_instalment_is_an_amount_too() -> None:
    book = Book([_open(amount="1000", instalment=Decimal(300))])
    assert _sure(book, _line("FV/2026/0001", "300")) == ["FV/2026/0001"]


def test_another_currency_is_no_candidate() -> None:
    decision = Book([_open()]).decide(Line(Decimal(100), "EUR", "FV/2026/0001"))
    assert (decision.sure, decision.candidates) == ([], [])


def test_a_payment_that_was_recorded_before_is_linked_and_taken_once() -> None:
    recorded = Open("", "FV/2026/0001", Decimal(100), "PLN", "Ana Nowak", payment_id="p")
    book = Book([recorded])

    assert _sure(book, _line("FV/2026/0001", "100"))[0] == "FV/2026/0001"
    book.take("p")
    assert book.decide(_line("FV/2026/0001", "100")).candidates == []


def test_what_was_paid_is_open_no_more() -> None:
    book = Book([_open()])
    book.pay("id of FV/2026/0001", Decimal(60))
    assert _sure(book, _line("FV/2026/0001", "40")) == ["FV/2026/0001"]
    book.pay("id of FV/2026/0001", Decimal(40))
    assert book.decide(_line("FV/2026/0001", "40")).candidates == []
