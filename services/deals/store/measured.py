"""What done tasks measured for deals: the numbers of their results, as tasks told them."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db.statement import Statement
from chassis.tx import Tx
from services.deals.store.schema import metadata

measurements = Table(
    "measurements",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("numbers", Text, nullable=False),
    Index("ix_measurements_deal", "tenant_id", "deal_id"),
)

_NAMES = ("tenant_id", "task_id", "deal_id", "version", "numbers")
_NEW = insert(measurements).values({name: bindparam(name) for name in _NAMES})
_PUT = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["tenant_id", "task_id"],
        set_={name: _NEW.excluded[name] for name in ("deal_id", "version", "numbers")},
        where=measurements.c.version < _NEW.excluded.version,
    )
)
_OF_TASKS = Statement(
    select(measurements.c.task_id, measurements.c.deal_id, measurements.c.numbers).where(
        measurements.c.tenant_id == bindparam("tenant_id", type_=Uuid),
        measurements.c.task_id == bindparam("task_ids", type_=ARRAY(Uuid)).any_(),  # type: ignore[attr-defined]
    )
)


async def put_measurements(
    tx: Tx, task_id: str, version: int, deal_id: str, numbers: Mapping[str, str]
) -> None:
    """Takes over the numbers of a done task; what comes late or twice changes nothing."""
    await tx.execute(
        _PUT, task_id=task_id, deal_id=deal_id, version=version, numbers=orjson.dumps(dict(numbers)).decode()
    )  # fmt: skip


async def measurements_of(
    tx: Tx, deal_id: str, task_ids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """The numbers of those tasks that are done for this deal, by task."""
    rows = await tx.fetch(_OF_TASKS, task_ids=list(task_ids)) if task_ids else []
    return {
        str(row["task_id"]): orjson.loads(row["numbers"])
        for row in rows
        if str(row["deal_id"]) == deal_id
    }
