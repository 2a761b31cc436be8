"""Which open invoice a line of a bank statement pays: by number, amount, payer's name and account, each worth something (S39). Pure.

Sure is what reaches SURE and leaves everything else behind by AHEAD: two signs that belong together, one of them the number, or
all the others. Whatever else there is, somebody decides.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache

from chassis.fold import search_key
from crm.deals.v1 import bank_statement_line_pb2

MatchCandidate = bank_statement_line_pb2.MatchCandidate

NUMBER, SHORT_NUMBER, AMOUNT, ACCOUNT, NAME, LIKE_NAME = 60, 40, 25, 30, 25, 12
SURE, AHEAD, WORTH_SHOWING = 80, 25, 20
MOST_SHOWN = 10

_PARTS = re.compile(r"\d+|[^\W\d_]+")
_DIGITS = re.compile(r"\d+")
_LEGAL_FORMS = {
    "sp", "spzoo", "zoo", "oo", "z", "o", "o.o", "o.o.", "s.a.", "sa", "s.a", "s.c.", "sc", "sj", "sk", "sp.", "gmbh", "ag", "kg",
    "ltd", "ltd.", "llc", "inc", "inc.", "pt", "pt.", "cv", "cv.", "tbk", "sdn", "bhd", "co", "co.", "mr", "mrs", "pan", "pani",
}  # fmt: skip
"""Words of names that tell nobody from anybody."""


@dataclass(frozen=True, slots=True)
class Open:
    """What may be paid: an invoice of which something is open, or with `payment_id` a payment that was recorded before."""

    invoice_id: str
    number: str
    amount: Decimal
    """What is open."""
    currency: str
    buyer: str = ""
    parties: frozenset[str] = frozenset()
    instalment: Decimal | None = None
    """What is open of its next instalment."""
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What a statement says of one payment."""

    amount: Decimal
    currency: str
    text: str = ""
    payer: str = ""
    account: str = ""
    """The payer's, as payments know it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a line may be, and why."""

    of: Open
    score: int
    reasons: tuple["MatchCandidate.Reason", ...]


@dataclass(slots=True)
class Decision:
    """What a line is, if that is sure, and what it may be."""

    sure: list[Open] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)


