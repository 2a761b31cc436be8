"""What open deals that are expected to close in a time are worth: sums by person, stage and how likely somebody says it is."""

from collections.abc import Collection
from datetime import date

from asyncpg import Record
from sqlalchemy import Date, Numeric, Select, Uuid, bindparam, case, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals

_d = deals.view.c
_owner, _pipeline = (bindparam(name, type_=Uuid) for name in ("of_owner", "of_pipeline"))
_departments = bindparam("of_departments", type_=ARRAY(Uuid))
_CONDITIONS = (
    _d.delete_time.is_(None),
    _d.state == deal_pb2.Deal.STATE_OPEN,
    _d.expected_key.between(bindparam("first", type_=Date), bindparam("last", type_=Date)),
    _owner.is_(None) | (_d.owner_id == _owner),
    _pipeline.is_(None) | (_d.pipeline_id == _pipeline),
    _departments.is_(None) | (_d.department_id == _departments.any_()),  # type: ignore[attr-defined]
)
_totals = cast(_d.json, JSONB)["totals"]
_COST_SHARE = func.coalesce(
    cast(_totals["cost"].astext, Numeric) / func.nullif(cast(_totals["net"].astext, Numeric), 0), 0
)
"""How much of what a deal brings it costs; what has no lines costs nothing that is known."""


def _by_place(worth: object) -> Statement:
    base: Select[tuple[object, ...]] = select(
        _d.owner_id, _d.pipeline_id, _d.stage_id, _d.probability, _d.currency,
        func.count().label("count"),
        func.coalesce(func.sum(worth), 0).label("worth"),
        func.sum(case((_d.base_amount.is_(None), _d.amount), else_=0)).label("unconverted"),
    )  # fmt: skip
    return Statement(
        base.where(*_CONDITIONS).group_by(
            _d.owner_id, _d.pipeline_id, _d.stage_id, _d.probability, _d.currency
        )
    )


_BY_VALUE = _by_place(_d.base_amount)
_BY_MARGIN = _by_place(_d.base_amount * (1 - _COST_SHARE))


async def expected(
    tx: Tx,
    *,
    first: date,
    last: date,
    owner_id: str = "",
    departments: Collection[str] | None = None,
    pipeline_id: str = "",
    margin: bool = False,
) -> list[Record]:
    """Sums of open deals by person, stage, said probability and currency; `unconverted` is what no rate was known for."""
    return await tx.fetch(
        _BY_MARGIN if margin else _BY_VALUE, first=first, last=last, of_owner=reference(owner_id),
        of_pipeline=reference(pipeline_id), of_departments=None if departments is None else list(departments),
    )  # fmt: skip
