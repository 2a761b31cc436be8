"""What a customer sees of a quote: never what it costs us, and of one that is over by our doing only that it is. Pure."""

from decimal import Decimal

from crm.deals.v1 import quote_page_pb2, quote_pb2
from services.deals.money import currencies

PublicQuote = quote_page_pb2.PublicQuote
Quote = quote_pb2.Quote

_TAKEN_BACK = (Quote.STATE_SUPERSEDED, Quote.STATE_WITHDRAWN)
_OF_LINES = (
    "name", "description", "quantity", "unit", "unit_price", "tax_percent", "net", "gross",
)  # fmt: skip


def shown(quote: Quote) -> PublicQuote:
    """The page's content, without whose it is."""
    page = PublicQuote(
        number=quote.number, version=quote.version, variant=quote.variant, state=quote.state
    )
    if quote.state in _TAKEN_BACK:
        return page
    totals = quote.totals
    page.MergeFrom(
        PublicQuote(
            currency=quote.currency, tax_included=quote.tax_included, list=totals.list, discount=totals.discount,
            net=totals.net, tax=totals.tax, gross=totals.gross, valid_until=quote.valid_until, send_time=quote.send_time,
            intro=quote.intro, terms=quote.terms, answer_name=quote.answer.name,
        )
    )  # fmt: skip
    for line in quote.lines:
        listed = Decimal(line.quantity) * Decimal(line.unit_price)
        page.lines.add(
            list=currencies.shown(listed, quote.currency),
            **{field: getattr(line, field) for field in _OF_LINES},
        )
    for each in totals.taxes:
        page.taxes.add(percent=each.percent, net=each.net, tax=each.tax)
    if quote.HasField("answer"):
        page.answer_time.CopyFrom(quote.answer.time)
    return page
