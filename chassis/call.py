"""Who calls, what and until when: the facts of one RPC that travel beside its message."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from chassis.contracts import Method
from chassis.rights import Rights


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `kind` is user, token, form, link or system; `user_id` is the user on whose behalf, if any."""

    kind: str
    id: str = ""
    user_id: str = ""
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a change is made: rpc, event, timer, form, import, merge, handover, absence, rule, undo, republish or setup."""

    kind: str
    id: str = ""


SYSTEM = Actor("system")
ANYBODY = Actor("form")


@dataclass(slots=True)
class Call:
    """One RPC under way. `deadline` is in monotonic seconds; `trailing` is sent back with the answer."""

    method: Method
    metadata: Mapping[str, str]
    peer: str = ""
    deadline: float | None = None
    tenant: str | None = None
    actor: Actor = ANYBODY
    rights: Rights | None = None
    trailing: dict[str, str] = field(default_factory=dict)

    @property
    def wants_json(self) -> bool:
        """True if the caller takes the stored JSON instead of protobuf bytes."""
        return self.metadata.get("crm-accept") == "json"

    @property
    def request_id(self) -> str:
        return self.metadata.get("x-request-id", "")

    def remaining_s(self) -> float | None:
        """Seconds until the deadline, never negative; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


class Raw:
    """An answer that is bytes already: the stored message, or its canonical JSON."""

    __slots__ = ("data", "json")

    def __init__(self, data: bytes, *, json: bool = False) -> None:
        self.data, self.json = data, json
