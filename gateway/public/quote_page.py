"""A quote as a page for the customer, in his language and its figures: a table that reads and prints well, without scripts too."""

import copy
import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from google.rpc import code_pb2

from chassis import errors
from gateway.public import page

_HEAD = (
    '<meta name="referrer" content="no-referrer">\n<link rel="stylesheet" href="/static/quote.css">'
)
"""The address is the key, so it is told to nobody."""
_ANSWERABLE = "STATE_SENT"
_OVER = {"STATE_SUPERSEDED": "superseded", "STATE_WITHDRAWN": "withdrawn"}
_ANSWERED = {"STATE_ACCEPTED": "accepted", "STATE_DECLINED": "declined"}

# CLDR's currencySpacing, which babel leaves out: letters and a digit are kept apart (PLN 5, Rp 5, but €5).
_NO_SPACE = re.compile(r"(?<=[^\W\d_])(?=\d)")

Quote = Mapping[str, Any]


class Figures:
    """How numbers, amounts and days are written in a language."""

    def __init__(self, quote: Quote) -> None:
        try:
            self.locale = Locale.parse(str(quote.get("language") or "en"), sep="-")
        except (UnknownLocaleError, ValueError):
            self.locale = Locale("en")
        self.currency = str(quote.get("currency", ""))
        self.places = _places(str(quote.get("gross", "")))

    def money(self, text: str) -> str:
        """An amount with the places that its record holds; a price of one may have more."""
        pattern = copy.copy(self.locale.currency_formats["standard"])
        places = max(self.places, _places(text.rstrip("0")))
        pattern.frac_prec = (places, places)
        amount = Decimal(text or 0)
        shown = pattern.apply(amount, self.locale, currency=self.currency, currency_digits=False)
        return _NO_SPACE.sub("\N{NO-BREAK SPACE}", shown)

    def number(self, text: str) -> str:
        return format_decimal(Decimal(text or 0), locale=self.locale, decimal_quantization=False)

    def percent(self, text: str) -> str:
        share = Decimal(text or 0) / 100
        return format_percent(share, locale=self.locale, decimal_quantization=False)

    def day(self, value: Mapping[str, int]) -> str:
        return format_date(date(value["year"], value["month"], value["day"]), "long", self.locale)

    def day_of(self, moment: str, zone: str) -> str:
        return format_date(_local(moment, zone).date(), "long", self.locale)

    def time(self, moment: str, zone: str) -> str:
        return format_datetime(_local(moment, zone), "long", locale=self.locale)


def texts(quote: Quote) -> dict[str, str]:
    """The page's own words in the customer's language, English where there are none."""
    return page.words("quote", str(quote.get("language") or "en"))


def render(quote: Quote, key: str, typed: Mapping[str, str], wrong: str, alert: str) -> str:
    """The whole quote with what was answered, or with the form to answer it; of one that is over only that."""
    words = texts(quote)
    title = escape(words["title"].format(number=quote.get("number", "")))
    state = str(quote.get("state", ""))
    body = f'<p class="seller">{escape(quote.get("seller", ""))}</p>\n<h1>{title}</h1>\n{page.notice(alert)}'
    if state in _OVER:
        body += f'\n<p role="status" class="state">{words[_OVER[state]]}</p>'
        return _document(quote, title, body)
    figures = Figures(quote)
    body += "\n".join(
        (
            _facts(quote, words, figures), _text(quote.get("intro", "")), _table(quote, words, figures),
            _text(quote.get("terms", "")),
        )
    )  # fmt: skip
    if state in _ANSWERED:
        body += _answered(quote, words, figures, words[_ANSWERED[state]])
    elif state == _ANSWERABLE:
        body += _form(key, words, typed, wrong)
        return _document(quote, title, body, _script(key))
    return _document(quote, title, body)


def told(quote: Quote, error: errors.CrmError) -> str:
    """What the customer is told about a refusal of his answer."""
    words = texts(quote)
    by_code = {
        code_pb2.RESOURCE_EXHAUSTED: "busy", code_pb2.INVALID_ARGUMENT: "wrong", code_pb2.FAILED_PRECONDITION: "closed",
    }  # fmt: skip
    return words[by_code.get(error.code, "down")]


def refused(code: int, language: str) -> str:
    """A page where nothing is known but the refusal."""
    quote = {"language": language}
    words = texts(quote)
    text = words["absent"] if code == code_pb2.NOT_FOUND else words["unavailable"]
    return _document(quote, words["offer"], page.notice(text))


def _facts(quote: Quote, words: Mapping[str, str], figures: Figures) -> str:
    facts = [quote.get("variant", "")]
    if quote.get("version", 1) > 1:
        facts.append(words["version"].format(version=quote["version"]))
    if sent := quote.get("sendTime"):
        facts.append(words["date"].format(date=figures.day_of(sent, quote["zone"])))
    if until := quote.get("validUntil"):
        facts.append(words["valid"].format(date=figures.day(until)))
    if who := quote.get("sellerPerson"):
        facts.append(words["person"].format(who=who))
    items = "".join(f"<li>{escape(fact)}</li>" for fact in facts if fact)
    return f'<ul class="facts">{items}</ul>'


