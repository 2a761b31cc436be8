"""`POST /v1/deals:open`: the deal of a request; the gateway's `/v1/requests/{id}:openDeal` also links it there."""

from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2 as pb
from crm.deals.v1 import deal_verbs_pb2 as verbs
from services.deals import errors, opening, store


class Opening(Servicer):
    """`:open`."""

    @writes
    async def OpenDeal(self, request: verbs.OpenDealRequest, tx: Tx) -> pb.Deal:
        seed = await store.seed_of(tx, request.from_request_id)
        if seed is None or not _readable(tx, seed):
            raise errors.ReferenceUnknown(
                [("from_request_id", f"request {request.from_request_id} that is known here")]
            )
        return await opening.open_deal(
            tx, seed, request.pipeline_id, title=request.title, amount=request.amount
        )


def _readable(tx: Tx, seed: pb.Deal) -> bool:
    """Whether the caller may read the request that the deal begins with."""
    owner, department, followers = seed.owner_id, seed.department_id, list(seed.follower_ids)
    return tx.rights.reaches("request", "read", owner, department, followers)
