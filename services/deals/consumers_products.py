"""The taxes with which a company begins, and what tasks measure for its deals."""

from decimal import Decimal, InvalidOperation

from chassis.handlers import on
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from crm.tasks.v1 import events_pb2 as task_events
from crm.tasks.v1 import task_pb2
from services.deals import store
from services.deals.rules import products as rules


@on(identity_events.TenantCreated, durable="deals-first-taxes")
async def seed_taxes(event: identity_events.TenantCreated, tx: Tx) -> None:
    """A new tenant begins with the taxes of its country; what somebody was quicker to make stays his."""
    for made in rules.first_tax_classes(event.tenant.country):
        if await store.tax_class_with_key(tx, made.key) is None:
            store.tax_classes.save(tx, made)


@on(task_events.TaskDone, durable="deals-measurements")
async def measure(event: task_events.TaskDone, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    task = event.task
    numbers = _numbers(task)
    if task.link.deal_id and numbers:
        await store.put_measurements(tx, task.id, event.change.version, task.link.deal_id, numbers)


def _numbers(task: task_pb2.Task) -> dict[str, str]:
    """The numbers of the result; texts and files stay where they are."""
    found = {}
    for key, value in task.result.items():
        text = str(value.number_value) if value.HasField("number_value") else value.string_value
        try:
            number = Decimal(text)
        except InvalidOperation:
            continue
        if number.is_finite():
            found[key] = f"{number.normalize():f}"
    return found
