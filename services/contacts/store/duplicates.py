"""Suspected pairs. Plain rows: everything but what somebody decided can be found again by a scan."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from crm.contacts.v1 import duplicate_pb2
from services.contacts.rules.duplicates import EXACT, MOST_SHARING, mask
from services.contacts.store.parties import PARTIES
from services.contacts.store.schema import holds, metadata

State = duplicate_pb2.Duplicate.State
OPEN, DISMISSED, MERGED = (
    int(getattr(duplicate_pb2.Duplicate, f"STATE_{name}"))
    for name in ("OPEN", "DISMISSED", "MERGED")
)

duplicates = Table(
    "duplicates",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("object", Text, nullable=False),
    Column("low_id", Uuid, nullable=False),
    Column("high_id", Uuid, nullable=False),
    Column("score", SmallInteger, nullable=False),
    Column("reasons", Integer, nullable=False),  # a bit for each
    Column("state", SmallInteger, nullable=False),
    Column(
        "dismissed", Integer, nullable=False
    ),  # the exact reasons that were known when somebody said no
    Column("create_time", Moment, nullable=False),
    Index("uq_duplicates_pair", "tenant_id", "object", "low_id", "high_id", unique=True),
    Index("ix_duplicates_high", "tenant_id", "high_id"),
    Index("ix_duplicates_low", "tenant_id", "low_id"),
    Index("ix_duplicates_state", "tenant_id", "state", "score", "id"),
)

_D = duplicates.c
_TENANT, _OBJECT = bindparam("tenant_id", type_=Uuid), bindparam("object", type_=Text)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_EXACT = mask(EXACT)

# -- exact look-ups for forms, in the parties' own columns: no lag ------------------------------------------

_COLUMNS = {"phone": "phone_digits", "email": "email_addresses", "tax_number": "tax_numbers"}


def _holding(resource: Resource[Any], column: str) -> Statement:
    return resource.select(holds(resource.view.c[column], "value"), limit=MOST_SHARING)


_HOLDING = {
    (object, name): _holding(resource, column)
    for object, resource in PARTIES.items()
    for name, column in _COLUMNS.items()
}


async def holding(tx: Tx, object: str, name: str, value: str) -> list[Any]:
    """Living records with exactly this phone (its digits), e-mail or tax number, whoever asks."""
    return await PARTIES[object].find_where(tx, _HOLDING[object, name], value=value)


# -- pairs ---------------------------------------------------------------------------------------------

_NAMES = ("id", "low_id", "high_id", "score", "reasons")
_TYPES = (Uuid, Uuid, Uuid, SmallInteger, Integer)
_given = (
    func.unnest(*(bindparam(f"{n}s", type_=ARRAY(t)) for n, t in zip(_NAMES, _TYPES, strict=True)))
    .table_valued(*(Column(n, t) for n, t in zip(_NAMES, _TYPES, strict=True)), name="given")
    .render_derived()
)
_insert = upsert(duplicates).from_select(
    ["tenant_id", "object", "state", "dismissed", "create_time", *_NAMES],
    select(
        _TENANT, _OBJECT, literal(OPEN, SmallInteger), literal(0, Integer), bindparam("now", type_=Moment),
        *(_given.c[name] for name in _NAMES),
    ),
)  # fmt: skip
_new = _insert.excluded
_unknown_then = _new.reasons.op("&")(_EXACT).op("&")(_D.dismissed.op("#")(_EXACT)) != 0
_again = and_(_D.state == DISMISSED, _unknown_then)
_SUSPECT = Statement(
    _insert.on_conflict_do_update(
        index_elements=["tenant_id", "object", "low_id", "high_id"],
        set_={
            "score": _new.score,
            "reasons": _new.reasons,
            "state": case((_again, OPEN), else_=_D.state),
            "dismissed": case((_again, 0), else_=_D.dismissed),
        },
        where=or_(_D.score != _new.score, _D.reasons != _new.reasons),
    ).returning(
        _D.id, _D.low_id, _D.high_id, _D.score, _D.reasons, _D.state, text("xmax = 0 AS created")
    )
)
_CLEAR = Statement(
    delete(duplicates).where(
        _D.tenant_id == _TENANT, _D.object == _OBJECT, _D.state == OPEN,
        or_(_D.low_id == func.any(_IDS), _D.high_id == func.any(_IDS)),
        ~tuple_(_D.low_id, _D.high_id).in_(select(
            func.unnest(bindparam("low_ids", type_=ARRAY(Uuid))), func.unnest(bindparam("high_ids", type_=ARRAY(Uuid)))
        )),
        _D.reasons.op("&")(mask([duplicate_pb2.DUPLICATE_REASON_REQUEST])) == 0,
    )
)  # fmt: skip

Pair = tuple[str, str, int, int]  # low id, high id, score, reasons as bits


async def suspect(tx: Tx, object: str, pairs: Sequence[Pair]) -> list[Record]:
    """Keeps suspected pairs; returns the rows that are new or changed. What was dismissed stays so, except under I12."""
    if not pairs:
        return []
    columns = {f"{name}s": [pair[at] for pair in pairs] for at, name in enumerate(_NAMES[1:])}
    ids = [tx.new_id() for _ in pairs]
    return await tx.fetch(_SUSPECT, object=object, now=tx.now, ids=ids, **columns)


async def clear(tx: Tx, object: str, ids: Sequence[str], pairs: Sequence[Pair]) -> None:
    """Forgets the open pairs of these records that are suspected no more; what a request told stays."""
    await tx.execute(
        _CLEAR,
        object=object,
        ids=list(ids),
        low_ids=[pair[0] for pair in pairs],
        high_ids=[pair[1] for pair in pairs],
    )


_BETWEEN = tuple_(_D.low_id, _D.high_id).in_(
    select(
        func.unnest(bindparam("low_ids", type_=ARRAY(Uuid))),
        func.unnest(bindparam("high_ids", type_=ARRAY(Uuid))),
    )
)
_TOUCHING = or_(_D.low_id == func.any(_IDS), _D.high_id == func.any(_IDS))


def _moving(which: Any, old: int, new: int) -> Statement:
    return Statement(
        update(duplicates)
        .where(_D.tenant_id == _TENANT, _D.object == _OBJECT, _D.state == old, which)
        .values(state=new)
    )


_MARK_MERGED, _REOPEN_MERGED = _moving(_BETWEEN, OPEN, MERGED), _moving(_TOUCHING, MERGED, OPEN)


async def mark_merged(tx: Tx, object: str, groups: Iterable[Sequence[str]]) -> None:
    """The open pairs within each of these groups of records are merged."""
    pairs = [pair for group in groups for pair in combinations(sorted(group), 2)]
    lows, highs = [low for low, _ in pairs], [high for _, high in pairs]
    await tx.execute(_MARK_MERGED, object=object, low_ids=lows, high_ids=highs)


async def reopen_merged(tx: Tx, object: str, ids: Sequence[str]) -> None:
    """The merged pairs of these records are suspected again, as they were before the merge."""
    await tx.execute(_REOPEN_MERGED, object=object, ids=list(ids))


_ONE = Statement(
    select(duplicates)
    .where(_D.tenant_id == _TENANT, _D.id == bindparam("id", type_=Uuid))
    .with_for_update()
)
_DECIDE = Statement(
    update(duplicates)
    .where(_D.tenant_id == _TENANT, _D.id == bindparam("pair_id", type_=Uuid))
    .values(
        state=bindparam("new_state", type_=SmallInteger),
        dismissed=bindparam("known", type_=Integer),
    )
)


async def pair_for_update(tx: Tx, id: str) -> Record | None:
    """One pair, locked."""
    await tx.begin()
    return await tx.fetchrow(_ONE, id=id)


async def decide(tx: Tx, row: Record, state: int) -> None:
    """Keeps what somebody decided about a pair; of a dismissal also what was known then."""
    known = row["reasons"] & _EXACT if state == DISMISSED else 0
    await tx.execute(_DECIDE, pair_id=row["id"], new_state=state, known=known)


# -- lists ---------------------------------------------------------------------------------------------

_v = view_of(duplicates).c
_party = bindparam("party_id", type_=Uuid)
_PAGE_VALUES = ("score", "id")


def _window(of_party: bool, of_object: bool) -> Statement:
    conditions = [
        _v.tenant_id == _TENANT, _v.state == bindparam("state", type_=SmallInteger),
        _v.score >= bindparam("min_score", type_=SmallInteger),
        tuple_(_v.score, _v.id) < tuple_(bindparam("before_score", type_=SmallInteger), bindparam("before_id", type_=Uuid)),
    ]  # fmt: skip
    if of_party:
        conditions.append(or_(_v.low_id == _party, _v.high_id == _party))
    if of_object:
        conditions.append(_v.object == _OBJECT)
    order = (_v.score.desc(), _v.id.desc())
    limit = bindparam("page_limit", type_=BigInteger)
    return Statement(select(*_v).where(*conditions).order_by(*order).limit(limit))


_WINDOWS = {(p, o): _window(p, o) for p in (False, True) for o in (False, True)}


async def read_pairs(
    tx: Tx,
    *,
    state: int,
    min_score: int,
    object: str,
    party_id: str,
    before: tuple[int, str],
    limit: int,
) -> list[Record]:
    """The next pairs, the surest first, behind this score and id."""
    values = {name: value for name, value in (("object", object), ("party_id", party_id)) if value}
    return await tx.fetch(
        _WINDOWS[bool(party_id), bool(object)], state=state, min_score=min_score, before_score=before[0],
        before_id=before[1], page_limit=limit, **values,
    )  # fmt: skip


def _exact_pairs(resource: Resource[Any]) -> Statement:
    low, high = resource.table.alias("low"), resource.table.alias("high")
    lives = [
        and_(t.c.tenant_id == _D.tenant_id, t.c.id == id, t.c.delete_time.is_(None))
        for t, id in ((low, _D.low_id), (high, _D.high_id))
    ]
    return Statement(
        select(_D.low_id, _D.high_id)
        .select_from(duplicates.join(low, lives[0]).join(high, lives[1]))
        .where(
            _D.tenant_id == _TENANT, _D.object == _OBJECT, _D.state == OPEN, _D.reasons.op("&")(_EXACT) != 0,
            _D.score >= bindparam("min_score", type_=SmallInteger),
        )
        .order_by(_D.id)
    )  # fmt: skip


_EXACT_PAIRS = {object: _exact_pairs(resource) for object, resource in PARTIES.items()}


async def exact_pairs(tx: Tx, object: str, min_score: int) -> list[tuple[str, str]]:
    """Every open pair of living records with an exact key in common that is at least this sure."""
    rows = await tx.fetch(_EXACT_PAIRS[object], object=object, min_score=min_score)
    return [(str(row["low_id"]), str(row["high_id"])) for row in rows]
