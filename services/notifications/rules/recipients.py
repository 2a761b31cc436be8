"""Whom a rule means, at this moment; pure, over the directory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from chassis.stand_in import is_away, stand_in
from chassis.tenant_view import TenantView
from crm.notifications.v1 import notice_rule_pb2 as pb
from services.notifications.rules.happenings import Happening

MOST_OF_A_QUEUE = 100
"""Of a department with more people so many are told."""

_WAYS = frozenset(pb.Way.keys())
_MENTIONED = ("mentioned_user_ids", "mention_user_ids")


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who is told, and why."""

    user_id: str
    because: "pb.Recipient"
    instead_of_id: str = ""
    ways: tuple["pb.Way", ...] = ()
    """The ways that the event itself asks for; empty: as the rule says."""


def recipients(
    rule: pb.NoticeRule, happening: Happening, people: TenantView, now: datetime
) -> list[Told]:
    """Everybody active whom the rule means, each once, with whoever stands in for those who are away.

    Who did it himself is not told, unless the event names him by a list of those to be told.
    """
    found: dict[str, Told] = {}
    for told in _meant(rule, happening, people, now):
        if not told.user_id or (told.user_id == happening.actor_id and not _is_named(told)):
            continue
        found.setdefault(told.user_id, told)
        if not is_away(people.user(told.user_id) or {}, now) or _is_named(told):
            continue  # a ladder has asked who is away already
        other = stand_in(people, told.user_id, now)
        if other and other not in (told.user_id, happening.actor_id):
            found.setdefault(other, replace(told, user_id=other, instead_of_id=told.user_id))
    return [told for told in found.values() if is_active(people, told.user_id)]


def is_active(people: TenantView, user_id: str) -> bool:
    """True if somebody can be told at all."""
    return (people.user(user_id) or {}).get("state") == "active"


def _is_named(told: Told) -> bool:
    return told.because in (pb.RECIPIENT_TOLD, pb.RECIPIENT_SUBJECT)


def _meant(
    rule: pb.NoticeRule, happening: Happening, people: TenantView, now: datetime
) -> Iterator[Told]:
    """In the order of the rule, so that the first reason stands; may name somebody twice."""
    record = happening.record
    owner = _text(record, "owner_id")
    for recipient in rule.recipients:
        match recipient:
            case pb.RECIPIENT_OWNER:
                ids = [owner]
            case pb.RECIPIENT_FOLLOWERS:
                ids = _list(record, "follower_ids")
            case pb.RECIPIENT_CANDIDATES:
                ids = _list(record, "candidate_ids")
            case pb.RECIPIENT_CREATOR:
                ids = [_text(record, "creator_id") or _text(record, "author_id")]
            case pb.RECIPIENT_HEAD:
                ids = [head_of(people, owner, _text(record, "department_id"))]
            case pb.RECIPIENT_COVERS:
                covering = _text(record, "stand_in_id") or stand_in(people, owner, now)
                ids = [covering if covering != owner else ""]
            case pb.RECIPIENT_MENTIONED:
                ids = _mentioned(happening.event, record)
            case pb.RECIPIENT_SUBJECT:
                ids = [_text(happening.event, "user_id")]
            case pb.RECIPIENT_NAMED:
                ids = [*rule.user_ids, *_holders(people, frozenset(rule.role_ids))]
            case pb.RECIPIENT_QUEUE:
                ids = [] if owner else _queue(people, _text(record, "department_id"))
            case pb.RECIPIENT_TOLD:
                yield from _told_by(happening.event)
                continue
            case _:
                continue
        yield from (Told(id, recipient) for id in ids)


def _queue(people: TenantView, department_id: str) -> list[str]:
    return sorted(people.members(department_id))[:MOST_OF_A_QUEUE] if department_id else []


def _mentioned(event: Message, record: Any) -> list[str]:
    """Whom the event says to be mentioned now; where it does not say, all whom its record mentions."""
    said = next((name for name in _MENTIONED if name in event.DESCRIPTOR.fields_by_name), "")
    return _list(event, said) if said else [id for name in _MENTIONED for id in _list(record, name)]


def head_of(people: TenantView, owner_id: str, department_id: str) -> str:
    """Who heads the owner's department, else the record's; the next head above where that is the owner himself."""
    at = (people.user(owner_id) or {}).get("department_id") or department_id
    seen: set[str] = set()
    while at and at not in seen:
        seen.add(at)
        department = people.department(at) or {}
        head = department.get("head_id") or ""
        if head and head != owner_id:
            return str(head)
        at = department.get("parent_id") or ""
    return ""


def _told_by(event: Message) -> Iterator[Told]:
    """Those whom the event lists: `told` at its top or inside a part of it, beside the ways that it asks for."""
    for part in (event, *(value for field, value in event.ListFields() if _is_part(field))):
        if "told" not in part.DESCRIPTOR.fields_by_name:
            continue
        ways = _ways(part)
        for one in part.told:
            yield Told(one.user_id, pb.RECIPIENT_TOLD, one.instead_of_id, ways)


def _is_part(field: Any) -> bool:
    return field.message_type is not None and not field.is_repeated and field.name != "change"


def _ways(part: Any) -> tuple["pb.Way", ...]:
    """The ways of another contract by their names, which all contracts share."""
    field = part.DESCRIPTOR.fields_by_name.get("ways")
    if field is None or field.enum_type is None:
        return ()
    names = [field.enum_type.values_by_number[number].name for number in part.ways]
    return tuple(pb.Way.Value(name) for name in names if name in _WAYS)


def _holders(people: TenantView, role_ids: frozenset[str]) -> list[str]:
    return [
        id
        for id, user in sorted(people.users().items())
        if not role_ids.isdisjoint(user.get("role_ids") or ())
    ]


def _text(record: Message, name: str) -> str:
    field = record.DESCRIPTOR.fields_by_name.get(name)
    is_text = field is not None and not field.is_repeated and field.type == field.TYPE_STRING
    return str(getattr(record, name)) if is_text else ""


def _list(record: Message, name: str) -> list[str]:
    field = record.DESCRIPTOR.fields_by_name.get(name)
    return list(getattr(record, name)) if field is not None and field.is_repeated else []
