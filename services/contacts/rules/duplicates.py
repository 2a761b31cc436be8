"""Which records may be one: keys under which twins meet, and how sure it is that two of them are one.

Comparing every record with every other is out of the question, so only those are compared that share a key. A key that very
many records share (a switchboard, a common name) says little and is passed over (`MOST_SHARING`); such twins still meet
under another key. Keys are kept as numbers: nothing of a person can be read from them.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from chassis import fold
from crm.contacts.v1 import contact_pb2, duplicate_pb2
from services.contacts.rules import contacts as contact_rules

MOST_SHARING = 50
"""Records under one key that are still compared with each other: 50 make 1,225 pairs."""
LEAST_SCORE = 40
"""Pairs below are not worth a look: an equal phone or an equal name alone reaches it, a similar name alone does not."""
LEAST_MERGED = 60
"""Pairs below are never merged by themselves: one exact key in common does not reach it, it takes a name or a second key."""

_R = duplicate_pb2.DuplicateReason
PHONE, EMAIL, TAX = (
    _R.DUPLICATE_REASON_PHONE,
    _R.DUPLICATE_REASON_EMAIL,
    _R.DUPLICATE_REASON_TAX_NUMBER,
)
NAME, COMPANY, ADDRESS = (
    _R.DUPLICATE_REASON_NAME,
    _R.DUPLICATE_REASON_COMPANY,
    _R.DUPLICATE_REASON_ADDRESS,
)
BIRTHDAY, DOMAIN, REQUEST = (
    _R.DUPLICATE_REASON_BIRTHDAY,
    _R.DUPLICATE_REASON_DOMAIN,
    _R.DUPLICATE_REASON_REQUEST,
)
EXACT = (PHONE, EMAIL, TAX)
"""Keys that name one party and hardly two."""
REQUEST_SCORE = 50
"""A request came with the phone of one and the e-mail of the other: one of the two signs of one person."""
FIELDS: dict[int, str] = {
    PHONE: "phones", EMAIL: "emails", TAX: "tax_numbers", COMPANY: "company_id", ADDRESS: "addresses", BIRTHDAY: "birthday",
    DOMAIN: "domains",
}  # fmt: skip
"""The field whose value a reason tells something of."""

_POINTS = {EMAIL: 45, PHONE: 40, TAX: 60, ADDRESS: 20, BIRTHDAY: 15, COMPANY: 10, DOMAIN: 15}
_NAME_POINTS = 45  # of equal names; less the less they are alike
_ALIKE, _UNLIKE = (
    75,
    50,
)  # of 100: from the first on names speak for a pair, below the second against it
_AGAINST = 30  # points that unlike names or other birthdays take
_LEGAL_FORMS = frozenset(
    [
        "sp",
        "z",
        "o",
        "oo",
        "spolka",
        "zoo",
        "sa",
        "sc",
        "spk",
        "gmbh",
        "ag",
        "kg",
        "ug",
        "mbh",
        "co",
        "ltd",
        "limited",
        "llc",
        "llp",
        "plc",
        "inc",
        "corp",
        "corporation",
        "company",
        "pt",
        "cv",
        "tbk",
        "persero",
        "ooo",
        "oao",
        "zao",
        "ao",
        "ip",
        "pao",
        "bv",
        "nv",
        "srl",
        "spa",
        "sas",
        "sarl",
        "oy",
        "ab",
        "as",
        "aps",
        "the",
    ]
)


COMPARED = frozenset(
    (
        "given_name",
        "family_name",
        "display_name",
        "name",
        "phones",
        "emails",
        "tax_numbers",
        "addresses",
        "domains",
        "company_id",
        "birthday",
    )
)
"""The fields of contacts and companies out of which a profile is made."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What of a record is compared, folded once."""

    id: str
    name: str
    phones: frozenset[str]
    emails: frozenset[str]
    tax_numbers: frozenset[str]
    addresses: frozenset[str]
    domains: frozenset[str]
    company_id: str
    birthday: tuple[int, int, int]


def profile(party: Any) -> Profile:
    """What of a contact or company is compared."""
    is_person = isinstance(party, contact_pb2.Contact)
    name = contact_rules.known_name(party) if is_person else party.name
    born = party.birthday if is_person else None
    return Profile(
        id=party.id,
        name=" ".join(sorted(words(name, person=is_person))),
        phones=frozenset(
            fold.phone_digits(phone.number) for phone in party.phones if not phone.extension
        ),
        emails=frozenset(email.address for email in party.emails),
        tax_numbers=frozenset(
            f"{tax.country}/{tax.kind}/{tax.number}" for tax in party.tax_numbers
        ),
        addresses=frozenset(filter(None, map(_address, party.addresses))),
        domains=frozenset() if is_person else frozenset(party.domains),
        company_id=party.company_id if is_person else "",
        birthday=(born.year, born.month, born.day) if born is not None and born.year else (0, 0, 0),
    )


