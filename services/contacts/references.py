"""Whether what a record refers to exists. Asked only for references that a change adds, so that old ones never block."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from chassis import contracts
from chassis.tx import Tx
from crm.contacts.v1 import company_pb2, contact_pb2, form_pb2, request_pb2
from services.contacts import errors, store
from services.contacts.rules.references import settle

Reference = tuple[str, str, str]  # field, noun, id

_CATALOGUE_NOUNS = ("label", "need", "source", "form")


async def check(tx: Tx, new: Any, old: Any | None) -> None:
    """ReferenceUnknown with every reference that `new` adds and that leads nowhere; AssigneeNotActive for its owner."""
    known = {(noun, id) for _, noun, id in _references(old)} if old is not None else set()
    added = [reference for reference in _references(new) if reference[1:] not in known]
    wanted: dict[str, set[str]] = defaultdict(set)
    for _, noun, id in added:
        wanted[noun].add(id)
    absent: set[tuple[str, str]] = set()
    for noun, ids in wanted.items():
        find = store.missing_entries if noun in _CATALOGUE_NOUNS else store.missing
        absent |= {(noun, id) for id in await find(tx, noun, ids)}
    absent -= await _led_to_survivors(tx, new, absent)
    if wrong := [(field, f"{noun} {id}") for field, noun, id in added if (noun, id) in absent]:
        raise errors.ReferenceUnknown(wrong)
    if hasattr(new, "owner_id") and new.owner_id and (old is None or new.owner_id != old.owner_id):
        refuse_inactive(tx, new.owner_id)


async def _led_to_survivors(tx: Tx, new: Any, absent: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Writes the survivor where a merged contact or company is named; returns the references that this settled."""
    found: dict[tuple[str, str], str] = {}
    for noun in ("contact", "company"):
        merged = [id for named, id in absent if named == noun]
        survivors = await store.merges.survivors(tx, noun, merged)
        gone = await store.missing(tx, noun, set(survivors.values()))
        found |= {(noun, id): now for id, now in survivors.items() if now not in gone}
    if found:
        option = contracts.resource_option(new.DESCRIPTOR)
        settle(option.object if option else "", new, lambda noun, id: found.get((noun, id), id))
    return set(found)


def refuse_inactive(tx: Tx, user_id: str) -> None:
    """AssigneeNotActive for a user who is known to be no longer (or not yet) there."""
    user = tx.directory.user(user_id)
    if user is not None and user["state"] != "active":
        raise errors.AssigneeNotActive(user_id)


def _references(record: Any) -> Iterator[Reference]:
    """Every reference of a record to something that this service owns."""
    for at, id in enumerate(record.label_ids):
        yield f"label_ids[{at}]", "label", id
    if record.source_id:
        yield "source_id", "source", record.source_id
    if isinstance(record, form_pb2.Form):
        return
    if isinstance(record, (contact_pb2.Contact, request_pb2.Request)) and record.company_id:
        yield "company_id", "company", record.company_id
    if isinstance(record, request_pb2.Request):
        if record.form_id:
            yield "form_id", "form", record.form_id
        if record.contact_id:
            yield "contact_id", "contact", record.contact_id
    else:
        yield from _party_references(record)


def _party_references(party: contact_pb2.Contact | company_pb2.Company) -> Iterator[Reference]:
    for at, need in enumerate(party.needs):
        yield f"needs[{at}].need_id", "need", need.need_id
    for at, relation in enumerate(party.relations):
        end = relation.WhichOneof("target")
        if end:
            yield f"relations[{at}]", end.removesuffix("_id"), getattr(relation, end)
    end = party.referrer.WhichOneof("target")
    if end in ("contact_id", "company_id"):
        yield "referrer", end.removesuffix("_id"), getattr(party.referrer, end)
