"""The one write path: row, history, outbox and stored answer, in one statement where one is enough.

A creation or change of one record without a lock is a single statement, guarded by `version = old`; no row back means
somebody else was faster, and the body runs again. Anything more is a transaction of the same parts.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from chassis import codec
from chassis.kit.facts import OutboxRow, Save, actor_of, columns_of, json_of, outbox_rows
from chassis.kit.taken import refusal_of
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

_DIALECT = dialect()
HOUSEKEEPING = {"etag", "update_time", "create_time", "delete_time", "can"}
INSTALLATION = (
    "00000000-0000-0000-0000-000000000000"  # the tenant of what belongs to no tenant: keys, beats
)
ANSWER_LIFE = timedelta(hours=24)


class Conflict(Exception):
    """The guarded version was gone: run the body again."""


class Replayed(Exception):
    """The idempotency key is taken: the stored answer is the answer."""


@dataclass(frozen=True, slots=True)
class Key:
    """The idempotency key of a request, with what tells a replay from a reuse, and the answer to store."""

    actor: str
    method: str
    request_id: str
    request_hash: bytes

    def row(self, answer: bytes, now: datetime) -> list[Any]:
        """What the answer's row has besides the tenant, in the order of INSERT_ANSWER."""
        return [
            self.actor,
            self.method,
            self.request_id,
            self.request_hash,
            answer,
            now + ANSWER_LIFE,
        ]


def record(tx: Tx, save: Save) -> None:
    """Completes the message (id, etag, times) and records the save; a second save of one record joins the first."""
    message = save.message
    tx.written.pop(id(message), None)
    earlier = _earlier(tx, save)
    if earlier is not None:
        if message.etag != earlier.message.etag:
            raise LookupError(
                f"{save.resource.name} {message.id} was read again before its save was written; flush first"
            )
        save.action = earlier.action if save.action == "updated" else save.action
        save.old, save.old_doc = earlier.old, earlier.old_doc
    elif save.action == "created":
        message.id = message.id or tx.new_id()
        message.create_time.CopyFrom(to_timestamp(tx.now))
    else:
        save.old, save.old_doc = tx.loaded[save.resource.name, message.id]
    if save.old:
        old = save.resource.message.FromString(save.old_doc)
        save.changed = tuple(p for p in codec.changed_paths(old, message) if p not in HOUSEKEEPING)
        if not save.changed and save.action == "updated":
            if earlier is not None:
                tx.recorded.saves.remove(earlier)  # changed back: nothing is left to write
            return
    message.etag = str(save.old + 1)
    message.update_time.CopyFrom(to_timestamp(tx.now))
    if earlier is not None:
        tx.recorded.saves[tx.recorded.saves.index(earlier)] = save
    else:
        tx.recorded.saves.append(save)


def _earlier(tx: Tx, save: Save) -> Save | None:
    """The save of the same record that this body recorded before and that is not written yet."""
    for one in tx.recorded.saves:
        if one.resource is save.resource and one.message.id == save.message.id:
            return one
    return None


async def write_alone(tx: Tx, key: Key | None, answer: bytes) -> None:
    """Writes the single recorded save in one statement, without a transaction of its own; Conflict or Replayed."""
    (save,) = tx.recorded.saves
    rows = outbox_rows(tx)
    sql, arguments = _statement(tx, save, rows, key, answer)
    result = await _run(tx, save, sql, arguments)
    _judge(result, save, keyed=key is not None)
    tx.wrote_events = True
    remember(tx)


async def write_in_transaction(tx: Tx) -> None:
    """Writes all that is recorded into the open transaction; Conflict if a guarded version is gone."""
    rows = outbox_rows(tx)
    for save in tx.recorded.saves:
        sql, arguments = _statement(tx, save, [], None, b"")
        _judge(await _run(tx, save, sql, arguments), save, keyed=False)
    if rows:
        await tx.run_sql(_INSERT_OUTBOX, [tx.tenant or INSTALLATION, *columns_of(rows)], "execute")
        tx.wrote_events = True
    remember(tx)


def remember(tx: Tx) -> None:
    """After a write: what was saved counts as loaded, and nothing is recorded any more."""
    for save in tx.recorded.saves:
        tx.loaded[save.resource.name, save.message.id] = (
            save.old + 1,
            save.message.SerializeToString(),
        )
    tx.recorded.saves.clear()
    tx.recorded.events.clear()
    tx.recorded.directory.clear()
    tx.recorded.republished.clear()


async def _run(tx: Tx, save: Save, sql: str, arguments: list[Any]) -> Any:
    try:
        return await tx.run_sql(sql, arguments, "fetchrow")
    except asyncpg.IntegrityConstraintViolationError as error:
        raise await refusal_of(tx, save, error) from error


def _judge(result: Any, save: Save, *, keyed: bool) -> None:
    if result["written"]:
        return
    if save.old and not result["current"]:
        raise Conflict
    raise Replayed if keyed else Conflict


# -- the statement's parts -----------------------------------------------------------------------