class Book:
    """Everything that is open, found by what a line tells of it."""

    def __init__(
        self, opens: Iterable[Open], payers: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """payers: account -> the contacts and companies that have paid from it."""
        self._payers = payers or {}
        self._opens = dict(enumerate(opens))
        self._by_number: dict[str, set[int]] = defaultdict(set)
        self._by_amount: dict[Decimal, set[int]] = defaultdict(set)
        self._by_word: dict[str, set[int]] = defaultdict(set)
        self._by_party: dict[str, set[int]] = defaultdict(set)
        usual = Counter(part for each in self._opens.values() for part in _whole_parts(each.number))
        for at, each in self._opens.items():
            if parts := _whole_parts(each.number):
                self._by_number[min(parts, key=lambda part: usual[part])].add(at)
                self._by_number["".join(_DIGITS.findall(search_key(each.number)))].add(at)
            self._note_amounts(at, each)
            for word in _words(each.buyer):
                self._by_word[word].add(at)
            for party in each.parties:
                self._by_party[party].add(at)

    def _note_amounts(self, at: int, each: Open) -> None:
        self._by_amount[each.amount].add(at)
        if each.instalment is not None:
            self._by_amount[each.instalment].add(at)

    def decide(self, line: Line) -> Decision:
        """What the line is, by everything that is open in its currency."""
        found = sorted(
            self._candidates(line), key=lambda c: (-c.score, c.of.number, c.of.payment_id)
        )
        shown = [each for each in found if each.score >= WORTH_SHOWING][:MOST_SHOWN]
        named = [each for each in found if MatchCandidate.REASON_NUMBER in each.reasons]
        named = [each for each in named if not each.of.payment_id]
        if len(named) > 1 and sum(each.of.amount for each in named) == line.amount:
            return Decision([each.of for each in named], shown)
        if not found or found[0].score < SURE:
            return Decision([], shown)
        if len(found) > 1 and found[0].score - found[1].score < AHEAD:
            return Decision([], shown)
        return Decision([found[0].of], shown)

    def pay(self, invoice_id: str, amount: Decimal) -> None:
        """So much of an invoice is open no more."""
        for at, each in list(self._opens.items()):
            if each.invoice_id == invoice_id and not each.payment_id:
                if each.amount <= amount:
                    del self._opens[at]
                else:
                    self._opens[at] = replace(each, amount=each.amount - amount, instalment=None)
                    self._note_amounts(at, self._opens[at])

    def take(self, payment_id: str) -> None:
        """A payment has its line."""
        self._opens = {at: e for at, e in self._opens.items() if e.payment_id != payment_id}

    def _candidates(self, line: Line) -> Iterable[Candidate]:
        text = search_key(line.text)
        words = _words(line.payer)
        paying = self._payers.get(line.account, ()) if line.account else ()
        near: set[int] = set(self._by_amount.get(line.amount, ()))
        for digits in _DIGITS.findall(text):
            near |= self._by_number.get(digits.lstrip("0") or "0", set())
            near |= self._by_number.get(digits, set())
        for word in words:
            near |= self._by_word.get(word, set())
        for party in paying:
            near |= self._by_party.get(party, set())
        for at in near & self._opens.keys():
            one = self._opens[at]
            if one.currency == line.currency:
                yield _judged(one, line, text, words, paying)


def _judged(
    one: Open, line: Line, text: str, words: frozenset[str], paying: Collection[str]
) -> Candidate:
    score, reasons = 0, []
    if number := names(one.number, text):
        score += number
        reasons.append(MatchCandidate.REASON_NUMBER)
    if line.amount in (one.amount, one.instalment):
        score += AMOUNT
        reasons.append(MatchCandidate.REASON_AMOUNT)
    if name := _alike(_words(one.buyer), words):
        score += name
        reasons.append(MatchCandidate.REASON_NAME)
    if one.parties.intersection(paying):
        score += ACCOUNT
        reasons.append(MatchCandidate.REASON_ACCOUNT)
    return Candidate(one, score, tuple(reasons))


def names(number: str, text: str) -> int:
    """NUMBER if the folded text says the invoice's number in any spelling, SHORT_NUMBER if only its digits, else 0."""
    if not number:
        return 0
    whole, short = _patterns(search_key(number))
    if whole.search(text):
        return NUMBER
    return SHORT_NUMBER if short is not None and short.search(text) else 0


@lru_cache(maxsize=50_000)
def _patterns(number: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """(the number, its digits alone); leading zeros may be left out where something divides the parts.

    FV/2026/0001 is found in "fv 2026-1", "FV20260001" and "faktura FV/2026/001", not in FV/2026/00012 or FV20261.
    """
    parts = _PARTS.findall(number)
    digits = [part for part in parts if part.isdigit()]
    short = _pattern(digits) if 1 < len(digits) < len(parts) else None
    return _pattern(parts), short


def _pattern(parts: Sequence[str]) -> re.Pattern[str]:
    made = ""
    for at, part in enumerate(parts):
        if not part.isdigit():
            made += ("" if at == 0 else r"[\W_]*") + re.escape(part)
        elif at == 0:
            made += rf"(?<!\d)0*{int(part)}"
        else:
            made += rf"(?:[\W_]+0*{int(part)}|[\W_]*{part})"
    return re.compile(made + (r"(?!\d)" if parts and parts[-1].isdigit() else r"(?![^\W\d_])"))


def _whole_parts(number: str) -> list[str]:
    """The runs of digits of a number without leading zeros."""
    return [digits.lstrip("0") or "0" for digits in _DIGITS.findall(search_key(number))]


@lru_cache(maxsize=50_000)
def _words(name: str) -> frozenset[str]:
    """What tells somebody's name from others."""
    words = frozenset(search_key(name).split())
    return frozenset(word for word in words - _LEGAL_FORMS if len(word) > 1)


def _alike(buyer: frozenset[str], payer: frozenset[str]) -> int:
    """NAME if one name holds the other, LIKE_NAME if they share a word that is long enough to tell."""
    if not buyer or not payer:
        return 0
    common = buyer & payer
    if common == buyer or (common == payer and len(payer) > 1):
        return NAME
    return LIKE_NAME if any(len(word) > 3 for word in common) else 0
