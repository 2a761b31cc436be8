"""What a change of many deals would do with each of them, by the rights and guards of the moment, and by which event it is told."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from chassis.kit import bulk
from chassis.rights import Rights
from chassis.tx import Tx
from crm.deals.v1 import deal_change_pb2, deal_pb2
from crm.deals.v1 import events_pb2 as events
from services.deals import errors, guards, people, store
from services.deals.rules import changes as rules
from services.deals.rules import moving as moving_rules
from services.deals.rules import pipelines as pipeline_rules
from services.deals.rules.pipelines import Pipeline, Stage
from services.deals.store.changes import PLANNED, REFUSED, UNCHANGED

Deal = deal_pb2.Deal
DealChange = deal_change_pb2.DealChange
Item = deal_change_pb2.DealChangeItem


class Judge:
    """What a change does to deals, and why it leaves some, by these rights; what the deals of a step share is read once."""

    def __init__(self, tx: Tx, change: DealChange, rights: Rights, *, writes: bool) -> None:
        self._tx, self._change, self._rights, self._writes = tx, change, rights, writes
        user = tx.directory.user(rights.user_id) if rights.user_id else None
        self._roles = frozenset((user or {}).get("role_ids", ()))
        self._pipelines: dict[str, Pipeline | None] = {}
        self._known: dict[str, frozenset[str]] = {}

    async def look(self, rows: Iterable[Any]) -> None:
        """Reads at once what the guards will ask about these deals' contacts and companies."""
        if not self._change.HasField("move"):
            return
        deals = [Deal.FromString(row["doc"]) for row in rows]
        ids = {id for deal in deals for id in (deal.contact_id, deal.company_id) if id}
        self._known = await store.filled_of(self._tx, list(ids))

    async def judged(self, item: Item, row: Any, owner_id: str) -> tuple[int, bulk.Write | None]:
        """(state, what would be written), with what changes or why not noted in the item."""
        if row is None:
            item.reason = Item.REASON_NOT_FOUND
            return REFUSED, None
        change = self._change
        new = Deal.FromString(row["doc"])
        before = rules.placement(new, change)
        try:
            rules.demand_open(new)
            scope = store.deals.scope_of_message(new)
            if not self._rights.reaches("deal", rules.action(change), *scope):
                raise rules.Left(Item.REASON_NOT_ALLOWED)
            fact = await self._apply(new, owner_id)
        except rules.Left as left:
            item.reason = left.reason
            item.missing[:] = left.missing
            return REFUSED, None
        if rules.placement(new, change) == before:
            return UNCHANGED, None
        if not change.HasField("move"):
            moving_rules.act(new, await self._stage_of(new) or Stage(), self._tx.now)
        item.before.CopyFrom(before)
        item.after.CopyFrom(rules.placement(new, change))
        return PLANNED, bulk.Write(new, row["doc"], fact=fact)

    async def _apply(self, deal: Deal, owner_id: str) -> Message | None:
        """Changes the deal; what tells of it, if that has a name of its own."""
        change, tx = self._change, self._tx
        if change.HasField("move"):
            return await self._move(deal)
        if change.HasField("label"):
            rules.label(deal, change.label)
            return None
        if not people.is_active(tx, owner_id):
            raise rules.Left(Item.REASON_NOT_ACTIVE)
        told = events.DealAssigned(previous_owner_id=deal.owner_id)
        rules.assign(deal, owner_id, people.home_of(tx, owner_id))
        return told

    async def _move(self, deal: Deal) -> Message | None:
        """As :move does; the change's refusals become reasons."""
        wanted, now = self._change.move, self._tx.now
        pipeline = await self._pipeline(wanted.pipeline_id or deal.pipeline_id)
        there = pipeline_rules.stage_of(pipeline, wanted.stage_id) if pipeline else None
        if pipeline is None or there is None:
            raise rules.Left(Item.REASON_OTHER_PIPELINE)
        if there.id == deal.stage_id:
            return None
        before = rules.placement(deal, self._change)
        standing, reason = await self._pipeline(deal.pipeline_id), wanted.skip_reason
        try:
            way = moving_rules.way(deal, standing, pipeline, there, roles=self._roles, reason=reason)  # fmt: skip
        except errors.MoveNotAllowed:
            raise rules.Left(Item.REASON_NO_WAY) from None
        except errors.SkipReasonMissing:
            raise rules.Left(Item.REASON_SKIP_REASON_MISSING) from None
        filled = guards.filled_by(self._tx, deal, self._known)
        lacking = moving_rules.missing(deal, way.here, there, filled, forward=way.forward)
        if lacking:
            raise rules.Left(Item.REASON_FIELDS_MISSING, [each.field for each in lacking])
        moving_rules.enter(deal, pipeline, there, now)
        return moving_rules.moved(deal, before, now, passed=way.passed, reason=reason)

    async def put_back(self, item: Item, row: Any) -> bulk.Write:
        """Makes the deal as it was before the change; Left if it stays as it is."""
        if row is None:
            raise rules.Left(Item.REASON_NOT_FOUND)
        deal, change = Deal.FromString(row["doc"]), self._change
        since = rules.placement(deal, change)
        rules.put_back(deal, item, change)
        if change.HasField("label"):
            return bulk.Write(deal, row["doc"])
        if change.HasField("assign"):
            if deal.owner_id and not people.is_active(self._tx, deal.owner_id):
                raise rules.Left(Item.REASON_NOT_ACTIVE)
            given = events.DealAssigned(previous_owner_id=since.owner_id)
            return bulk.Write(deal, row["doc"], fact=given)
        stage = await self._stage_of(deal)
        if stage is None:
            raise rules.Left(Item.REASON_OTHER_PIPELINE)
        if deal.activity_time != item.before.activity_time:  # something happened since the move
            moving_rules.show_idle(deal, stage)
        moved = moving_rules.moved(deal, since, self._tx.now)
        return bulk.Write(deal, row["doc"], fact=moved)

    async def _stage_of(self, deal: Deal) -> Stage | None:
        pipeline = await self._pipeline(deal.pipeline_id)
        return pipeline_rules.stage_of(pipeline, deal.stage_id) if pipeline else None

    async def _pipeline(self, id: str) -> Pipeline | None:
        """The living pipeline; in a step that writes, with its stages until the commit."""
        if id not in self._pipelines:
            tx = self._tx
            self._pipelines[id] = await (store.standing if self._writes else store.pipelines.find)(tx, id)  # fmt: skip
        return self._pipelines[id]
