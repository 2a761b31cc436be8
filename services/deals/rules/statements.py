"""Bank statements as values, whatever their format, and what makes a line the same line when it is sent again. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


class Unreadable(ValueError):
    """Why a statement cannot be read, as a sentence that names the place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on the account."""

    booked: date
    amount: Decimal
    """Above zero; what the payer paid, before what the bank kept of it."""
    currency: str
    outgoing: bool = False
    text: str = ""
    payer_name: str = ""
    payer_account: str = ""
    bank_reference: str = ""
    """The bank's own name of the movement; empty if it gives none."""
    is_reversal: bool = False
    charges: Decimal = Decimal(0)
    account: str = ""
    """Ours."""


@dataclass(slots=True)
class Statement:
    """What a file says."""

    account: str = ""
    currency: str = ""
    opening: Decimal | None = None
    closing: Decimal | None = None
    entries: list[Entry] = field(default_factory=list)
    pending: int = 0
    """Movements that the bank has not booked: left out, they come again."""


def plain_account(account: str) -> str:
    """An account without blanks, in one spelling."""
    return "".join(account.split()).upper()


def keys(entries: Iterable[Entry]) -> list[str]:
    """For each entry what tells it from all others, the same in every file in which it stands.

    The bank's reference where there is one, else what the movement is; the second of two alike is the second in every file,
    because banks cut statements by days. The number of the statement is no part of it: the same day is in several.
    """
    seen: Counter[str] = Counter()
    found = []
    for entry in entries:
        account = plain_account(entry.account)
        side = "-" if entry.outgoing else "+"
        what = [account, side, f"{entry.amount.normalize():f}", entry.currency]
        if entry.bank_reference:
            what += ["ref", entry.bank_reference]
        else:
            words = " ".join(f"{entry.text} {entry.payer_name}".split()).casefold()
            what += [entry.booked.isoformat(), words, plain_account(entry.payer_account)]
        told = hashlib.sha256("\x1f".join(what).encode()).hexdigest()
        seen[told] += 1
        found.append(f"{told}:{seen[told]}")
    return found
