"""What a service keeps of handovers: which record goes or went from whom to whom, and how far its own part is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.db.statement import Statement
from chassis.tx import Tx

PLANNED, DONE, RETURNED, KEPT = 1, 2, 3, 4
"""States of a move: KEPT was not given back."""

BATCH = 500
"""Moves in one step. 6,000 records cost this process 3.6 s of CPU and PostgreSQL 1.9 s with steps of 500, no less with 1,000
(4.0 and 2.0) or 2,000 (3.9 and 1.9); but the longest time in which the process answers nobody grows: 0.23, 0.40, 0.58 s."""


@dataclass(frozen=True, slots=True)
class Move:
    """One field of one record that named one person and names another."""

    object: str
    record_id: str
    field: str
    from_user_id: str
    to_user_id: str = ""
    """Empty where the person is only taken from a list."""
    position: int = 0
    """Where in the list."""
    version: int = 0
    """The record's version after the move."""


def tables(metadata: MetaData) -> None:
    """Declares both tables in a service's metadata."""
    Table(
        "handover_moves",
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("handover_id", Uuid, primary_key=True),
        Column("object", Text, primary_key=True),
        Column("record_id", Uuid, primary_key=True),
        Column("field", Text, primary_key=True),
        Column("from_user_id", Uuid, nullable=False),
        Column("to_user_id", Uuid),
        Column("position", Integer, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("state", SmallInteger, nullable=False),
        Column("reason", SmallInteger, nullable=False),
    )
    Table(
        "handover_stages",
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("handover_id", Uuid, primary_key=True),
        Column("stage", Text, nullable=False),
        Column("round", Integer, nullable=False),
        Column("place", JSONB, nullable=False),
    )


_TYPES: dict[str, Any] = {"place": JSONB} | {
    name: ARRAY(of)
    for names, of in (
        (("ids", "from_ids", "to_ids"), Uuid), (("objects", "fields"), Text),
        (("positions", "versions", "reasons", "states"), BigInteger),
    )
    for name in names
}  # fmt: skip


def _text(sql: str, *names: str) -> Statement:
    binds = [
        bindparam(name, type_=_TYPES.get(name)) if name in _TYPES else bindparam(name)
        for name in ("tenant_id", *names)
    ]
    return Statement(text(sql).bindparams(*binds))


_MINE = "tenant_id = :tenant_id AND handover_id = :handover_id"
_BEGIN = _text(
    "INSERT INTO handover_stages (tenant_id, handover_id, stage, round, place)"
    " VALUES (:tenant_id, :handover_id, :stage, :round, :place) ON CONFLICT (tenant_id, handover_id)"
    " DO UPDATE SET stage = excluded.stage, round = excluded.round, place = excluded.place",
    "handover_id", "stage", "round", "place",
)  # fmt: skip
_PLACE = _text(
    f"SELECT place FROM handover_stages WHERE {_MINE} AND stage = :stage AND round = :round FOR UPDATE",
    "handover_id", "stage", "round",
)  # fmt: skip
_TO_PLACE = _text(
    f"UPDATE handover_stages SET stage = :stage, place = :place WHERE {_MINE}",
    "handover_id", "stage", "place",
)  # fmt: skip
_FORGET_STAGE = _text(f"DELETE FROM handover_stages WHERE {_MINE}", "handover_id")
_FORGET_PLAN = _text(
    f"DELETE FROM handover_moves WHERE {_MINE} AND state = {PLANNED}", "handover_id"
)
_KEEP = _text(
    "INSERT INTO handover_moves (tenant_id, handover_id, object, record_id, field, from_user_id, to_user_id, position,"
    " version, state, reason) SELECT CAST(:tenant_id AS uuid), CAST(:handover_id AS uuid), n.object, n.id, n.field, n.from_id, n.to_id, n.position,"
    " n.version, CAST(:state AS smallint), 0 FROM unnest(CAST(:objects AS text[]), CAST(:ids AS uuid[]), CAST(:fields AS text[]),"
    " CAST(:from_ids AS uuid[]), CAST(:to_ids AS uuid[]), CAST(:positions AS bigint[]), CAST(:versions AS bigint[]))"
    " AS n(object, id, field, from_id, to_id, position, version)"
    " ON CONFLICT (tenant_id, handover_id, object, record_id, field) DO UPDATE SET from_user_id = excluded.from_user_id,"
    " to_user_id = excluded.to_user_id, position = excluded.position, version = excluded.version,"
    " state = excluded.state, reason = 0",
    "handover_id", "state", "objects", "ids", "fields", "from_ids", "to_ids", "positions", "versions",
)  # fmt: skip
_RECIPIENTS = _text(
    f"SELECT record_id, to_user_id FROM handover_moves WHERE {_MINE} AND object = :object AND field = :field"
    f" AND record_id = any(CAST(:ids AS uuid[])) AND state IN ({PLANNED}, {DONE}) AND to_user_id IS NOT NULL",
    "handover_id", "object", "field", "ids",
)  # fmt: skip
_COUNTS = _text(
    "SELECT object, field, to_user_id, count(*) AS count, (array_agg(record_id ORDER BY record_id))[1:5] AS sample_ids"
    f" FROM handover_moves_of_tenant WHERE {_MINE} AND state = :state GROUP BY object, field, to_user_id"
    " ORDER BY object, field, to_user_id",
    "handover_id", "state",
)  # fmt: skip
_STANDING = _text(
    f"SELECT object, record_id, field, from_user_id, to_user_id, position, version FROM handover_moves_of_tenant"
    f" WHERE {_MINE} AND object = :object AND state = {DONE} ORDER BY record_id, field LIMIT {BATCH}",
    "handover_id", "object",
)  # fmt: skip
_ANY = _text(
    f"SELECT EXISTS (SELECT FROM handover_moves_of_tenant WHERE {_MINE} AND state = {DONE})",
    "handover_id",
)
_SETTLE = _text(
    "UPDATE handover_moves m SET state = n.state, reason = n.reason FROM unnest(CAST(:objects AS text[]),"
    " CAST(:ids AS uuid[]), CAST(:fields AS text[]), CAST(:states AS bigint[]), CAST(:reasons AS bigint[]))"
    " AS n(object, id, field, state, reason) WHERE m.tenant_id = :tenant_id AND m.handover_id = :handover_id"
    " AND m.object = n.object AND m.record_id = n.id AND m.field = n.field",
    "handover_id", "objects", "ids", "fields", "states", "reasons",
)  # fmt: skip
_NAMED = _text(
    f"SELECT object, record_id, field, reason, count(*) OVER () AS total FROM handover_moves_of_tenant"
    f" WHERE {_MINE} AND reason <> 0 ORDER BY object, record_id, field LIMIT 200",
    "handover_id",
)


# -- how far this service is ---------------------------------------------------------------------


async def begin(tx: Tx, handover_id: str, stage: str, round: int) -> None:
    """A new stage begins; whoever still works on an earlier one ends at the next step."""
    await tx.execute(_BEGIN, handover_id=handover_id, stage=stage, round=round, place={})


async def place(tx: Tx, handover_id: str, stage: str, round: int) -> dict[str, Any] | None:
    """How far this stage is, locked until the step is committed; None if another stage has begun or it is over."""
    await tx.begin()
    row = await tx.fetchrow(_PLACE, handover_id=handover_id, stage=stage, round=round)
    return None if row is None else dict(row["place"])


async def keep_place(tx: Tx, handover_id: str, stage: str, place: Mapping[str, Any]) -> None:
    """Notes how far this stage is."""
    await tx.execute(_TO_PLACE, handover_id=handover_id, stage=stage, place=dict(place))


async def forget(tx: Tx, handover_id: str) -> None:
    """A handover that was dropped leaves nothing."""
    await tx.execute(_FORGET_STAGE, handover_id=handover_id)
    await forget_plan(tx, handover_id)


# -- moves ---------------------------------------------------------------------------------------


async def forget_plan(tx: Tx, handover_id: str) -> None:
    """Nothing is planned any more; what is done stays."""
    await tx.execute(_FORGET_PLAN, handover_id=handover_id)


async def keep(tx: Tx, handover_id: str, moves: Sequence[Move], state: int) -> None:
    """Keeps moves as planned or done, in the place of earlier ones of the same fields."""
    if not moves:
        return
    await tx.execute(
        _KEEP, handover_id=handover_id, state=state,
        objects=[m.object for m in moves], ids=[m.record_id for m in moves], fields=[m.field for m in moves],
        from_ids=[m.from_user_id for m in moves], to_ids=[m.to_user_id or None for m in moves],
        positions=[m.position for m in moves], versions=[m.version for m in moves],
    )  # fmt: skip


async def recipients(
    tx: Tx, handover_id: str, object: str, field: str, ids: Iterable[str]
) -> dict[str, str]:
    """Record -> who gets it or got it; records without a move are left out."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await tx.fetch(
        _RECIPIENTS, handover_id=handover_id, object=object, field=field, ids=wanted
    )
    return {str(row["record_id"]): str(row["to_user_id"]) for row in rows}


async def counts(tx: Tx, handover_id: str, state: int) -> list[asyncpg.Record]:
    """object, field, to_user_id, count and five sample_ids of the moves in this state."""
    return await tx.fetch(_COUNTS, handover_id=handover_id, state=state)


async def standing(tx: Tx, handover_id: str, object: str) -> list[Move]:
    """The next moves of these records that have not been given back."""
    return [
        Move(
            row["object"],
            str(row["record_id"]),
            row["field"],
            str(row["from_user_id"]),
            str(row["to_user_id"] or ""),
            row["position"],
            row["version"],
        )
        for row in await tx.fetch(_STANDING, handover_id=handover_id, object=object)
    ]


async def any_standing(tx: Tx, handover_id: str) -> bool:
    """True if something was moved and not given back."""
    return bool(await tx.fetchval(_ANY, handover_id=handover_id))


async def settle(tx: Tx, handover_id: str, ends: Sequence[tuple[Move, int, int]]) -> None:
    """Notes which moves were given back or kept, and the reason (0 for none)."""
    if not ends:
        return
    await tx.execute(
        _SETTLE, handover_id=handover_id, objects=[m.object for m, _, _ in ends], ids=[m.record_id for m, _, _ in ends],
        fields=[m.field for m, _, _ in ends], states=[s for _, s, _ in ends], reasons=[r for _, _, r in ends],
    )  # fmt: skip


async def named(tx: Tx, handover_id: str) -> list[asyncpg.Record]:
    """object, record_id, field and reason of the first 200 moves with a reason; `total` is how many there are."""
    return await tx.fetch(_NAMED, handover_id=handover_id)
