"""One event in the gateway's memory: what guards it, and how it looks to a reader.

What a reader gets is decided by the proto options of the event: `guard` names the object whose read right is needed, and
`resource` the record whose owner, department and followers decide the scope. Fields hidden by the reader's roles are removed
from every record that the event carries. Values of custom fields never travel here: which roles see them is known to the
record's owner alone, and whoever may see them reads the record.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from chassis import codec, contracts
from chassis.rights import Rights

_SCOPE_FIELDS = frozenset({"owner_id", "department_id", "follower_ids"})


@dataclass(frozen=True, slots=True)
class Carried:
    """A record inside an event: under which key, of which kind."""

    key: str
    object: str
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Plan:
    """What the contract says about one event type."""

    type: str
    kind: str
    guard: str
    path: tuple[str, ...]
    scoped: bool
    carried: tuple[Carried, ...]


@cache
def plan_of(type_name: str) -> Plan | None:
    """The plan of an event type; None for a type that this program does not know or that nothing guards: nobody gets it."""
    descriptor = contracts.events().get(type_name)
    option = contracts.event_option(descriptor) if descriptor is not None else None
    if descriptor is None or option is None or not option.guard:
        return None
    record: Descriptor | None = None
    path: list[str] = []
    for name in option.resource.split(".") if option.resource else ():
        field: FieldDescriptor = (record or descriptor).fields_by_name[name]
        path.append(field.json_name)
        record = field.message_type
    carried = []
    for field in descriptor.fields:
        resource = (
            contracts.resource_option(field.message_type)
            if field.message_type is not None
            else None
        )
        if resource is not None and not field.is_repeated:
            carried.append(Carried(field.json_name, resource.object, field.message_type))
    # An event without its record (a visit) has nobody as owner: only who may read all of that object gets it.
    scoped = record is None or bool(_SCOPE_FIELDS & set(record.fields_by_name))
    return Plan(type_name, option.kind, option.guard, tuple(path), scoped, tuple(carried))


class LiveEvent:
    """One event as it came from its stream."""

    __slots__ = (
        "_scope",
        "_shown",
        "id",
        "plan",
        "raw",
        "sequence",
        "stream",
        "subject",
        "tenant",
        "time",
    )

    def __init__(
        self,
        stream: str,
        sequence: int,
        tenant: str,
        plan: Plan,
        headers: dict[str, str],
        raw: bytes,
    ) -> None:
        self.stream = stream
        self.sequence = sequence
        self.tenant = tenant
        self.plan = plan
        self.id = headers.get("ce-id", "")
        self.time = headers.get("ce-time", "")
        self.subject = headers.get("ce-subject", "")
        self.raw = raw
        self._scope: tuple[str, str, tuple[str, ...]] | None = None
        self._shown: dict[Any, bytes] = {}

    def visible_to(self, rights: Rights) -> bool:
        """True if the reader may read the record behind the event, now."""
        if not self.plan.scoped:
            return rights.may(self.plan.guard, "read")
        if rights.owners(self.plan.guard, "read") is None:
            return True
        if self._scope is None:
            self._scope = self._scope_of_record()
        return rights.reaches(self.plan.guard, "read", *self._scope)

    def shown_to(self, rights: Rights) -> bytes:
        """The event as JSON, without what is hidden from the reader; computed once for all readers with the same limits."""
        readable = rights.readable
        limits = tuple(
            (
                rights.hidden(c.object),
                None if readable is None else readable.get(c.object, frozenset()),
            )
            for c in self.plan.carried
        )
        shown = self._shown.get(limits)
        if shown is None:
            shown = self._shown[limits] = self._render(limits)
        return shown

    def _render(self, limits: tuple[Any, ...]) -> bytes:
        data = orjson.loads(self.raw)
        for carried, (hidden, readable) in zip(self.plan.carried, limits, strict=True):
            record = data.get(carried.key)
            if isinstance(record, dict):
                _limit(record, carried.descriptor, hidden, readable)
        changed = data.get("change", {}).get("changedFields")
        if changed:
            data["change"]["changedFields"] = _names_shown(changed, limits)
        return orjson.dumps(
            {
                "id": self.id,
                "type": self.plan.type,
                "time": self.time,
                "kind": self.plan.kind,
                "subject": self.subject,
                "data": data,
            }
        )

    def _scope_of_record(self) -> tuple[str, str, tuple[str, ...]]:
        record: Any = orjson.loads(self.raw)
        for key in self.plan.path:
            record = record.get(key) if isinstance(record, dict) else None
        if not self.plan.path or not isinstance(record, dict):
            return "", "", ()
        return (
            record.get("ownerId", ""),
            record.get("departmentId", ""),
            tuple(record.get("followerIds", ())),
        )


def _limit(
    record: dict[str, Any], descriptor: Descriptor, hidden: frozenset[str], readable: Any
) -> None:
    record.pop("custom", None)
    known = [path for path in hidden if codec.has_path(descriptor, path)]
    if known:
        codec.hide_dict(record, descriptor, known)
    if readable is not None:
        kept = {
            descriptor.fields_by_name[p].json_name
            for p in readable
            if p in descriptor.fields_by_name
        }
        for key in [key for key in record if key not in kept and key not in ("id", "etag")]:
            del record[key]


def _names_shown(changed: list[str], limits: tuple[Any, ...]) -> list[str]:
    shown = []
    for name in changed:
        head = name.partition(".")[0]
        name = "custom" if head == "custom" else name
        hidden = any(path in (name, head) for paths, _ in limits for path in paths)
        kept = all(readable is None or head in readable for _, readable in limits)
        if not hidden and kept and name not in shown:
            shown.append(name)
    return shown


def is_republished(raw: bytes) -> bool:
    """True if this is a record's current state sent again, which is no news to anybody watching."""
    # The text decides almost always; only a message that has it somewhere is parsed.
    return (
        b'"republished":true' in raw
        and orjson.loads(raw).get("change", {}).get("republished") is True
    )
