"""The visible boundaries: `@reads` and `@writes` on RPCs, `@on` and `@on_any` on events, `@timer` and `@operation`.

A body under `@writes`, `@on` or `@timer` may run more than once (a conflict, a deadlock), so it does no network and no file
I/O; what it saved and emitted is written only when it returns.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from google.protobuf.message import Message

from chassis import contracts

if TYPE_CHECKING:
    from chassis.runtime import Runtime

Body = Callable[..., Awaitable[Any]]
TenantOf = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Rpc:
    """How the body of an RPC is run."""

    body: Callable[..., Any]
    writes: bool
    tenant_of: TenantOf | None
    public_without_tenant: bool
    secret_answer: bool


_NOT_GIVEN: Any = object()


def _rpc(body: Any, *, writes: bool, tenant: Any = _NOT_GIVEN, secret_answer: bool = False) -> Any:
    rpc = Rpc(
        body=body,
        writes=writes,
        tenant_of=None if tenant is _NOT_GIVEN or tenant is None else tenant,
        public_without_tenant=tenant is None,
        secret_answer=secret_answer,
    )
    body.rpc = rpc
    return body


def reads(body: Any = None, *, tenant: Any = _NOT_GIVEN) -> Any:
    """Marks an RPC that changes nothing. `tenant`: for public RPCs, as in `writes`."""
    if body is None:
        return lambda b: _rpc(b, writes=False, tenant=tenant)
    return _rpc(body, writes=False, tenant=tenant)


def writes(body: Any = None, *, tenant: Any = _NOT_GIVEN, secret_answer: bool = False) -> Any:
    """Marks an RPC as one transaction: state, history, events and the stored answer together or not at all.

    tenant: for public RPCs, a function from the request to the tenant's id; None: the body calls `tx.enter_tenant`.
    secret_answer: the answer holds a secret, so it is not stored; a replay is refused instead of answered.
    """
    if body is None:
        return lambda b: _rpc(b, writes=True, tenant=tenant, secret_answer=secret_answer)
    return _rpc(body, writes=True, tenant=tenant, secret_answer=secret_answer)


class Servicer:
    """Base of a service's RPC classes. `service` is the gRPC service's full name, e.g. crm.contacts.v1.ContactsService."""

    service: ClassVar[str]

    def __init__(self, runtime: "Runtime") -> None:
        self.runtime = runtime

    @property
    def settings(self) -> Any:
        """The settings of this service."""
        return self.runtime.service_settings


@dataclass(frozen=True, slots=True)
class Consumer:
    """What a service does when an event arrives. `events` None means every event that this program knows."""

    durable: str
    body: Body
    events: frozenset[type[Message]] | None
    wants: Callable[[Any], bool]
    """False for an event that the body would leave alone for what it says: it costs no transaction then."""
    ignores: frozenset[str] = frozenset()
    """Kinds of causes whose events the body would leave alone. A header tells them: not even the event's body is read."""

    @property
    def services(self) -> tuple[str, ...]:
        """The services whose streams are read."""
        if self.events is None:
            return contracts.load_all()
        return tuple(sorted({contracts.service_of(e.DESCRIPTOR.full_name) for e in self.events}))

    def subjects(self, service: str) -> list[str]:
        """What of that service's stream is delivered; none named: all of it."""
        full_names = sorted(event.DESCRIPTOR.full_name for event in self.events or ())
        told = [name for name in full_names if contracts.service_of(name) == service]
        return [f"crm.*.{service}.{name.rpartition('.')[2]}" for name in told]

    def hears(self, event: Message) -> bool:
        """True for an event that the body is given."""
        return (self.events is None or type(event) in self.events) and self.wants(event)


def consumer_of(body: Any) -> Consumer:
    """What `@on` or `@on_any` noted about a body; TypeError if it is not marked."""
    found = getattr(body, "consumer", None)
    if not isinstance(found, Consumer):
        raise TypeError(
            f"{body.__module__}.{body.__qualname__} is named as a consumer but has no @on"
        )
    return found


def _all_of_them(event: Any) -> bool:
    return True


def on(
    *events: type[Message],
    durable: str,
    wants: Callable[[Any], bool] = _all_of_them,
    ignores: Collection[str] = (),
) -> Callable[[Body], Body]:
    """`@writes` for these events: inbox row first, effect, one commit, then the ack. `durable` names the consumer for ever.

    NATS delivers these events and no others, so what is not named costs nothing. Whoever follows records names
    `*contracts.carrying("contact")`: an event that a later contract adds is then heard without an edit. `wants` and `ignores`
    (kinds of causes) leave out more of them, by what they say; what an older program published has no header that tells its
    cause, so `wants` or the body must bear such an event.

    Events of different records that wait at the same time may share the commit; each body still has a `tx` of its own.
    ValueError without any event.
    """
    if not events:
        raise ValueError(f"the consumer {durable} names no event; see `on_any` for all of them")
    return _marked(durable, frozenset(events), wants, ignores)


def on_any(
    *,
    durable: str,
    wants: Callable[[Any], bool] = _all_of_them,
    ignores: Collection[str] = (),
) -> Callable[[Body], Body]:
    """As `on`, for every event of every service. Each costs a delivery: for bodies that act on nearly all of them."""
    return _marked(durable, None, wants, ignores)


def _marked(
    durable: str,
    events: frozenset[type[Message]] | None,
    wants: Callable[[Any], bool],
    ignores: Collection[str],
) -> Callable[[Body], Body]:
    def mark(body: Body) -> Body:
        body.consumer = Consumer(durable, body, events, wants, frozenset(ignores))  # type: ignore[attr-defined]
        return body

    return mark


def timer(kind: str) -> Callable[[Body], Body]:
    """The body `(payload, tx)` runs when a timer of this kind is due, in one transaction with the timer's removal."""

    def mark(body: Body) -> Body:
        body.timer_kind = kind  # type: ignore[attr-defined]
        return body

    return mark


def operation(kind: str) -> Callable[[Body], Body]:
    """The body `(run)` carries out operations of this kind; it may be resumed by another process after a crash."""

    def mark(body: Body) -> Body:
        body.operation_kind = kind  # type: ignore[attr-defined]
        return body

    return mark


def is_stream(body: Callable[..., Any]) -> bool:
    """True if the body is an async generator, that is, a server-streaming RPC."""
    return inspect.isasyncgenfunction(body)


__all__ = [
    "AsyncIterator",
    "Consumer",
    "Rpc",
    "Servicer",
    "is_stream",
    "on",
    "on_any",
    "operation",
    "reads",
    "timer",
    "writes",
]