def words(name: str, *, person: bool) -> list[str]:
    """The folded words of a name; a company's without its legal form."""
    folded = "".join(
        letter if letter.isalnum() else " " for letter in fold.search_key(name)
    ).split()
    kept = folded if person else [word for word in folded if word not in _LEGAL_FORMS]
    return kept or folded


def keys(one: Profile) -> set[int]:
    """The numbers under which the record meets its twins."""
    return {_number(text) for text in _key_texts(one)}


def score(one: Profile, other: Profile) -> tuple[int, list[int]]:
    """(how sure it is that the two are one, 0 to 100; what they have in common)."""
    both = (
        (EMAIL, one.emails & other.emails),
        (PHONE, one.phones & other.phones),
        (TAX, one.tax_numbers & other.tax_numbers),
        (ADDRESS, one.addresses & other.addresses),
        (DOMAIN, one.domains & other.domains),
        (COMPANY, one.company_id and one.company_id == other.company_id),
        (BIRTHDAY, one.birthday[0] and one.birthday == other.birthday),
    )
    reasons = [reason for reason, shared in both if shared]
    points = sum(_POINTS[reason] for reason in reasons)
    if one.name and other.name:
        alike = fuzz.token_sort_ratio(one.name, other.name)
        if alike >= _ALIKE:
            reasons.append(NAME)
            points += round(_NAME_POINTS * (alike - _ALIKE + 10) / (110 - _ALIKE))
        elif alike < _UNLIKE:
            points -= _AGAINST
    if one.birthday[0] and other.birthday[0] and one.birthday != other.birthday:
        points -= _AGAINST
    return max(0, min(100, points)), sorted(reasons)


def pairs_in(
    meeting: Iterable[Sequence[str]], ids: Collection[str], *, once: bool
) -> list[tuple[str, str]]:
    """Pairs of one of these records and another that it meets; `once`: only with younger ones, so that a walk sees each once."""
    found = {
        (one, other)
        for group in meeting
        for one in group
        if one in ids
        for other in group
        if other > one or (other != one and not once)
    }
    return sorted(found)


def groups(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The records that pairs hold together, directly or through others, each group oldest first."""
    parent: dict[str, str] = {}

    def root(id: str) -> str:
        while parent.setdefault(id, id) != id:
            parent[id] = parent[parent[id]]
            id = parent[id]
        return id

    for low, high in pairs:
        first, second = sorted((root(low), root(high)))
        parent[second] = first
    found: dict[str, list[str]] = {}
    for id in sorted(parent):  # UUIDv7: the smallest is the oldest
        found.setdefault(root(id), []).append(id)
    return [found[id] for id in sorted(found)]


def mask(reasons: Iterable[int]) -> int:
    """The reasons as the bits of one number, as they are kept."""
    return sum(1 << reason for reason in set(reasons))


def unmasked(bits: int) -> list[int]:
    """The reasons of such a number."""
    return [reason for reason in _R.values() if reason and bits >> reason & 1]


def _address(address: Any) -> str:
    """Street and house with the town or its code; empty where either is unknown."""
    street = fold.search_key(" ".join(address.lines)) if address.lines else ""
    place = fold.search_key(address.postal_code or address.city)
    return f"{street}|{place}" if street and place else ""


def _key_texts(one: Profile) -> Iterator[str]:
    yield from (f"p/{digits}" for digits in one.phones)
    yield from (f"e/{address}" for address in one.emails)
    yield from (f"t/{number}" for number in one.tax_numbers)
    yield from (f"a/{address}" for address in one.addresses)
    yield from (f"d/{domain}" for domain in one.domains)
    parts = one.name.split()
    if not parts:
        return
    yield f"n/{one.name}"
    # A slip of the pen leaves the beginning of one word and the length of the other; order of the words does not count.
    for word in parts:
        rest = "".join(sorted(other[0] for other in parts if other is not word))
        yield f"w/{word[:4]}|{rest}"
    for context in (one.company_id, *one.addresses):
        if context:
            yield from (f"c/{context}|{word[:3]}" for word in parts)
    if one.birthday[0]:
        yield f"b/{one.birthday}|{parts[0][:2]}"


def _number(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True
    )
