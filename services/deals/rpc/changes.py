"""Changes of many deals: preview, run, stop, undo."""

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, writes
from chassis.kit.standard import refuse_unwritable, standard
from chassis.tx import Tx
from crm.deals.v1 import deal_change_pb2 as pb
from services.deals import changes, errors, people, store
from services.deals.rules import changes as rules
from services.deals.rules import pipelines as pipeline_rules

DealChange = pb.DealChange


async def check(tx: Tx, new: DealChange, old: DealChange | None) -> None:
    """A change says exactly which deals and what, its caller may write these fields, and it is planned at once."""
    new.id = new.id or tx.new_id()
    rules.check(new)
    refuse_unwritable(tx, store.deals, rules.fields(new))
    await tx.require("deal", rules.action(new), people.user_of(tx.actor))
    for at, id in enumerate(new.assign.owner_ids):
        people.require_active(tx, id, f"assign.owner_ids[{at}]")
    if new.HasField("move"):
        await _require_stage(tx, new.move)
    await changes.plan(tx, new)


async def _require_stage(tx: Tx, move: pb.MoveDeals) -> None:
    """ReferenceUnknown for a stage or pipeline that there is not; without a pipeline, whatever pipelines have it counts."""
    pipelines = await store.living_pipelines(tx)
    if move.pipeline_id:
        pipelines = [each for each in pipelines if each.id == move.pipeline_id]
        if not pipelines:
            raise errors.ReferenceUnknown([("move.pipeline_id", f"pipeline {move.pipeline_id}")])
    if all(pipeline_rules.stage_of(each, move.stage_id) is None for each in pipelines):
        raise errors.ReferenceUnknown([("move.stage_id", f"stage {move.stage_id} there")])


class DealChangesRpcs(standard(store.changes.changes, on_save=check), Servicer):  # type: ignore[misc]
    """`/v1/dealChanges`."""

    service = "crm.deals.v1.DealChangesService"

    @writes
    async def RunDealChange(
        self, request: pb.RunDealChangeRequest, tx: Tx
    ) -> operations_pb2.Operation:
        change = await _idle(tx, request.id, request.etag, "run")
        if change.state not in (
            DealChange.STATE_PREVIEWED, DealChange.STATE_STOPPED, DealChange.STATE_RUNNING,
        ):  # fmt: skip
            raise errors.DealChangeWrongState("run", _state(change), "make another one")
        change.state = DealChange.STATE_RUNNING
        return await _started(tx, change, changes.RUN, request)

    @writes
    async def UndoDealChange(
        self, request: pb.UndoDealChangeRequest, tx: Tx
    ) -> operations_pb2.Operation:
        change = await _idle(tx, request.id, request.etag, "undone")
        if change.state in (
            DealChange.STATE_PREVIEWED, DealChange.STATE_UNDONE, DealChange.STATE_CLOSED,
        ):  # fmt: skip
            hint = "only one that has changed deals within the last 30 days is undone"
            raise errors.DealChangeWrongState("undone", _state(change), hint)
        await changes.summarise(tx, change)
        change.state = DealChange.STATE_UNDOING
        return await _started(tx, change, changes.UNDO, request)

    @writes
    async def CancelDealChange(self, request: pb.CancelDealChangeRequest, tx: Tx) -> DealChange:
        change = await store.changes.changes.get(tx, request.id)
        if not await changes.is_under_way(tx, change):
            hint = "nothing is under way that could be stopped"
            raise errors.DealChangeWrongState("stopped", _state(change), hint)
        # The operation's row is held by its step: what is counted behind this is what stays.
        await tx.runtime.operations.cancel(tx, change.operation.rpartition("/")[2])
        forth = change.state == DealChange.STATE_RUNNING
        change.state = DealChange.STATE_STOPPED if forth else DealChange.STATE_DONE
        await changes.summarise(tx, change)
        store.changes.changes.save(tx, change)
        return change


async def _idle(tx: Tx, id: str, etag: str, verb: str) -> DealChange:
    """The change, if nothing works on it; who presses twice is told so."""
    change = await store.changes.changes.get(tx, id, etag=etag)
    if await changes.is_under_way(tx, change):
        raise errors.DealChangeWrongState(verb, _state(change), "wait for its end or cancel it")
    return change


async def _started(
    tx: Tx, change: DealChange, kind: str, request: object
) -> operations_pb2.Operation:
    started = await tx.start_operation(kind, request)  # type: ignore[arg-type]
    assert isinstance(started, operations_pb2.Operation)
    change.operation = started.name
    store.changes.changes.save(tx, change)
    return started


def _state(change: DealChange) -> str:
    return rules.state_name(change.state)