def _statement(
    tx: Tx, save: Save, rows: list["OutboxRow"], key: Key | None, answer: bytes
) -> tuple[str, list[Any]]:
    resource, message = save.resource, save.message
    values = resource.column_values(message)
    arguments: list[Any] = [
        tx.tenant,
        message.id,
        save.old,
        save.old + 1,
        tx.now,
        to_datetime(message.delete_time) if message.HasField("delete_time") else None,
        message.SerializeToString(),
        json_of(tx, save).decode(),
        save.action,
        actor_of(tx),
        {"kind": tx.cause.kind, "id": tx.cause.id},
        list(save.changed),
        *(values[name] for name in resource.extra),
    ]
    if rows:
        arguments += columns_of(rows)
    if key is not None:
        arguments += key.row(answer, tx.now)
    shape = (save.old == 0, bool(rows), key is not None)
    if shape not in resource.sql:
        resource.sql[shape] = _text(resource, *shape)
    return resource.sql[shape], arguments


def _text(resource: "Resource[Any]", creates: bool, emits: bool, keyed: bool) -> str:
    table, types = resource.table.name, resource.table.columns
    at = 13  # $1..$12 are the fixed arguments of `_statement`
    extra = {}
    for name in resource.extra:
        extra[name] = f"${at}::{types[name].type.compile(_DIALECT)}"
        at += 1
    parts = []
    if not creates:
        parts.append(
            f"cur AS (SELECT 1 FROM {table} WHERE tenant_id = $1::uuid AND id = $2::uuid AND version = $3::bigint FOR UPDATE)"
        )
    outbox_at, key_at = at, at + (4 if emits else 0)
    if keyed:
        parts.append(f"k AS ({_insert_answer(key_at, '' if creates else 'FROM cur')})")
    source = "FROM k" if keyed else ""
    if creates:
        names = [
            "tenant_id",
            "id",
            "version",
            "create_time",
            "update_time",
            "delete_time",
            "doc",
            "json",
            *extra,
        ]
        fixed = [
            "$1::uuid",
            "$2::uuid",
            "$4::bigint",
            "$5::timestamptz",
            "$5::timestamptz",
            "$6::timestamptz",
            "$7::bytea",
            "$8::text",
            *extra.values(),
        ]
        guard = " WHERE $3::bigint = 0"
        parts.append(
            f"r AS (INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(fixed)} {source}{guard} RETURNING 1)"
        )
    else:
        sets = [
            "version = $4::bigint",
            "update_time = $5::timestamptz",
            "delete_time = $6::timestamptz",
            "doc = $7::bytea",
            "json = $8::text",
            *(f"{name} = {value}" for name, value in extra.items()),
        ]
        parts.append(
            f"r AS (UPDATE {table} SET {', '.join(sets)} {source or 'FROM cur'} WHERE tenant_id = $1::uuid"
            " AND id = $2::uuid AND version = $3::bigint RETURNING 1)"
        )
        parts.append(
            f"p AS (UPDATE {table}_history SET valid_to = $5::timestamptz FROM r WHERE tenant_id = $1::uuid"
            " AND id = $2::uuid AND version = $3::bigint)"
        )
    parts.append(
        f"h AS (INSERT INTO {table}_history (tenant_id, id, version, valid_from, valid_to, action, actor, cause, changed, doc)"
        " SELECT $1::uuid, $2::uuid, $4::bigint, $5::timestamptz, NULL, $9::text, $10::jsonb, $11::jsonb, $12::text[],"
        " $7::bytea FROM r)"
    )
    if emits:
        parts.append(f"o AS ({_insert_outbox(outbox_at, ', r')})")
    current = "true" if creates else "EXISTS (SELECT FROM cur)"
    return f"WITH {', '.join(parts)} SELECT EXISTS (SELECT FROM r) AS written, {current} AS current"


def _insert_answer(at: int, source: str) -> str:
    return (
        "INSERT INTO answers (tenant_id, actor, method, request_id, request_hash, answer, expire_time)"
        f" SELECT $1::uuid, ${at}::text, ${at + 1}::text, ${at + 2}::text, ${at + 3}::bytea, ${at + 4}::bytea,"
        f" ${at + 5}::timestamptz {source} ON CONFLICT (tenant_id, actor, method, request_id) DO UPDATE SET"
        " request_hash = excluded.request_hash, answer = excluded.answer, expire_time = excluded.expire_time"
        " WHERE answers.expire_time < now() RETURNING 1"
    )


def _insert_outbox(at: int, source: str) -> str:
    return (
        "INSERT INTO outbox (tenant_id, subject, record, headers, body)"
        " SELECT $1::uuid, e.subject, e.record, e.headers::jsonb, e.body"
        f" FROM unnest(${at}::text[], ${at + 1}::text[], ${at + 2}::text[], ${at + 3}::text[])"
        f" WITH ORDINALITY AS e(subject, record, headers, body, n){source} ORDER BY e.n"
    )


_INSERT_OUTBOX = _insert_outbox(2, "")
INSERT_ANSWER = _insert_answer(2, "")


def request_hash(request: Message) -> bytes:
    """What tells a replay from the reuse of a key for something else."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
