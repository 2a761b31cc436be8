"""Runs bodies: `@reads` once, `@writes` until its write lands or is refused, events and timers likewise."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
from google.protobuf.message import Message
from sqlalchemy import bindparam, text

from chassis import errors, telemetry
from chassis.call import ANYBODY, SYSTEM, Call, Cause, Raw
from chassis.db.pool import DRIVER_ERRORS, is_lost
from chassis.db.statement import Statement
from chassis.events.turns import Batch
from chassis.features import check_feature
from chassis.handlers import Rpc, Servicer
from chassis.kit.save import (
    INSERT_ANSWER,
    Conflict,
    Key,
    Replayed,
    request_hash,
    write_alone,
    write_in_transaction,
)
from chassis.kit.showing import protected, written_bytes
from chassis.rights import Rights
from chassis.tx import Draws, EventMeta, Tx, translated

if TYPE_CHECKING:
    from chassis.runtime import Runtime

log = logging.getLogger(__name__)

TRIES = 8  # a hot record under many writers needs more than the three that a deadlock needs
_ANSWER = Statement(
    text(
        "SELECT request_hash, answer FROM answers WHERE tenant_id = :tenant_id AND actor = :actor AND method = :method"
        " AND request_id = :request_id AND expire_time > now()"
    ).bindparams(*(bindparam(n) for n in ("tenant_id", "actor", "method", "request_id")))
)


class RequestIdReused(errors.AlreadyExists):
    """The same idempotency key came with another request."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id[:60]!r} was used for another request in the last 24 hours; use a new one",
            [errors.Violation("request_id", "already used for another request")],
        )


class SecretAnswered(errors.AlreadyExists):
    """A replay of a request whose answer held a secret."""

    reason = "SECRET_SHOWN_ONCE"

    def __init__(self) -> None:
        super().__init__("this was done already and its secret is shown only once; make a new one")


async def run_read(servicer: Servicer, rpc: Rpc, request: Message, call: Call) -> Any:
    """Runs a `@reads` body; its answer is a message or Raw."""
    tx = _tx_of(
        servicer.runtime, call, rpc, request, Draws(servicer.runtime.clock.now()), read_only=True
    )
    try:
        await servicer.runtime.schemas.load(tx)
        answer = await rpc.body(servicer, request, tx)
        return answer if isinstance(answer, Raw) else protected(tx, answer)
    except DRIVER_ERRORS as error:
        raise _as_refusal(error) from error
    finally:
        await tx.abort()


async def run_write(servicer: Servicer, rpc: Rpc, request: Message, call: Call) -> Any:
    """Runs a `@writes` body and writes what it recorded; a replay gets the stored answer, a conflict another try."""
    runtime = servicer.runtime
    draws = Draws(runtime.clock.now())
    request_id = getattr(request, "request_id", "")
    digest = request_hash(request) if request_id else b""

    def key_of(tx: Tx) -> Key | None:
        if not request_id or tx.tenant is None:
            return None
        return Key(f"{tx.actor.kind}:{tx.actor.id}", call.method.full_name, request_id, digest)

    async def attempt(last: bool) -> Any:
        tx = _tx_of(runtime, call, rpc, request, draws)
        own = type(request)()
        own.CopyFrom(
            request
        )  # bodies change what they were sent in place; the next try begins with the original
        try:
            await runtime.schemas.load(tx)
            answer = await rpc.body(servicer, own, tx)
            key = key_of(tx)
            stored = b"" if rpc.secret_answer or key is None else answer.SerializeToString()
            await _finish(tx, key, stored)
            return _as_accepted(tx, answer, call)
        except (errors.CrmError, Replayed) as refusal:
            await tx.abort()
            if (key := key_of(tx)) is not None:
                replay = await _replay(tx, key, call, rpc)
                if replay is not None:
                    return replay
            if isinstance(refusal, Replayed):
                raise Conflict from None  # the winner was rolled back or has expired: run again
            raise
        except BaseException as error:
            await tx.abort()
            if is_lost(error) and not (last or request_id == ""):
                raise Conflict from error  # outcome unknown, but the key makes a second run safe
            raise

    return await _until_written(attempt, runtime)


async def run_event(
    runtime: "Runtime",
    durable: str,
    body: Callable[[Any, Tx], Awaitable[None]],
    event: Message,
    meta: EventMeta,
) -> str:
    """Inbox row, effect and commit in one transaction: "done", or "duplicate" if this consumer had it already."""

    async def work(tx: Tx) -> str:
        if not await runtime.inbox.first_time(tx, durable, meta.id):
            return "duplicate"
        await body(event, tx)
        return "done"

    return await run_system(runtime, meta.tenant, Cause("event", meta.id), work, event=meta)


async def run_events(
    runtime: "Runtime", durable: str, body: Callable[[Any, Tx], Awaitable[None]], batch: Batch
) -> list[str]:
    """As `run_event` for several events of one tenant in one transaction: what fails undoes all of them."""
    drawn = [Draws(runtime.clock.now()) for _ in batch]

    async def work(tx: Tx) -> list[str]:
        await tx.begin()
        fresh = await runtime.inbox.first_times(tx, durable, [meta.id for _, meta in batch])
        outcomes = []
        for (event, meta), draws in zip(batch, drawn, strict=True):
            outcomes.append("done" if meta.id in fresh else "duplicate")
            if meta.id not in fresh:
                continue
            fresh.remove(meta.id)
            with tx.part(Cause("event", meta.id), meta, draws) as part:
                await body(event, part)
                if part.recorded:
                    await write_in_transaction(part)
        return outcomes

    _, first = batch[0]
    return await run_system(runtime, first.tenant, Cause("event", first.id), work)


