"""Whom a line names: contacts and companies that are known here by hashes only (chassis/kit/imports/named.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis.kit import following
from chassis.kit.imports import named
from chassis.kit.imports.adapter import LineRefused, Part, Terms
from chassis.kit.imports.named import Ref
from chassis.tx import Tx
from services.deals.import_keys import COMPANIES, CONTACTS

PARTIES = (CONTACTS, COMPANIES)


@dataclass(slots=True)
class Company:
    """What a line refers to beside its contact, and the record that is to name it."""

    record: Any
    said: str


def references(
    terms: Terms, record: Any, contact: Sequence[str], company: Sequence[str]
) -> list[Part]:
    """The parts of whom the line names: the kit links the first, `refer` a company behind a contact."""
    parts: list[Any] = []
    if contact and company and terms.skips:
        raise LineRefused("company: cannot be looked up beside a contact while matches are skipped")
    if contact:
        parts.append(Part(CONTACTS, contact[0], tuple(contact)))
    if company:
        parts.append(Part(COMPANIES, Company(record, company[0]), tuple(company)))
    return parts


def link_to(parts: Sequence[Part]) -> tuple[str, int] | None:
    """How the record of the line names the first of these parts."""
    return (f"{parts[0].resource.object}_id", 0) if parts else None


def refer(part: Part, ref: Ref, *, existing: bool) -> None:
    """Lets the record name whom the kit does not link; LineRefused if nobody was found."""
    beside = part.wish if isinstance(part.wish, Company) else None
    kind, _, value = (beside.said if beside is not None else part.wish).partition(":")
    if not existing:
        object = "contact" if beside is None else "company"
        what = {"ext": "id", "id": "id"}.get(kind, kind)
        raise LineRefused(f"{object}: there is none with the {what} {value}; import it first")
    if beside is not None:
        beside.record.company_id = ref.id


async def found(tx: Tx, object: str, sought: Sequence[str]) -> list[bytes]:
    """Whom the keys find, under the ids by which they live now."""
    each = await named.find(tx, object, sought)
    living = await following.survivors(tx, object, [id for id, _ in each])
    return named.refs((living.get(id, id), key) for id, key in each)
