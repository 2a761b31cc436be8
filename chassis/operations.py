"""Long-running operations: rows that say what was asked for and how far it is, seen as google.longrunning.Operation.

`operation_runs.py` carries them out.
"""

from datetime import datetime
from typing import Any

import asyncpg
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, struct_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from chassis import errors
from chassis.db.statement import Statement
from chassis.tx import Tx

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
_OPEN = (QUEUED, RUNNING)


def operations_table(metadata: MetaData) -> Table:
    """Operations asked for. `position` is what a run saved to be resumed from; `heartbeat` is when its worker last lived."""
    moment = DateTime(timezone=True)
    return Table(
        "operations",
        metadata,
        Column("tenant_id", Uuid, nullable=False),
        Column("id", Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("actor", JSONB, nullable=False),
        Column("request", LargeBinary, nullable=False),
        Column("state", Text, nullable=False, server_default=QUEUED),
        Column("done", Integer, nullable=False, server_default="0"),
        Column("total", Integer, nullable=False, server_default="0"),
        Column("position", JSONB, nullable=False, server_default=text("'{}'")),
        Column("result", LargeBinary),
        Column("error", LargeBinary),
        Column("cancel", Boolean, nullable=False, server_default=text("false")),
        Column("worker", Uuid),
        Column("heartbeat", moment),
        Column("create_time", moment, nullable=False, server_default=text("clock_timestamp()")),
        Column("update_time", moment, nullable=False, server_default=text("clock_timestamp()")),
        PrimaryKeyConstraint("tenant_id", "id"),
        Index(
            "ix_operations_open",
            "create_time",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )


# rights of the service's role, rights of its background role
GRANTS = ("SELECT, INSERT, UPDATE", "SELECT, UPDATE")

_COLUMNS = "id, kind, actor, state, done, total, result, error, cancel, create_time, update_time"
_INSERT = Statement(
    insert(operations_table(MetaData())).values(
        {name: bindparam(name) for name in ("tenant_id", "id", "kind", "actor", "request")}
    )
)


def _text(sql: str, *names: str) -> Statement:
    return Statement(text(sql).bindparams(*(bindparam(name) for name in ("tenant_id", *names))))


_GET = _text(f"SELECT {_COLUMNS} FROM operations WHERE tenant_id = :tenant_id AND id = :id", "id")
_LIST = _text(
    f"SELECT {_COLUMNS} FROM operations WHERE tenant_id = :tenant_id AND id < :before"
    " AND (:user_id = '' OR actor->>'user_id' = :user_id) ORDER BY id DESC LIMIT :size",
    "before",
    "size",
    "user_id",
)
_CANCEL = _text(
    "UPDATE operations SET cancel = true, update_time = clock_timestamp(),"
    " state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END"
    " WHERE tenant_id = :tenant_id AND id = :id AND state IN ('queued', 'running')",
    "id",
)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Operations:
    """A service's operations, for bodies: start, look at, cancel."""

    def __init__(self, service: str, kinds: frozenset[str]) -> None:
        self._service, self._kinds = service, kinds

    async def start(self, tx: Tx, kind: str, request: Message) -> operations_pb2.Operation:
        """Queue an operation in the body's transaction."""
        if kind not in self._kinds:
            raise LookupError(f"{self._service} has no @operation({kind!r})")
        id, packed = tx.new_id(), any_pb2.Any()
        packed.Pack(request)
        actor = {"kind": tx.actor.kind, "id": tx.actor.id, "user_id": tx.actor.user_id}
        await tx.execute(_INSERT, id=id, kind=kind, actor=actor, request=packed.SerializeToString())
        tx.runtime.operation_runs.expect()
        return await self.get(tx, id)

    async def get(self, tx: Tx, id: str) -> operations_pb2.Operation:
        """One operation; NotFound if this tenant has none of that id."""
        return to_operation(self._service, await self._row(tx, id))

    async def list(
        self, tx: Tx, *, before: str = "", size: int = 50, user_id: str = ""
    ) -> list[operations_pb2.Operation]:
        """The newest first, older than the id `before`; only those that `user_id` asked for, if given."""
        rows = await tx.fetch(_LIST, before=before or _LAST_ID, size=size, user_id=user_id)
        return [to_operation(self._service, row) for row in rows]

    async def cancel(self, tx: Tx, id: str) -> operations_pb2.Operation:
        """Ask it to stop: at once if nobody works on it, else before its next step. What was done stays done."""
        if not await tx.execute(_CANCEL, id=id):
            row = await self._row(tx, id)
            raise OperationOver(id, row["state"])
        return await self.get(tx, id)

    async def _row(self, tx: Tx, id: str) -> asyncpg.Record:
        row = await tx.fetchrow(_GET, id=id)
        if row is None:
            raise errors.NotFound(f"there is no operation {id}")
        return row


class OperationOver(errors.FailedPrecondition):
    """Cancelling what has ended."""

    reason = "OPERATION_OVER"

    def __init__(self, id: str, state: str) -> None:
        super().__init__(
            f"operation {id} is {state}; only one that is queued or running can be cancelled"
        )


def to_operation(service: str, row: asyncpg.Record) -> operations_pb2.Operation:
    """`operations/<service>/<id>`; its metadata is a Struct with kind, state, done, total, createTime, updateTime, userId, and
    tokenId if an API token asked."""
    operation = operations_pb2.Operation(
        name=f"operations/{service}/{row['id']}", done=row["state"] not in _OPEN
    )
    facts, actor = struct_pb2.Struct(), actor_of(row)
    facts.update(
        {
            "kind": row["kind"],
            "state": "cancelling" if row["cancel"] and row["state"] in _OPEN else row["state"],
            "done": row["done"],
            "total": row["total"],
            "createTime": _rfc3339(row["create_time"]),
            "updateTime": _rfc3339(row["update_time"]),
            "userId": actor["user_id"],
            **({"tokenId": actor["id"]} if actor["kind"] == "token" else {}),
        }
    )
    operation.metadata.Pack(facts)
    if row["state"] == DONE:
        operation.response.ParseFromString(row["result"])
    elif row["state"] in (FAILED, CANCELLED):
        operation.error.CopyFrom(
            status_pb2.Status.FromString(row["error"])
            if row["error"]
            else errors.to_status(OperationCancelled())
        )
    return operation


class OperationCancelled(errors.CrmError):
    """The operation was cancelled; raised in its body at the next step."""

    code, reason = 1, "OPERATION_CANCELLED"  # google.rpc.Code.CANCELLED

    def __init__(self) -> None:
        super().__init__("the operation was cancelled; what it had done stays done")


def actor_of(row: asyncpg.Record) -> dict[str, Any]:
    """Who asked for it: kind, id, user_id."""
    return dict(row["actor"])


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