async def run_system(
    runtime: "Runtime",
    tenant: str,
    cause: Cause,
    work: Callable[[Tx], Awaitable[Any]],
    *,
    event: EventMeta | None = None,
    now: datetime | None = None,
) -> Any:
    """Runs `work` as the system itself, in one transaction of this tenant, again on conflicts."""
    draws = Draws(now or runtime.clock.now())
    rights = Rights.of_system()

    async def attempt(last: bool) -> Any:
        tx = Tx(
            runtime,
            tenant=tenant,
            actor=SYSTEM,
            cause=cause,
            draws=draws,
            rights=rights,
            event=event,
        )
        try:
            result = await work(tx)
            await _finish(tx, None, b"")
            return result
        except BaseException:
            await tx.abort()
            raise

    return await _until_written(attempt, runtime)


def _tx_of(
    runtime: "Runtime",
    call: Call,
    rpc: Rpc,
    request: Message,
    draws: Draws,
    *,
    read_only: bool = False,
) -> Tx:
    tenant, actor, rights = call.tenant, call.actor, call.rights
    if rpc.tenant_of is not None and (tenant := rpc.tenant_of(request)) != call.tenant:
        actor, rights = (
            ANYBODY,
            Rights(None, "", ()),
        )  # the key in the request decides; a sign-in elsewhere counts nothing
        check_feature(runtime.directory, tenant, call.method.permission.feature)
    return Tx(
        runtime,
        tenant=tenant,
        actor=actor,
        cause=Cause("rpc", call.request_id),
        draws=draws,
        rights=rights or Rights(None, "", ()),  # nobody said who calls: no rights
        call=call,
        read_only=read_only,
    )


async def _finish(tx: Tx, key: Key | None, answer: bytes) -> None:
    recorded = tx.recorded
    if tx.runtime.settings.force_retry and tx.tries == 1:
        raise Conflict
    if not tx.in_transaction and not recorded and key is None:
        await tx.commit()
        return
    if not tx.in_transaction and len(recorded.saves) == 1:
        await write_alone(tx, key, answer)
    else:
        await tx.begin()
        if key is not None:
            arguments = [tx.tenant, *key.row(answer, tx.now)]
            if await tx.run_sql(INSERT_ANSWER, arguments, "fetchval") is None:
                raise Replayed
        if recorded:
            await write_in_transaction(tx)
    try:
        await tx.commit()
    except asyncpg.IntegrityConstraintViolationError as error:  # deferred constraints
        raise translated(error, {}) from error


async def _replay(tx: Tx, key: Key, call: Call, rpc: Rpc) -> Any:
    reader = Tx(
        tx.runtime,
        tenant=tx.tenant,
        actor=tx.actor,
        cause=tx.cause,
        draws=Draws(tx.now),
        rights=tx.rights,
        call=call,
        read_only=True,
    )
    try:
        row = await reader.fetchrow(
            _ANSWER, actor=key.actor, method=key.method, request_id=key.request_id
        )
    finally:
        await reader.abort()
    if row is None:
        return None
    if bytes(row["request_hash"]) != key.request_hash:
        raise RequestIdReused(key.request_id)
    if rpc.secret_answer:
        raise SecretAnswered
    call.trailing["crm-replayed"] = "true"
    answer = call.method.output.FromString(row["answer"])
    if getattr(answer, "etag", ""):
        call.trailing["crm-etag"] = answer.etag
    return protected(tx, answer)


def _as_accepted(tx: Tx, answer: Any, call: Call) -> Any:
    """The answer without what the caller may not see; a record that was just written goes out as its stored bytes."""
    if getattr(answer, "etag", ""):
        call.trailing["crm-etag"] = answer.etag
    written = tx.written.get(id(answer))
    if (
        written is not None
        and (raw := written_bytes(tx, *written, json=call.wants_json)) is not None
    ):
        return raw
    return protected(tx, answer)


async def _until_written(attempt: Callable[[bool], Awaitable[Any]], runtime: "Runtime") -> Any:
    for number in range(1, TRIES + 1):
        try:
            return await attempt(number == TRIES)
        except (Conflict, asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
            telemetry.CONFLICTS.inc()
            if number == TRIES:
                raise errors.Aborted(
                    "others are changing this record right now; try again"
                ) from error
            await asyncio.sleep(random.uniform(0, 0.002 * 2**number))  # jitter keeps rivals apart
        except DRIVER_ERRORS as error:
            raise _as_refusal(error) from error
    raise AssertionError("unreachable")


def _as_refusal(error: BaseException) -> BaseException:
    """Unavailable for a lost database or a full disk; any other error of the driver is a defect and stays what it is."""
    if isinstance(error, asyncpg.DiskFullError):
        log.error("the disk of PostgreSQL is full: free space there; nothing is written until then")
        return errors.Unavailable(
            "the database's disk is full, nothing was saved; tell your administrator, then try again",
            retry_after_s=60,
        )
    return (
        errors.Unavailable("the database is down; try again", retry_after_s=2)
        if is_lost(error)
        else error
    )
