"""What a change of many deals would do with each of them, by the rights and guards of the moment."""

from collections.abc import Iterable
from typing import Any

from chassis.rights import Rights
from chassis.tx import Tx
from crm.deals.v1 import deal_change_pb2, deal_pb2
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

    async def judged(self, item: Item, row: Any, owner_id: str) -> tuple[int, Deal | None]:
        """(state, the deal as it would be), with what changes or why not noted in the item."""
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
            await self._apply(new, owner_id)
        except rules.Left as left:
            item.reason = left.reason
            item.missing[:] = left.missing
            return REFUSED, None
        after = rules.placement(new, change)
        if before == after:
            return UNCHANGED, None
        item.before.CopyFrom(before)
        item.after.CopyFrom(after)
        return PLANNED, new

    async def _apply(self, deal: Deal, owner_id: str) -> None:
        change, tx = self._change, self._tx
        if change.HasField("move"):
            await self._move(deal)
        elif change.HasField("assign"):
            if not people.is_active(tx, owner_id):
                raise rules.Left(Item.REASON_NOT_ACTIVE)
            rules.assign(deal, owner_id, people.home_of(tx, owner_id))
        else:
            rules.label(deal, change.label)

    async def _move(self, deal: Deal) -> None:
        """As :move does; the change's refusals become reasons."""
        wanted = self._change.move
        pipeline = await self._pipeline(wanted.pipeline_id or deal.pipeline_id)
        there = pipeline_rules.stage_of(pipeline, wanted.stage_id) if pipeline else None
        if pipeline is None or there is None:
            raise rules.Left(Item.REASON_OTHER_PIPELINE)
        if there.id == deal.stage_id:
            return
        before = await self._pipeline(deal.pipeline_id)
        here = pipeline_rules.stage_of(before, deal.stage_id) if before else None
        try:
            forward = self._open_way(deal, pipeline, here or Stage(), there)
        except errors.MoveNotAllowed:
            raise rules.Left(Item.REASON_NO_WAY) from None
        except errors.SkipReasonMissing:
            raise rules.Left(Item.REASON_SKIP_REASON_MISSING) from None
        filled = guards.filled_by(self._tx, deal, self._known)
        lacking = moving_rules.missing(deal, here or Stage(), there, filled, forward=forward)
        if lacking:
            raise rules.Left(Item.REASON_FIELDS_MISSING, [each.field for each in lacking])
        moving_rules.enter(deal, pipeline, there, self._tx.now)

    def _open_way(self, deal: Deal, pipeline: Pipeline, here: Stage, there: Stage) -> bool:
        """Whether it goes forward; refuses a way that is closed."""
        moving_rules.check_entry(there, self._roles)
        if pipeline.id != deal.pipeline_id:
            moving_rules.check_offered(pipeline)
            return bool(here.id) and not here.retired
        moving_rules.check_way(pipeline, here, there, reason=self._change.move.skip_reason)
        return moving_rules.is_forward(pipeline, here.id, there.id)

    async def put_back(self, item: Item, row: Any) -> Deal:
        """The deal as it was before the change; Left if it stays as it is."""
        if row is None:
            raise rules.Left(Item.REASON_NOT_FOUND)
        deal, change = Deal.FromString(row["doc"]), self._change
        rules.put_back(deal, item, change)
        if change.HasField("assign") and deal.owner_id and not people.is_active(self._tx, deal.owner_id):  # fmt: skip
            raise rules.Left(Item.REASON_NOT_ACTIVE)
        if change.HasField("move"):
            pipeline = await self._pipeline(deal.pipeline_id)
            stage = pipeline_rules.stage_of(pipeline, deal.stage_id) if pipeline else None
            if stage is None:
                raise rules.Left(Item.REASON_OTHER_PIPELINE)
            if deal.activity_time != item.before.activity_time:  # something happened since the move
                moving_rules.show_idle(deal, stage)
        return deal

    async def _pipeline(self, id: str) -> Pipeline | None:
        """The living pipeline; in a step that writes, with its stages until the commit."""
        if id not in self._pipelines:
            tx = self._tx
            self._pipelines[id] = await (store.standing if self._writes else store.pipelines.find)(tx, id)  # fmt: skip
        return self._pipelines[id]
