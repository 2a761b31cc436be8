"""Which stages deals stand in, and the locks that keep a stage there while a deal comes into it.

Whoever puts a deal into a stage holds its pipeline's row shared until his commit; who removes stages or deletes the pipeline
holds it alone, and only then looks which stages are occupied. So no deal comes into a stage that is being removed.
"""

from collections.abc import Collection

from sqlalchemy import Uuid, bindparam, column, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals
from services.deals.store.pipelines import Pipeline, pipelines

_P, _D = pipelines.table.c, deals.view.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_THIS = (_P.tenant_id == _TENANT, _P.id == bindparam("of_pipeline", type_=Uuid))
_SHARED = Statement(
    select(_P.id, _P.version, _P.delete_time, _P.doc).where(*_THIS).with_for_update(read=True)
)
_ALONE = Statement(select(_P.version).where(*_THIS).with_for_update())
_asked = func.unnest(bindparam("ids", type_=ARRAY(Uuid))).table_valued(column("id", Uuid), name="asked").render_derived()  # fmt: skip
_STANDS = exists().where(
    _D.tenant_id == _TENANT, _D.pipeline_id == bindparam("of_pipeline", type_=Uuid),
    _D.stage_id == _asked.c.id, _D.delete_time.is_(None),
)  # fmt: skip
_OCCUPIED = Statement(select(_asked.c.id).where(_STANDS))
_OPEN = Statement(
    select(func.count()).where(
        _D.tenant_id == _TENANT, _D.pipeline_id == bindparam("of_pipeline", type_=Uuid),
        _D.state == bindparam("state_open"), _D.delete_time.is_(None),
    )
)  # fmt: skip


async def standing(tx: Tx, pipeline_id: str) -> Pipeline | None:
    """The living pipeline, for a deal that comes into one of its stages; the stages stay until the commit."""
    await tx.begin()
    row = await tx.fetchrow(_SHARED, of_pipeline=pipeline_id)
    if row is None or row["delete_time"] is not None:
        return None
    return pipelines.loaded(tx, row)


async def lock_pipeline(tx: Tx, pipeline_id: str) -> None:
    """No deal comes into any stage of the pipeline until the commit; who was about to has done so."""
    await tx.begin()
    await tx.fetchval(_ALONE, of_pipeline=pipeline_id)


async def occupied_stages(tx: Tx, pipeline_id: str, ids: Collection[str]) -> list[str]:
    """Those of the stages in which a deal stands that is not deleted, ended ones too."""
    if not ids:
        return []
    rows = await tx.fetch(_OCCUPIED, of_pipeline=pipeline_id, ids=list(ids))
    return [str(row["id"]) for row in rows]


async def count_open(tx: Tx, pipeline_id: str) -> int:
    """How many deals of the pipeline are open."""
    state = deal_pb2.Deal.STATE_OPEN
    return int(await tx.fetchval(_OPEN, of_pipeline=pipeline_id, state_open=state))
