"""What payment providers tell. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Violation
from services.deals import errors
from services.deals.rules import webhooks

RECEIVED, REFUNDED = "payment.received", "payment.refunded"

_LONGEST = {
    "id": 200, "type": 30, "amount": 40, "currency": 3, "reference": 500,
    "invoice_number": 100, "payer_name": 200, "time": 40,
}  # fmt: skip
_AMOUNT = re.compile(r"[0-9]{1,30}(\.[0-9]{1,10})?")
_OPTIONAL = ("invoice_number", "payer_name")


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider tells of one payment."""

    id: str
    type: str
    amount: str
    currency: str
    reference: str
    """The provider's name of the payment; a refund has that of what it pays back."""
    time: datetime
    invoice_number: str = ""
    payer_name: str = ""


def read(content: bytes) -> Event:
    """The event in a body; ValuesInvalid with what is wrong with it."""
    said = webhooks.texts(content, _LONGEST, optional=_OPTIONAL, types=(RECEIVED, REFUNDED))
    if not _AMOUNT.fullmatch(said["amount"]):
        raise errors.ValuesInvalid([Violation("amount", "is no decimal number as text, e.g. 1234.50")])  # fmt: skip
    time = webhooks.moment(said.pop("time"))
    return Event(**said, time=time)
