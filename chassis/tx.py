"""What a body works with: the caller, statements of its tenant, and what it records to be written when it returns."""

import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
from google.protobuf.message import Message

from chassis import errors, keys, telemetry
from chassis.call import Actor, Call, Cause
from chassis.db.pool import DRIVER_ERRORS, Connection, is_lost
from chassis.db.statement import Statement
from chassis.rights import Rights

if TYPE_CHECKING:
    from chassis.kit.facts import Republished, Save
    from chassis.runtime import Runtime

# One after the other, as `unnest` gives them; counted, so that no rows travel.
_LOCK = (
    "SELECT count(pg_advisory_xact_lock(hashtextextended(key, 0))) FROM unnest($1::text[]) AS key"
)

Constraints = Mapping[str, errors.CrmError | Callable[[str], errors.CrmError]]


class Draws:
    """Time, ids and chances of one request: the same on every try, so that a body may run again."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._drawn: dict[str, list[Any]] = {}
        self._used: dict[str, int] = {}
        self.tries = 0

    def rewind(self) -> None:
        """Begins a new try."""
        self._used.clear()
        self.tries += 1

    def draw(self, kind: str, make: Callable[[], Any]) -> Any:
        """The next value of this kind; kinds are apart, because another try may draw in another order."""
        drawn, used = self._drawn.setdefault(kind, []), self._used.get(kind, 0)
        if used == len(drawn):
            drawn.append(make())
        self._used[kind] = used + 1
        return drawn[used]


@dataclass(slots=True)
class EventMeta:
    """The event that a consumer's body is reacting to."""

    id: str
    type: str
    tenant: str
    time: datetime
    subject: str
    sequence: int = 0
    stream: str = ""


@dataclass(slots=True)
class Recorded:
    """What a body recorded since the last flush."""

    saves: list["Save"] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)
    directory: list[tuple[str, str, dict[str, Any] | None]] = field(default_factory=list)
    republished: list["Republished"] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.saves or self.events or self.directory or self.republished)


