"""Instalments, credit notes, numbers, midnights and weeks: what is true of invoices whatever they hold."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import errors
from crm.contacts.v1 import company_pb2, contact_pb2, party_pb2
from crm.deals.v1 import invoice_pb2, invoice_verbs_pb2, legal_entity_pb2, line_pb2
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from services.deals.money import currencies
from services.deals.money.lines import price, sum_of
from services.deals.rules import buyers, crediting, instalments, invoices, numbering, receipts
from services.deals.timers_invoices import passed

Invoice = invoice_pb2.Invoice
Line = line_pb2.Line
CURRENCIES = ("PLN", "IDR", "JPY", "KWD", "EUR")
PROPERTY = settings(max_examples=80, deadline=None)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _whole(currency: str) -> st.SearchStrategy[Decimal]:
    units = st.integers(min_value=0, max_value=10**9)
    return units.map(lambda count: Decimal(count) * currencies.unit(currency))


@st.composite
def _invoices(draw: st.DrawFn) -> Invoice:
    """An issued invoice with lines, taxes and discounts of every kind."""
    currency = draw(st.sampled_from(CURRENCIES))
    made = Invoice(currency=currency, tax_included=draw(st.booleans()), number="FV/1", id="i")
    for at in range(draw(st.integers(1, 5))):
        made.lines.add(
            id=str(at), quantity=str(draw(st.integers(0, 40)) / Decimal(4)),
            unit_price=str(draw(st.integers(0, 10**6)) / Decimal(100)),
            tax_percent=draw(st.sampled_from(("23", "8", "12.345", "0", ""))),
            discount_percent=draw(st.sampled_from(("", "10", "33.33"))),
        )  # fmt: skip
    made.discount_percent = draw(st.sampled_from(("", "7", "100")))
    made.totals.CopyFrom(
        price(made.lines, currency=currency, tax_included=made.tax_included, discount_percent=made.discount_percent)
    )  # fmt: skip
    return made


@PROPERTY
@given(st.data())
def test_instalments_by_percent_come_to_the_whole_to_the_last_unit(data: st.DataObject) -> None:
    currency = data.draw(st.sampled_from(CURRENCIES))
    whole = data.draw(_whole(currency))
    cuts = sorted(data.draw(st.lists(st.integers(0, 100), max_size=8)))
    percents = [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    invoice = Invoice(currency=currency)
    invoice.totals.gross = str(whole)
    invoice.instalments.extend(invoice_pb2.Instalment(percent=str(each)) for each in percents)
    ids = iter(map(str, range(20)))

    instalments.complete(invoice, lambda: next(ids))

    assert sum(Decimal(part.amount) for part in invoice.instalments) == whole


@PROPERTY
@given(st.data())
def test_what_is_paid_and_credited_is_spread_without_losing_a_unit(data: st.DataObject) -> None:
    currency = data.draw(st.sampled_from(CURRENCIES))
    amounts = data.draw(st.lists(_whole(currency), min_size=1, max_size=6))
    whole = sum(amounts, Decimal(0))
    invoice = Invoice(currency=currency, state=Invoice.STATE_ISSUED, number="1")
    invoice.totals.gross = str(whole)
    invoice.instalments.extend(invoice_pb2.Instalment(amount=str(each)) for each in amounts)
    paid = data.draw(_whole(currency))
    credited = min(whole, data.draw(_whole(currency)))
    invoice.credited_amount = str(credited)

    invoices.settle(invoice, paid, NOW)

    parts = invoice.instalments
    opened, covered = sum_of(p.open_amount for p in parts), sum_of(p.paid_amount for p in parts)
    assert opened == Decimal(invoice.open_amount) == max(Decimal(0), whole - credited - paid)
    assert covered + Decimal(invoice.overpaid_amount) == paid
    assert covered + opened == whole - credited
    assert all(Decimal(p.open_amount) >= 0 for p in parts)
    first_open = next((at for at, p in enumerate(parts) if Decimal(p.open_amount) > 0), len(parts))
    assert all(Decimal(p.paid_amount) == 0 for p in parts[first_open + 1 :])


@pytest.mark.parametrize(
    ("paid", "credited", "state"),
    [
        ("0", "0", Invoice.STATE_ISSUED), ("1", "0", Invoice.STATE_PARTLY_PAID), ("100", "0", Invoice.STATE_PAID),
        ("101", "0", Invoice.STATE_PAID), ("0", "100", Invoice.STATE_CANCELLED), ("40", "60", Invoice.STATE_PAID),
        ("0", "60", Invoice.STATE_ISSUED), ("100", "100", Invoice.STATE_CANCELLED),
    ],
)  # fmt: skip
def test_the_state_follows_from_what_is_paid_and_credited(
    paid: str, credited: str, state: int
) -> None:
    invoice = Invoice(currency="PLN", state=Invoice.STATE_ISSUED, credited_amount=credited)
    invoice.totals.gross = "100"
    invoice.instalments.add(amount="100")

    invoices.settle(invoice, Decimal(paid), NOW)

    assert invoice.state == state


def test_paid_is_said_once_and_again_only_after_something_was_paid_back() -> None:
    invoice = Invoice(currency="PLN", state=Invoice.STATE_ISSUED)
    invoice.totals.gross = "100"
    invoice.instalments.add(amount="100")

    told = [invoices.settle(invoice, Decimal(paid), NOW) for paid in (99, 100, 120, 50, 100)]

    assert told == [False, True, False, False, True]
    assert invoice.HasField("pay_time")


@PROPERTY
@given(_invoices(), st.data())
def test_credit_notes_that_take_back_everything_come_to_the_invoice(
    invoice: Invoice, data: st.DataObject
) -> None:
    left = {line.id: Decimal(line.quantity) for line in invoice.lines}
    notes: list[Invoice] = []
    while any(quantity > 0 for quantity in left.values()):
        asked = []
        for line in invoice.lines:
            part = left[line.id]
            if len(notes) < 3:
                part = (part * data.draw(st.integers(0, 4)) / 4).quantize(Decimal("0.01"))
            if part > 0:
                asked.append(invoice_verbs_pb2.CreditLine(line_id=line.id, quantity=f"{part:f}"))
                left[line.id] -= Decimal(f"{part:f}")
        before = crediting.taken_before(notes)
        if not asked:
            left = {id: Decimal(0) for id in left}
        taken = crediting.wanted(invoice, before, asked)
        notes.append(crediting.note_of(invoice, taken, before, id=str(len(notes)), reason="r"))
        crediting.lower(invoice, notes[-1])

    for field in ("net", "tax", "gross"):
        of_lines = [line for line in invoice.lines if Decimal(line.quantity) > 0]
        whole = sum_of(getattr(line, field) for line in of_lines)
        assert sum_of(getattr(note.totals, field) for note in notes) == -whole
        for note in notes:
            assert sum_of(getattr(line, field) for line in note.lines) == Decimal(getattr(note.totals, field))  # fmt: skip
    if notes:
        assert Decimal(invoice.credited_amount) == Decimal(invoice.totals.gross)
        with pytest.raises(errors.FailedPrecondition, match="more would be taken back"):
            crediting.wanted(invoice, crediting.taken_before(notes), [])


def test_a_credit_note_takes_back_a_third_as_frozen_not_as_priced_anew() -> None:
    invoice = Invoice(currency="PLN", number="FV/1", id="i", tax_included=True)
    invoice.lines.add(id="a", quantity="3", unit_price="0.33", tax_percent="23")
    invoice.totals.CopyFrom(price(invoice.lines, currency="PLN", tax_included=True))
    assert (invoice.lines[0].gross, invoice.lines[0].tax) == ("0.99", "0.19")

    def take(before: dict[str, Decimal]) -> Invoice:
        return crediting.note_of(invoice, {"a": Decimal(1)}, before, id="n", reason="r")

    notes = [take({"a": Decimal(at)}) for at in range(3)]
    assert [note.totals.tax for note in notes] == ["-0.06", "-0.07", "-0.06"]
    assert [note.totals.gross for note in notes] == ["-0.33", "-0.33", "-0.33"]
    assert [note.lines[0].quantity for note in notes] == ["-1", "-1", "-1"]


def test_every_line_of_which_too_much_is_taken_back_is_named() -> None:
    invoice = Invoice(currency="PLN")
    invoice.lines.add(id="a", quantity="3")
    invoice.lines.add(id="b", quantity="1.5")
    asked = [invoice_verbs_pb2.CreditLine(line_id=id, quantity="2") for id in ("a", "b")]

    with pytest.raises(errors.FailedPrecondition) as refused:
        crediting.wanted(invoice, {"a": Decimal(2)}, asked)

    said = [(each.field, each.description) for each in refused.value.violations]
    assert said == [
        ("lines[0].quantity", "2 is more than is left of the line, 1"),
        ("lines[1].quantity", "2 is more than is left of the line, 1.5"),
    ]


@pytest.mark.parametrize(
    ("pattern", "number", "written"),
    [
        ("FV/{year}/{number:04}", 7, "FV/2026/0007"), ("{number}/{month}/{yy}", 12345, "12345/03/26"),
        ("{year}-{number:02}", 123, "2026-123"),
    ],
)  # fmt: skip
def test_numbers_are_written_by_their_pattern(pattern: str, number: int, written: str) -> None:
    assert numbering.unusable(pattern) == ""
    assert numbering.written(pattern, number, date(2026, 3, 9)) == written


@pytest.mark.parametrize(
    "pattern",
    ["", "FV/{year}", "FV/{number}", "{number}{number}{year}", "{year}/{number}/{day}", "{year}/{number:4}", "{year}{number"],
)  # fmt: skip
def test_patterns_that_cannot_number_are_refused(pattern: str) -> None:
    entity = legal_entity_pb2.LegalEntity()
    entity.series.add(type=InvoiceType.INVOICE_TYPE_INVOICE, pattern=pattern)
    with pytest.raises(errors.InvalidArgument) as refused:
        numbering.complete(entity, "PL")
    assert [each.field for each in refused.value.violations] == ["series[0].pattern"]


def test_each_country_begins_with_its_usual_series_and_keeps_what_is_given() -> None:
    entity = legal_entity_pb2.LegalEntity()
    entity.series.add(type=InvoiceType.INVOICE_TYPE_ADVANCE, pattern="UM/{number}/{year}")

    numbering.complete(entity, "ID")

    assert [series.pattern for series in entity.series] == [
        "INV/{year}/{number:04}", "PF/{year}/{number:04}", "CN/{year}/{number:04}", "UM/{number}/{year}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "zone", "over"),
    [
        (date(2026, 11, 23), "Europe/Warsaw", datetime(2026, 11, 23, 23, tzinfo=UTC)),
        (date(2026, 11, 23), "Asia/Jakarta", datetime(2026, 11, 23, 17, tzinfo=UTC)),
        (date(2026, 12, 31), "Asia/Jakarta", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        (date(2026, 3, 28), "Europe/Warsaw", datetime(2026, 3, 28, 23, tzinfo=UTC)),  # the night before the hour is skipped
        (date(2026, 3, 29), "Europe/Warsaw", datetime(2026, 3, 29, 22, tzinfo=UTC)),  # a day of 23 hours
        (date(2026, 10, 25), "Europe/Warsaw", datetime(2026, 10, 25, 23, tzinfo=UTC)),  # a day of 25 hours
        (date(2026, 4, 23), "Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),  # its midnight is skipped
    ],
)  # fmt: skip
def test_a_day_is_over_at_the_companys_midnight(day: date, zone: str, over: datetime) -> None:
    assert passed(day, zone) == over


def test_what_is_expected_stands_in_its_week() -> None:
    today = date(2026, 11, 25)  # a Wednesday
    said = [
        receipts.Expected("PLN", date(2026, 11, 24), Decimal("10"), 1),
        receipts.Expected("PLN", date(2026, 11, 25), Decimal("20"), 1),
        receipts.Expected("PLN", date(2026, 11, 29), Decimal("5.5"), 2),
        receipts.Expected("PLN", date(2026, 11, 30), Decimal("7"), 1),
        receipts.Expected("PLN", date(2026, 12, 7), Decimal("8"), 1),
        receipts.Expected("PLN", date.max, Decimal("9"), 1),
        receipts.Expected("PLN", date(2026, 11, 30), Decimal("100"), 3, Decimal("25")),
        receipts.Expected("JPY", date(2026, 11, 30), Decimal("101"), 1, Decimal("50")),
    ]

    planned = receipts.plan(said, today=today, weeks=2)

    assert (planned.start_date.month, planned.start_date.day) == (11, 23)
    yen, zloty = planned.currencies
    assert [(week.receipts.invoiced, week.receipts.instalment_count) for week in zloty.weeks] == [
        ("25.50", 3),
        ("7.00", 1),
    ]
    assert zloty.overdue.invoiced == "10.00"
    assert (zloty.later.invoiced, zloty.undated.invoiced) == ("8.00", "9.00")
    second = zloty.weeks[1].receipts
    assert (second.expected, second.weighted, second.deal_count) == ("100.00", "25.00", 3)
    assert (yen.weeks[1].receipts.expected, yen.weeks[1].receipts.weighted) == ("101", "51")


def test_buyers_are_named_as_they_are_registered_with_their_billing_address() -> None:
    company = company_pb2.Company(name="Okna", legal_name="Okna sp. z o.o.")
    company.tax_numbers.add(number="5260001246")
    company.addresses.add(kind=party_pb2.Address.KIND_SITE, lines=["Budowa 1"], city="Gdynia")
    company.addresses.add(kind=party_pb2.Address.KIND_SEAT, lines=["Prosta 5"], postal_code="00-838", city="Warszawa", country="PL")  # fmt: skip
    buyer = buyers.of_party("company", company)
    assert (buyer.name, buyer.tax_number, buyer.country) == ("Okna sp. z o.o.", "5260001246", "PL")
    assert list(buyer.address_lines) == ["Prosta 5", "00-838 Warszawa"]

    person = contact_pb2.Contact(display_name="Bu Sari")
    assert buyers.of_party("contact", person).name == "Bu Sari"
    person.delete_time.FromDatetime(NOW)
    assert buyers.of_party("contact", person) == type(buyer)()
