"""By what a file names a contact or company: its id, its id in another system, a phone, an e-mail. Kept as hashes only.

The tenant is part of each hash, so equal phones of two tenants look different; a hash of a phone can still be guessed by whoever
tries all phones, which is why erasing somebody takes them away.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import phonenumbers

ID, EXTERNAL, PHONE, EMAIL = "id", "ext", "phone", "email"
_BETWEEN = "\n"


def hashed(tenant: str | None, key: str) -> bytes:
    """The hash of `kind:value` in normal form."""
    return hashlib.sha256(f"{tenant}{_BETWEEN}{key}".encode()).digest()


def keys_of_party(party: Any) -> list[str]:
    """The keys by which files may name a contact or company of contacts' events, which hold normal forms."""
    return [
        *(f"{EXTERNAL}:{each.system}/{each.id}" for each in party.external_ids),
        *(f"{PHONE}:{each.number}" for each in party.phones),
        *(f"{EMAIL}:{each.address.lower()}" for each in party.emails),
    ]


@lru_cache(maxsize=20_000)
def phone(text: str, region: str) -> str:
    """The number as E.164; empty if no telephone can have it."""
    written = f"+{text[2:]}" if text.startswith("00") else text
    try:
        number = phonenumbers.parse(written, region.upper() or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    number.extension = None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@dataclass(slots=True)
class Ref:
    """A contact or company as the kit's imports see what a line refers to: an id and the keys that find it."""

    id: str = ""
    keys: tuple[str, ...] = ()
    etag: str = "0"

    @classmethod
    def FromString(cls, doc: bytes) -> "Ref":
        """Of what `doc` wrote."""
        id, *keys = doc.decode().split(_BETWEEN)
        return cls(id, tuple(keys))

    def CopyFrom(self, other: "Ref") -> None:
        """As a message does."""
        self.id, self.keys, self.etag = other.id, other.keys, other.etag

    def doc(self) -> bytes:
        """As bytes."""
        return _BETWEEN.join((self.id, *self.keys)).encode()


@dataclass(frozen=True, slots=True)
class Refs:
    """Stands where the kit expects a resource: files refer to contacts and companies here and never write them."""

    object: str
    message: type[Ref] = Ref

    @property
    def name(self) -> str:
        """Apart from every table."""
        return f"named_{self.object}"


CONTACTS: Any = Refs("contact")
COMPANIES: Any = Refs("company")


def refs(found: Iterable[tuple[str, str]]) -> list[bytes]:
    """The docs of (id, key)."""
    keys: dict[str, list[str]] = {}
    for id, key in found:
        keys.setdefault(id, []).append(key)
    return [Ref(id, tuple(each)).doc() for id, each in keys.items()]
