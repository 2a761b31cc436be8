"""Who asks: finding the contact behind a phone and an e-mail.

The rules, in order:
1. The phone belongs to one contact: it is that one.
2. The phone belongs to several: the one of them who also has the e-mail; else the one with the latest contact, and
   somebody should choose.
3. The phone is unknown or absent: the e-mail decides in the same way.
4. Neither is known: nobody is found, a contact will be created.
The phone's owner wins over the e-mail's owner; that they differ makes the two a suspected pair. Nothing is ever merged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """A contact that has the phone or the e-mail, and when we last had to do with it."""

    contact_id: str
    last_contact: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """Whom a request is attached to. `candidate_ids` is filled where somebody should choose."""

    contact_id: str = ""
    candidate_ids: tuple[str, ...] = ()
    suspected_id: str = ""

    @property
    def choose(self) -> bool:
        return bool(self.candidate_ids)


def match(by_phone: Sequence[Holder], by_email: Sequence[Holder]) -> Match:
    """The contact that asks, given everybody who has the phone and everybody who has the e-mail."""
    phone_ids, email_ids = _latest_first(by_phone), _latest_first(by_email)
    agreed = [id for id in phone_ids if id in email_ids]
    if len(agreed) == 1:
        return Match(agreed[0])
    chosen_from = agreed or phone_ids or email_ids
    if not chosen_from:
        return Match()
    contact_id = chosen_from[0]
    return Match(
        contact_id,
        tuple(chosen_from) if len(chosen_from) > 1 else (),
        email_ids[0] if phone_ids and email_ids and not agreed else "",
    )


def lock_keys(phone: str, email: str) -> list[str]:
    """The keys to lock, in order, so that two requests of one stranger cannot both create a contact."""
    return sorted(
        key for key in (f"phone/{phone}" if phone else "", f"email/{email}" if email else "") if key
    )


def _latest_first(holders: Sequence[Holder]) -> list[str]:
    ordered = sorted(holders, key=lambda holder: holder.contact_id)
    ordered.sort(key=lambda holder: holder.last_contact, reverse=True)
    return list(dict.fromkeys(holder.contact_id for holder in ordered))