def _text(text: str) -> str:
    return f'<p class="text">{escape(text)}</p>' if text else ""


def _table(quote: Quote, words: Mapping[str, str], figures: Figures) -> str:
    heads = "".join(
        f'<th scope="col"{_RIGHT if at else ""}>{words[name]}</th>'
        for at, name in enumerate(("item", "quantity", "price", "rate", "amount"))
    )
    lines = "\n".join(_line(line, figures) for line in quote.get("lines", ()))
    sums = "\n".join(
        f'<tr><th scope="row" colspan="4">{escape(name)}</th><td{_RIGHT}>{escape(amount)}</td></tr>'
        for name, amount in _sums(quote, words, figures)
    )
    meant = words["with_tax" if quote.get("taxIncluded") else "without_tax"]
    return f"""<div class="scroll"><table>
<thead><tr>{heads}</tr></thead>
<tbody>
{lines}
</tbody>
<tfoot>
{sums}
</tfoot>
</table></div>
<p>{meant}</p>"""


_RIGHT = ' class="number"'


def _line(line: Quote, figures: Figures) -> str:
    more = f"<small>{escape(line['description'])}</small>" if line.get("description") else ""
    quantity = f"{figures.number(line['quantity'])} {line.get('unit', '')}".strip()
    cells = (
        quantity, figures.money(line["unitPrice"]), figures.percent(line.get("taxPercent", "")),
        figures.money(line["list"]),
    )  # fmt: skip
    numbers = "".join(f"<td{_RIGHT}>{escape(cell)}</td>" for cell in cells)
    return f"<tr><td>{escape(line.get('name', ''))}{more}</td>{numbers}</tr>"


def _sums(quote: Quote, words: Mapping[str, str], figures: Figures) -> list[tuple[str, str]]:
    """The rows below the lines: discount and taxes only where there are some."""
    rows = []
    if Decimal(quote.get("discount") or 0):
        rows.append((words["sum"], figures.money(quote["list"])))
        rows.append((words["discount"], figures.money(f"-{quote['discount']}")))
    taxes = [each for each in quote.get("taxes", ()) if Decimal(each.get("tax") or 0)]
    if taxes:
        rows.append((words["net"], figures.money(quote["net"])))
    for each in taxes:
        name = words["tax"].format(percent=figures.percent(each["percent"]))
        rows.append((name, figures.money(each["tax"])))
    return [*rows, (words["total"], figures.money(quote.get("gross", "")))]


def _answered(quote: Quote, words: Mapping[str, str], figures: Figures, text: str) -> str:
    time = figures.time(quote["answerTime"], quote["zone"])
    signed = escape(words["signed"].format(name=quote.get("answerName", ""), time=time))
    return f'<p role="status" class="state">{text}<br>{signed}</p>'


def _form(key: str, words: Mapping[str, str], typed: Mapping[str, str], wrong: str) -> str:
    """One form with two buttons; whichever is pressed says where it goes. `./` because a key and a colon look like a scheme."""
    to = f"./{escape(key, quote=True)}"
    request_id = escape(typed.get("_request_id") or str(uuid.uuid4()), quote=True)
    described = ' aria-invalid="true" aria-describedby="e-name"' if wrong else ""
    return f"""<h2>{words["answer"]}</h2>
<form method="post" action="{to}:accept" accept-charset="utf-8">
<div class="field"><label for="f-name">{words["name"]}</label>
<input type="text" id="f-name" name="name" autocomplete="name" required maxlength="200" value="{escape(typed.get("name", ""), quote=True)}"{described}>
{page.mistake("name", wrong)}</div>
<div class="field"><label for="f-note">{words["note"]}</label>
<textarea id="f-note" name="note" rows="3" maxlength="2000">{escape(typed.get("note", ""))}</textarea></div>
<p class="proof">{words["proof"]}</p>
<input type="hidden" name="_request_id" value="{request_id}">
<button type="submit">{words["accept"]}</button>
<button type="submit" class="second" formaction="{to}:decline">{words["decline"]}</button>
</form>"""


def _script(key: str) -> str:
    """What tells that a person has the page before him."""
    return f'\n<script src="/static/quote.js" data-open="./{escape(key, quote=True)}:open" defer></script>'


def _document(quote: Quote, title: str, body: str, script: str = "") -> str:
    return page.document(str(quote.get("language") or ""), title, body, _HEAD + script)


def _local(moment: str, zone: str) -> datetime:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))


def _places(text: str) -> int:
    return len(text.partition(".")[2])
