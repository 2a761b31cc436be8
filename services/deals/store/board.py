"""What the open deals of a pipeline come to, by stage, owner and currency: sums that are kept, and sums that are reckoned.

`deal_sums` holds what every change of deals added or took away, as rows that are only added; a trigger on `deals` writes them with
the change itself (migration 0011), whoever makes it, so that nobody waits for anybody and no way of writing is forgotten. Now and
then it puts rows of a stage together. To add 200,000 deals up takes a fifth of a second, to add these rows up a few milliseconds.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY, array

from chassis.db.statement import Statement
from chassis.kit import counting, listing
from chassis.kit.tables import view_of
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.rules.board import Group
from services.deals.store.deals import deals
from services.deals.store.schema import metadata

Deal = deal_pb2.Deal

sums = Table(
    "deal_sums",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("pipeline_id", Uuid),
    Column("stage_id", Uuid),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("currency", Text, nullable=False),
    Column("probability", SmallInteger),
    Column("count", Integer, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("base_amount", Numeric, nullable=False),
    Column("unconverted", Integer, nullable=False),  # how many of them have no base amount
    Index("ix_deal_sums_stage", "tenant_id", "pipeline_id", "stage_id"),
)
_SUMS = view_of(sums).c
_DEALS = deals.view.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_PIPELINE = bindparam("of_pipeline", type_=Uuid)


_MEASURES = ("count", "amount", "base_amount", "unconverted")
_WORTH = func.coalesce(_DEALS.base_amount, literal_column("0")).label("base_amount")
_LACKS = case((_DEALS.base_amount.is_(None), literal_column("1", Integer)), else_=literal_column("0", Integer))  # fmt: skip


def _totals(c: Any) -> list[Any]:
    return [func.sum(c[name]).label(name) for name in _MEASURES]


def _of_all() -> Statement:
    """Of everybody's deals."""
    keys = (_SUMS.stage_id, _SUMS.currency, _SUMS.probability)
    totals = _totals(_SUMS)
    here = (_SUMS.tenant_id == _TENANT, _SUMS.pipeline_id == _PIPELINE)
    return Statement(select(*keys, *totals).where(*here).group_by(*keys).having(func.sum(_SUMS["count"]) != 0))  # fmt: skip


def _of_some() -> Statement:
    """Of the deals of these owners, in the queues of these departments, and followed by me besides."""
    owners, departments = (bindparam(n, type_=ARRAY(Uuid)) for n in ("owners", "departments"))
    me = bindparam("me", type_=Uuid)

    def reached(c: Any) -> Any:
        queued = and_(c.owner_id.is_(None), c.department_id == departments.any_())
        return or_(c.owner_id == owners.any_(), queued)

    kept = select(
        _SUMS.stage_id, _SUMS.currency, _SUMS.probability, *(_SUMS[name] for name in _MEASURES)
    ).where(_SUMS.tenant_id == _TENANT, _SUMS.pipeline_id == _PIPELINE, reached(_SUMS))  # fmt: skip
    one = literal_column("1", Integer)
    followed = select(
        _DEALS.stage_id, _DEALS.currency, _DEALS.probability, one, _DEALS.amount, _WORTH, _LACKS
    ).where(
        _DEALS.tenant_id == _TENANT, _DEALS.pipeline_id == _PIPELINE, _DEALS.delete_time.is_(None),
        _DEALS.state == literal_column(str(Deal.STATE_OPEN), SmallInteger),
        _DEALS.follower_ids != literal_column("'{}'"),  # what the partial index holds
        _DEALS.follower_ids.contains(array([me], type_=Uuid)),
        not_(func.coalesce(reached(_DEALS), literal_column("false", Boolean))),
    )  # fmt: skip
    both = union_all(kept, followed).subquery("both").c
    keys = (both.stage_id, both.currency, both.probability)
    return Statement(select(*keys, *_totals(both)).group_by(*keys).having(func.sum(both["count"]) != 0))  # fmt: skip


_OF_ALL, _OF_SOME = _of_all(), _of_some()


async def open_groups(tx: Tx, pipeline_id: str) -> list[Group]:
    """What the open deals of the pipeline that the caller may read come to; from the sums that are kept."""
    owners = tx.rights.owners(deals.object, "read")
    if owners is None:
        return _groups(await tx.fetch(_OF_ALL, of_pipeline=pipeline_id))
    departments = tx.rights.departments(deals.object, "read") or ()
    rows = await tx.fetch(
        _OF_SOME, of_pipeline=pipeline_id, owners=list(owners), departments=list(departments), me=tx.rights.user_id or None
    )  # fmt: skip
    return _groups(rows)


async def found_groups(tx: Tx, query: listing.Query) -> list[Group]:
    """What the deals that a list finds for the caller come to; reckoned deal by deal."""
    keys = (_DEALS.stage_id, _DEALS.currency, _DEALS.probability)
    count = func.count().label("count")
    totals = (count, func.sum(_DEALS.amount).label("amount"), func.sum(_WORTH).label("base_amount"), func.sum(_LACKS).label("unconverted"))  # fmt: skip
    found, values = counting.matching_ids(deals, query.filter, tx.rights)
    statement = found.with_only_columns(*keys, *totals).group_by(*keys)
    return _groups(await tx.fetch(Statement(statement), **values))


def _groups(rows: Iterable[Mapping[str, Any]]) -> list[Group]:
    return [
        Group(
            str(row["stage_id"]), row["currency"], row["probability"], int(row["count"]),
            row["amount"], row["base_amount"], int(row["unconverted"]),
        )
        for row in rows
    ]  # fmt: skip
