"""What an event means for notices, read from its contract; pure.

No event type is named here: who owns a record, who follows it and what its headline is, is said by `crm.options.v1.event` and
by the fields that all services name alike (owner_id, department_id, follower_ids, creator_id, candidate_ids ...).
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import contracts
from chassis.kit.resource import SCOPE_COLUMNS
from crm.common.v1 import common_pb2
from services.notifications.rules.guards import Guard

LONGEST_HEADLINE, LONGEST_ARGUMENT = 300, 2000

HOUSEKEEPING = frozenset(
    (
        "absence",
        "change",
        "erasure",
        "handover",
        "import",
        "merge",
        "republish",
        "retention",
        "setup",
        "undo",
    )
)
"""Causes that tell nobody: what they change is no news, or its own summary is told instead (an absence that has begun)."""

OWN_OBJECTS = frozenset(("notice", "notice_preferences", "notice_rule"))
"""What notices are made of; a notice about a notice would never end."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, as far as notices need it."""

    event: Message
    id: str
    type: str
    time: datetime
    change: common_pb2.Change
    object: str
    object_id: str
    guard: Guard | None
    """Whose the carried record is; None if the event carries none that has an owner."""
    headline: str
    headline_field: str
    contact_ids: tuple[str, ...]
    company_ids: tuple[str, ...]

    @property
    def actor_id(self) -> str:
        """The user who did it; "" for rules, forms and timers."""
        actor = self.change.actor
        return actor.user_id or (actor.id if actor.kind == "user" else "")

    @property
    def record(self) -> Any:
        """The carried record, or the event itself."""
        option = contracts.event_option(self.event.DESCRIPTOR)
        assert option is not None
        return getattr(self.event, option.resource) if option.resource else self.event


def concerns(event: Any) -> bool:
    """True for events that tell who may read a record, or that may be told to somebody."""
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and bool(option.guard) and option.guard not in OWN_OBJECTS


def of_event(event: Any, *, id: str, time: datetime) -> Happening:
    """Reads an event for which `concerns` holds."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    headline = contracts.at_path(event, option.headline) if option.headline else ""
    change = event.change
    return Happening(
        event=event,
        id=id,
        type=event.DESCRIPTOR.full_name,
        time=change.time.ToDatetime(tzinfo=time.tzinfo) if change.HasField("time") else time,
        change=change,
        object=option.guard,
        object_id=next(iter(ids_at(event, [option.guard_id])), "") if option.guard_id else "",
        guard=guard_of(getattr(event, option.resource)) if option.resource else None,
        headline=str(headline or "")[:LONGEST_HEADLINE],
        headline_field=option.headline.removeprefix(f"{option.resource}."),
        contact_ids=ids_at(event, option.contact_ids),
        company_ids=ids_at(event, option.company_ids),
    )


def guard_of(record: Any) -> Guard | None:
    """Whose the record is; None for a record without owner, queue and followers."""
    names = record.DESCRIPTOR.fields_by_name
    if not is_guarded(record.DESCRIPTOR):
        return None
    readers = [
        id
        for name in ("follower_ids", "candidate_ids")
        if name in names
        for id in getattr(record, name)
    ]
    return Guard(
        record.owner_id if "owner_id" in names else "",
        record.department_id if "department_id" in names else "",
        tuple(dict.fromkeys(readers)),
    )


def is_guarded(resource: Any) -> bool:
    """True if records of this resource are guarded one by one."""
    return any(name in resource.fields_by_name for name in SCOPE_COLUMNS)


def is_news(happening: Happening, now: datetime, oldest: float) -> bool:
    """False for housekeeping, for a record told again, and for what is more than `oldest` seconds ago."""
    change = happening.change
    if change.republished or change.cause.kind in HOUSEKEEPING:
        return False
    return (now - happening.time).total_seconds() <= oldest


def has_changed(happening: Happening, fields: Iterable[str]) -> bool:
    """True if one of these fields, or something inside it, changed; for no fields always."""
    wanted = tuple(fields)
    return not wanted or any(
        path == field or path.startswith(f"{field}.")
        for path in happening.change.changed_fields
        for field in wanted
    )


def has_value(happening: Happening, path: str) -> bool:
    """True if this event has the field at the path, and says something there."""
    event = happening.event
    return has_path(event.DESCRIPTOR, path) and bool(contracts.at_path(event, path))


def arguments(happening: Happening, paths: Iterable[str], hidden: frozenset[str]) -> dict[str, str]:
    """Path -> value as text, of those that this event has and that are not hidden."""
    found = {}
    for path in paths:
        field = _field_at(happening.event.DESCRIPTOR, path)
        if field is None:
            continue
        if leads_into_record(happening.type, path) and is_hidden(path.partition(".")[2], hidden):
            continue
        value = contracts.at_path(happening.event, path)
        if field.enum_type is not None and isinstance(value, int):
            value = field.enum_type.values_by_number[value].name
        if text := _text(value):
            found[path] = text[:LONGEST_ARGUMENT]
    return found


def is_hidden(path: str, hidden: frozenset[str]) -> bool:
    """True if the path is, or lies in, a field that is hidden."""
    return any(path == each or path.startswith(f"{each}.") for each in hidden)


def has_path(descriptor: Any, path: str) -> bool:
    """True if a dotted path of singular fields leads to a field."""
    return _field_at(descriptor, path) is not None


def _field_at(descriptor: Any, path: str) -> Any:
    name, _, rest = path.partition(".")
    field = descriptor.fields_by_name.get(name)
    if field is None or not rest:
        return field
    if field.message_type is None or field.is_repeated:
        return None
    return _field_at(field.message_type, rest)


def _text(value: Any) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, Timestamp):
        return str(value.ToJsonString())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Message):
        return orjson.dumps(MessageToDict(value)).decode()
    if not isinstance(value, str | int | float):  # a repeated field, e.g. how many of each kind
        return orjson.dumps(
            [MessageToDict(one) if isinstance(one, Message) else one for one in value]
        ).decode()
    return str(value)


def ids_at(event: Message, paths: Iterable[str]) -> tuple[str, ...]:
    """The well-formed ids at these paths, each once; an event of a newer program may hold others."""
    found: list[str] = []
    for path in paths:
        value: Any = contracts.at_path(event, path)
        found += [value] if isinstance(value, str) else list(value or ())
    return tuple(dict.fromkeys(id for id in found if _is_uuid(id)))


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def leads_into_record(event_type: str, path: str) -> bool:
    """True if the path of an event of this type leads into the record that it carries."""
    event = contracts.events().get(event_type)
    option = contracts.event_option(event) if event is not None else None
    if option is None:
        return True  # of an event that this program does not know, nothing is known
    return bool(option.resource) and path.startswith(f"{option.resource}.")
