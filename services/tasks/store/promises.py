"""What deals told last of their promises, and the task that was made for each: a plain row per deal that has or had one."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Column, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.tasks.store.schema import metadata

_watches = Table(
    "task_promises",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner_id", Uuid),
    Column("promise_time", Moment),
    Column("task_id", Uuid),
    Column("task_time", Moment),
)

_W = _watches.c
_MINE = _W.deal_id == bindparam("of_deal", type_=Uuid)
_OF_DEAL = Statement(select(*(c for c in _W if c.name != "tenant_id")).where(_MINE))
_put = upsert(_watches).values({c.name: bindparam(c.name, type_=c.type) for c in _W})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "deal_id"],
        set_={c.name: _put.excluded[c.name] for c in _W if not c.primary_key},
    )
)


@dataclass(slots=True)
class Watch:
    """The promise of a deal."""

    deal_id: str
    version: int = 0
    """Of the deal, as it was told last."""
    owner_id: str = ""
    promise_time: datetime | None = None
    """By when, while it can still be kept."""
    task_id: str = ""
    task_time: datetime | None = None
    """For which promise the task was made; None if it was cancelled with the promise."""


async def watch_of(tx: Tx, deal_id: str) -> Watch:
    """What is known of the deal's promise; an empty one where nothing is."""
    row = await tx.fetchrow(_OF_DEAL, of_deal=deal_id)
    if row is None:
        return Watch(deal_id)
    return Watch(
        deal_id, row["version"], str(row["owner_id"] or ""), row["promise_time"], str(row["task_id"] or ""), row["task_time"]
    )  # fmt: skip


async def keep(tx: Tx, watch: Watch) -> None:
    """Writes what is known by now."""
    values = asdict(watch)
    await tx.execute(_PUT, **{k: reference(v) if k.endswith("_id") else v for k, v in values.items()})  # fmt: skip
