"""How a deal goes through its pipeline."""

from chassis.handlers import Servicer, reads, writes
from chassis.kit.custom import role_ids
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2 as pb
from crm.deals.v1 import deal_verbs_pb2 as verbs
from crm.deals.v1 import events_pb2 as events
from services.deals import errors, guards, moving, people, saving, store
from services.deals.rules import moving as rules


class Moving(Servicer):
    """`:move`, `:assign` and `/journey`."""

    @writes
    async def MoveDeal(self, request: verbs.MoveDealRequest, tx: Tx) -> pb.Deal:
        deal = await store.deals.get(tx, request.id, etag=request.etag)
        rules.require_open(deal, "moved")
        await guards.wait_for_parties(tx, deal, request.contact_etag, request.company_etag)
        way = await moving.way_to(
            tx, deal, request.stage_id, request.pipeline_id, roles=role_ids(tx), reason=request.skip_reason
        )  # fmt: skip
        if way is None:
            return deal
        if lacking := await moving.missing(tx, deal, way):
            raise errors.FieldsMissing(way.there.name, lacking)
        return await moving.go(tx, deal, way, reason=request.skip_reason)

    @writes
    async def AssignDeal(self, request: verbs.AssignDealRequest, tx: Tx) -> pb.Deal:
        deal = await store.deals.get(tx, request.id, etag=request.etag)
        previous = deal.owner_id
        if request.owner_id == previous:
            return deal
        people.require_active(tx, request.owner_id)
        deal.owner_id, deal.department_id = request.owner_id, people.home_of(tx, request.owner_id)
        await saving.save(tx, deal)
        tx.emit(events.DealAssigned(deal=deal, previous_owner_id=previous))
        return deal

    @reads
    async def GetDealJourney(
        self, request: verbs.GetDealJourneyRequest, tx: Tx
    ) -> verbs.DealJourney:
        await store.deals.row(tx, request.id)
        answer = verbs.DealJourney()
        for row in await store.stays_of(tx, request.id):
            left = row["leave_time"]
            answer.stays.add(
                pipeline_id=str(row["pipeline_id"]), stage_id=str(row["stage_id"]),
                enter_time=to_timestamp(row["enter_time"]), leave_time=to_timestamp(left) if left else None,
                seconds=int(((left or tx.now) - row["enter_time"]).total_seconds()),
                user_id=str(row["user_id"] or ""), skip_reason=row["skip_reason"],
            )  # fmt: skip
        return answer
