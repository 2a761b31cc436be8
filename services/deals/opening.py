"""Deals that requests lead to: one for each request and pipeline, however often it is asked for."""

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import checking, people, saving, store
from services.deals.store.deals import readers

Deal = deal_pb2.Deal

_UNTITLED = "Request"


async def open_deal(
    tx: Tx, seed: Deal, pipeline_id: str, *, title: str = "", amount: str = "", effect_key: str = ""
) -> Deal:
    """The request's deal in this pipeline; made if there is none yet, if whoever asks may make and read such a deal."""
    [request_id] = seed.request_ids
    pipeline_id = await checking.opening_pipeline(tx, pipeline_id)
    await tx.lock(f"open-deal {request_id} {pipeline_id}")
    known = await store.deal_of_request(tx, request_id, pipeline_id)
    if known is not None:
        await tx.require("deal", "read", known.owner_id, known.department_id, readers(known))
        return known
    made = Deal()
    made.CopyFrom(seed)
    made.pipeline_id, made.amount, made.effect_key = pipeline_id, amount, effect_key
    made.title = title or seed.title or _UNTITLED
    if made.owner_id and not people.is_active(tx, made.owner_id):
        made.owner_id = ""
    await checking.check(tx, made, None)
    await tx.require("deal", "create", *store.deals.scope_of_message(made))
    return await saving.save(tx, made)
