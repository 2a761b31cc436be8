"""Personal links: what may be offered to a customer, what he may change, and how his proposals are decided.

item: WAITING ──approve──► APPROVED, or OUTDATED where the contact's value is no longer the one he saw
      WAITING ──reject──► REJECTED
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from google.protobuf.struct_pb2 import Value

from chassis import codec
from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.common.v1 import common_pb2
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import data_link_pb2 as pb
from services.contacts import errors
from services.contacts.rules import parties

Contact, DataChange, DataLink, Item = (
    contact_pb2.Contact,
    pb.DataChange,
    pb.DataLink,
    pb.DataChangeItem,
)

OFFERED = (
    "salutation", "given_name", "family_name", "phones", "emails", "addresses", "birthday", "language",
    "preferred_channel", "position", "tax_numbers",
)  # fmt: skip
"""Standard fields that a customer may be asked about; the others are our business."""

_NOT_FOR_CUSTOMERS = (
    common_pb2.CUSTOM_FIELD_TYPE_REFERENCE,
    common_pb2.CUSTOM_FIELD_TYPE_FILE,
)
_USUAL_LIFE, _LONGEST_LIFE = timedelta(days=30), timedelta(days=366)
MOST_WAITING = 20
"""Proposals of one link that may wait for approval at once."""

CustomFields = Mapping[str, common_pb2.CustomField]
Json = dict[str, Any]


def complete(
    link: DataLink, custom: CustomFields, purposes: Collection[str], now: datetime
) -> None:
    """Fills in what was left empty; DataLinkInvalid with all that cannot be."""
    if not link.HasField("expire_time"):
        link.expire_time.CopyFrom(to_timestamp(now + _USUAL_LIFE))
    wrong: list[Violation] = []
    seen: set[str] = set()
    for at, each in enumerate(link.fields):
        place = f"data_link.fields[{at}].field"
        key = each.field.removeprefix("custom.") if each.field.startswith("custom.") else ""
        if each.field in seen:
            wrong.append(Violation(place, f"{each.field!r} is given twice"))
        elif not (
            each.field in OFFERED or (key in custom and custom[key].type not in _NOT_FOR_CUSTOMERS)
        ):
            wrong.append(
                Violation(
                    place,
                    f"{each.field!r} cannot be offered; {', '.join(OFFERED)} and custom.<key> can",
                )
            )
        seen.add(each.field)
    for at, key in enumerate(link.purposes):
        if key not in purposes:
            wrong.append(
                Violation(f"data_link.purposes[{at}]", f"there is no consent purpose {key!r}")
            )
    if not link.fields and not link.purposes:
        wrong.append(Violation("data_link.fields", "name at least one field or one purpose"))
    if not now < to_datetime(link.expire_time) <= now + _LONGEST_LIFE:
        wrong.append(
            Violation(
                "data_link.expire_time", f"must be after now and within {_LONGEST_LIFE.days} days"
            )
        )
    if wrong:
        raise errors.DataLinkInvalid(wrong)
    parties.replace(link.purposes, parties.unique(link.purposes))


def works(link: DataLink, now: datetime) -> bool:
    """True until the link is revoked or its time is over."""
    return not link.HasField("revoke_time") and to_datetime(link.expire_time) > now


def revoke(link: DataLink, now: datetime) -> None:
    """Ends the link; DataLinkOver if it has ended."""
    if not works(link, now):
        raise errors.DataLinkOver
    link.revoke_time.CopyFrom(to_timestamp(now))


# -- what the customer sees and says -----------------------------------------------------------------------------------------


def value_of(contact: Json, path: str) -> Any:
    """The JSON value of a field of a contact's JSON; None where it is empty."""
    value: Any = contact
    for part in codec.json_path(Contact.DESCRIPTOR, path).split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if value in ("", [], {}) else value


def visible(link: DataLink, contact: Json) -> list[pb.DataLinkField]:
    """The fields of the page: one that may only be completed is there while it is empty."""
    return [
        each
        for each in link.fields
        if each.mode != DataLink.MODE_COMPLETE or value_of(contact, each.field) is None
    ]


def proposed_paths(link: DataLink, contact: Json, sent: Contact, mask: Sequence[str]) -> list[str]:
    """The fields that are to change; FieldNotOffered if one of them is none that the customer may change now."""
    paths = [path for path in mask if path != "custom"] if mask else _paths_set(sent)
    open_ = {e.field for e in visible(link, contact) if e.mode != DataLink.MODE_SEE}
    if foreign := [path for path in paths if path not in open_]:
        raise errors.FieldNotOffered(parties.unique(foreign))
    return parties.unique(paths)


def _paths_set(sent: Contact) -> list[str]:
    names = [field.name for field, _ in sent.ListFields() if field.name != "custom"]
    return [*names, *(f"custom.{key}" for key in sorted(sent.custom))]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One field as JSON: what the person saw and what he wants; None where it is empty."""

    before: Any
    after: Any


def differences(paths: Iterable[str], before: Json, after: Json) -> dict[str, Proposal]:
    """The fields whose values would change."""
    found = {path: Proposal(value_of(before, path), value_of(after, path)) for path in paths}
    return {path: each for path, each in found.items() if each.before != each.after}


def as_value(json: Any) -> Value:
    """JSON as a message."""
    return codec.from_json(orjson.dumps(json), Value)


# -- deciding ----------------------------------------------------------------------------------------------------------------


def chosen(change: DataChange, fields: Sequence[str]) -> list[Item]:
    """The waiting items of these fields, or all; DataChangeDecided if one does not wait or none does."""
    waiting = {item.field: item for item in change.items if item.state == Item.STATE_WAITING}
    decided = [field for field in parties.unique(fields) if field not in waiting]
    if decided or not waiting:
        raise errors.DataChangeDecided(decided, list(waiting))
    return [item for item in waiting.values() if not fields or item.field in fields]


def approve(
    items: Iterable[Item], values: Mapping[str, Proposal], contact: Json
) -> tuple[Contact, list[str]]:
    """Marks the items and returns (new values, their paths); what changed since the customer saw it is OUTDATED."""
    patch: Json = {}
    paths: list[str] = []
    for item in items:
        proposed = values[item.field]
        if proposed.before != value_of(contact, item.field):
            item.state = Item.STATE_OUTDATED
            continue
        item.state = Item.STATE_APPROVED
        paths.append(item.field)
        _put(patch, item.field, proposed.after)
    return codec.from_json(orjson.dumps(patch), Contact), paths


def _put(patch: Json, path: str, value: Any) -> None:
    *above, last = codec.json_path(Contact.DESCRIPTOR, path).split(".")
    for part in above:
        patch = patch.setdefault(part, {})
    if value is not None:
        patch[last] = value


def reject(items: Iterable[Item]) -> None:
    """Marks the items."""
    for item in items:
        item.state = Item.STATE_REJECTED


def close(change: DataChange, *, by: str, at: datetime) -> None:
    """Notes who decided; the change is over when nothing of it waits."""
    change.decider_id = by
    states = {item.state for item in change.items}
    if Item.STATE_WAITING in states:
        return
    approved = Item.STATE_APPROVED in states
    change.state = DataChange.STATE_APPROVED if approved else DataChange.STATE_REJECTED
    change.decide_time.CopyFrom(to_timestamp(at))