class Tx:
    """One entry point's reads and writes. Bodies never commit: `save`, `emit` and friends only record."""

    def __init__(
        self,
        runtime: "Runtime",
        *,
        tenant: str | None,
        actor: Actor,
        cause: Cause,
        draws: Draws,
        rights: Rights,
        call: Call | None = None,
        event: EventMeta | None = None,
        read_only: bool = False,
    ) -> None:
        self.runtime, self.tenant, self.actor, self.cause = runtime, tenant, actor, cause
        self.rights, self.call, self.event = rights, call, event
        self.recorded = Recorded()
        self.loaded: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.written: dict[
            int, tuple[Message, Any, bytes]
        ] = {}  # id(message) -> itself, its resource, its JSON
        self._draws, self._read_only = draws, read_only
        self.wrote_events = (
            False  # rows of the outbox wait for the relay, visible to it after the commit
        )
        self._connection: Connection | None = None
        self._transaction: asyncpg.transaction.Transaction | None = None
        draws.rewind()

    # -- who and when ---------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The moment of this request; the same on every try."""
        return self._draws.now

    @property
    def directory(self) -> Any:
        """The users, departments and roles of this tenant (chassis.directory.TenantView)."""
        return self.runtime.directory.of(self.tenant)

    @property
    def tries(self) -> int:
        """How many times the body has begun, this time included."""
        return self._draws.tries

    @property
    def in_transaction(self) -> bool:
        return self._transaction is not None

    def new_id(self) -> str:
        """A UUIDv7; the same on every try."""
        return self._draws.draw("id", lambda: keys.uuid7(self.now.timestamp()))

    def random(self) -> float:
        """A number in [0, 1); the same on every try."""
        return self._draws.draw("chance", random.random)

    def new_secret(self, length: int = 32) -> str:
        """`length` random bytes as url-safe text; the same on every try."""
        return self._draws.draw(f"secret{length}", lambda: secrets.token_urlsafe(length))

    async def enter_tenant(self, tenant_id: str) -> None:
        """Leads a caller without a tenant (sign-in, set-up) into one; what was read before stays read."""
        assert self.tenant is None, "a request has one tenant"
        await self._leave()
        self.tenant = tenant_id

    async def require(
        self,
        object: str,
        action: str,
        owner_id: str = "",
        department_id: str = "",
        follower_ids: Iterable[str] = (),
    ) -> None:
        """Refuses a caller whose scope does not include such a record: PermissionDenied."""
        if not self.rights.reaches(object, action, owner_id, department_id, follower_ids):
            raise errors.PermissionDenied(
                f"you may not {action} this {object}; ask an administrator for the right"
            )

    # -- statements -----------------------------------------------------------------------------

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        """All rows."""
        return await self.run(statement, values, "fetch")

    async def fetchrow(self, statement: Statement, **values: Any) -> asyncpg.Record | None:
        """The first row or None."""
        return await self.run(statement, values, "fetchrow")

    async def fetchval(self, statement: Statement, **values: Any) -> Any:
        """The first value of the first row or None."""
        return await self.run(statement, values, "fetchval")

    async def execute(
        self, statement: Statement, *, constraints: Constraints | None = None, **values: Any
    ) -> int:
        """Runs a change in this transaction and returns the number of rows; broken constraints become their errors."""
        await self.begin()
        try:
            status = await self.run(statement, values, "execute")
        except asyncpg.IntegrityConstraintViolationError as error:
            raise translated(error, constraints or {}) from error
        return int(status.rpartition(" ")[2])

    async def run(self, statement: Statement, values: Mapping[str, Any], how: str) -> Any:
        """Runs a statement by the named asyncpg method, with the tenant bound."""
        return await self.run_sql(statement.sql, statement.arguments(values, self.tenant), how)

    async def run_sql(self, sql: str, arguments: list[Any], how: str) -> Any:
        """As `run`, for text that the chassis has composed itself.

        The caller's deadline is kept by the interceptor around the body: a statement that is cancelled is cancelled on the server.
        """
        connection = self._connection
        if connection is None:
            connection = await self._enter()
        try:
            if telemetry.exporting():
                with telemetry.span(
                    "sql", statement=sql[:200]
                ):  # parameters are apart: no personal data
                    return await getattr(connection.raw, how)(sql, *arguments)
            return await getattr(connection.raw, how)(sql, *arguments)
        except DRIVER_ERRORS as error:
            if is_lost(error):
                await self._leave(certain=False)
            raise

    async def _enter(self) -> Connection:
        deadline = self.call.deadline if self.call else None
        self._connection = await self.runtime.pools.take(
            self.runtime.database_url, self.tenant, deadline=deadline
        )
        return self._connection

    async def begin(self) -> None:
        """Opens a real transaction, if none is open."""
        if self._transaction is None:
            assert not self._read_only, "@reads cannot write"
            connection = self._connection or await self._enter()
            self._transaction = connection.raw.transaction()
            await self._transaction.start()

    async def lock(self, *keys: str) -> None:
        """Waits until no other transaction holds any of these keys in this tenant; held until the end.

        Several are taken in the order of their text, so that two who lock them together never wait for each other.
        """
        await self.begin()
        wanted = [f"{self.tenant}/{key}" for key in sorted(set(keys))]
        await self.run_sql(_LOCK, [wanted], "execute")

    # -- recording ------------------------------------------------------------------------------

    def emit(self, event: Message) -> None:
        """Records a fact; it is published after the commit. `change` is filled by the chassis."""
        self.recorded.events.append(event)

    def directory_put(self, kind: str, id: str, value: dict[str, Any]) -> None:
        """Records an entry for every process's directory; it travels after the commit."""
        self.recorded.directory.append((kind, id, value))

    def directory_delete(self, kind: str, id: str) -> None:
        """Records the removal of an entry from every process's directory."""
        self.recorded.directory.append((kind, id, None))

    async def set_timer(
        self, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
    ) -> None:
        """Sets the timer of this kind and key; a timer of the same kind and key is replaced."""
        await self.begin()
        await self.runtime.timers.set(self, kind, key, due_at, payload or {})

    async def cancel_timer(self, kind: str, key: str) -> None:
        """Removes the timer of this kind and key, if it is set."""
        await self.begin()
        await self.runtime.timers.cancel(self, kind, key)

    async def start_operation(self, kind: str, request: Message) -> Message:
        """Queues a long-running operation and returns it as google.longrunning.Operation."""
        await self.begin()
        return await self.runtime.operations.start(self, kind, request)

    async def flush(self) -> None:
        """Writes what is recorded so far, in a real transaction, so that later statements of this body see it."""
        from chassis.kit.save import write_in_transaction

        await self.begin()
        await write_in_transaction(self)

    @contextmanager
    def part(self, cause: Cause, event: EventMeta, draws: Draws) -> Iterator["Tx"]:
        """A body of its own within this open transaction, with its own cause, event and draws; this one commits both."""
        inner = Tx(
            self.runtime,
            tenant=self.tenant,
            actor=self.actor,
            cause=cause,
            draws=draws,
            rights=self.rights,
            event=event,
        )
        inner._connection, inner._transaction = self._connection, self._transaction
        try:
            yield inner
        finally:  # a connection that was lost there is lost here
            self._connection, self._transaction = inner._connection, inner._transaction
            self.wrote_events |= inner.wrote_events

    # -- the end (chassis only) -----------------------------------------------------------------

    async def commit(self) -> None:
        """Commits the real transaction, if one is open, and gives the connection back."""
        if self._transaction is not None:
            transaction, self._transaction = self._transaction, None
            await transaction.commit()
            self.runtime.committed()
        if self.wrote_events:
            self.runtime.outbox_written()
        await self._leave()

    async def abort(self) -> None:
        """Undoes everything and gives the connection back."""
        if self._transaction is not None and self._connection is not None:
            transaction, self._transaction = self._transaction, None
            try:
                await transaction.rollback()
            except DRIVER_ERRORS:
                await self._leave(certain=False)
        self._transaction = None
        await self._leave()

    async def _leave(self, *, certain: bool = True) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.runtime.pools.give(connection, certain=certain)


def translated(
    error: asyncpg.IntegrityConstraintViolationError, constraints: Constraints
) -> BaseException:
    """The refusal that a broken constraint stands for, by its name; the driver's error if it has none."""
    made = constraints.get(error.constraint_name or "")
    if made is None:
        return error
    return made if isinstance(made, errors.CrmError) else made(error.detail or "")
