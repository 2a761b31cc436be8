"""What the other services tell of a deal's tasks and its customer: the next step, what was done, and the last touch."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from crm.tasks.v1 import events_pb2 as task_events
from crm.tasks.v1 import task_pb2, task_type_pb2
from services.deals import life, saving, store
from services.deals.rules import moving, touches
from services.deals.rules import pipelines as pipeline_rules

Task = task_pb2.Task
TaskType = task_type_pb2.TaskType
Deal = deal_pb2.Deal


@on(*contracts.carrying("task", "task_type"), *contracts.known(touches.WAYS), durable="deals-life")
async def follow(event: Any, tx: Tx) -> None:
    """By version, and touches by their time: what comes late or twice changes nothing."""
    object, _ = contracts.carried(event)
    if object == "task":
        await _task(event, tx)
    elif object == "task_type":
        type: TaskType = event.task_type
        await store.life.put_task_type(tx, type.id, event.change.version, type.key)
    elif not event.change.republished and event.change.cause.kind != "import":
        await _touch(event, tx)


async def _task(event: Any, tx: Tx) -> None:
    task: Task = event.task
    is_open = task.state == Task.STATE_OPEN and not task.HasField("delete_time")
    concerned = await store.life.put_task(
        tx, task.id, event.change.version, deal_id=task.link.deal_id, is_open=is_open,
        due_time=to_datetime(task.due_time) if task.HasField("due_time") else None,
    )  # fmt: skip
    done = isinstance(event, task_events.TaskDone) and not event.change.republished
    if done and task.link.deal_id and event.change.cause.kind != "import":
        key = await store.life.task_type_key(tx, task.type_id)
        await store.life.put_touch(
            tx, task.link.deal_id, _told(event, touches.way_of_task(key), tx)
        )
        await _do_steps(tx, task.link.deal_id, key)
    for deal_id in sorted(concerned):
        await life.refresh(tx, deal_id)


async def _do_steps(tx: Tx, deal_id: str, type_key: str) -> None:
    """The steps of the deal's stage that tasks of this type do are done (S33)."""
    deal = await store.deals.find(tx, deal_id) if type_key else None
    if deal is None or deal.state != Deal.STATE_OPEN:
        return
    pipeline = await store.pipelines.find(tx, deal.pipeline_id)
    stage = pipeline_rules.stage_of(pipeline, deal.stage_id) if pipeline is not None else None
    if stage is not None and moving.do_steps(deal, stage, type_key):
        await saving.save(tx, deal)
        await tx.flush()


async def _touch(event: Any, tx: Tx) -> None:
    """Touches the deal that the event names, else every open deal of the customers that it names."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    object, carried = contracts.carried(event)
    named = getattr(carried, "deal_id", "") or getattr(event, "deal_id", "")
    if named:
        ids = [named]
    else:
        requests = [carried.id] if object == "request" else []
        paths = (*option.contact_ids, *option.company_ids)
        ids = await store.life.open_deals_of(tx, _at(event, paths), requests)
    told = _told(event, touches.WAYS[event.DESCRIPTOR.full_name], tx)
    for id in ids:
        await life.touch(tx, id, told)


def _at(event: Any, paths: Any) -> list[str]:
    """The ids at these paths."""
    found: set[str] = set()
    for path in paths:
        value: Any = contracts.at_path(event, path)
        found.update([value] if isinstance(value, str) else value or ())
    return sorted(found - {""})


def _told(event: Any, way: str, tx: Tx) -> store.life.Touch:
    assert tx.event is not None
    at = to_datetime(event.change.time) if event.change.HasField("time") else tx.event.time
    by = event.change.actor.user_id or (
        event.change.actor.id if event.change.actor.kind == "user" else ""
    )
    return store.life.Touch(way, at, by, tx.event.id)
