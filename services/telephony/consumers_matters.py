"""Which deals and tasks customers have open: what deals and tasks tell, kept to guess what a call is about."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from crm.tasks.v1 import task_pb2
from services.telephony import store

_STATES = {
    "deal": {deal_pb2.Deal.STATE_OPEN: "open", deal_pb2.Deal.STATE_WON: "won"},
    "task": {task_pb2.Task.STATE_OPEN: "open"},
}


@on(*contracts.carrying(*_STATES), durable="telephony-matters")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    kind, record = contracts.carried(event)
    state = "" if record.HasField("delete_time") else _STATES[kind].get(record.state, "")
    await store.matters.put(
        tx, kind, record.id, event.change.version, state=state, contact_id=record.contact_id,
        company_id=record.company_id,
    )  # fmt: skip
