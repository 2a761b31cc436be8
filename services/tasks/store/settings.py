"""The settings of tasks: one record per company, which is there once somebody has changed it."""

from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.tasks.v1 import task_settings_pb2
from services.tasks.store.schema import metadata

TaskSettings = task_settings_pb2.TaskSettings

FIRST_REACTION_MINUTES = 15
FIRST_COLD_DAYS = 30
FIRST_CALL_BACK_MINUTES = 5

settings = Resource(TaskSettings, metadata, table="task_settings")


async def settings_of(tx: Tx) -> task_settings_pb2.TaskSettings:
    """The company's settings; those that every company begins with where nobody has changed them."""
    assert tx.tenant is not None
    found = await settings.find(tx, tx.tenant) or TaskSettings(
        id=tx.tenant, request_task=True, reaction_minutes=FIRST_REACTION_MINUTES, going_cold_days=FIRST_COLD_DAYS
    )  # fmt: skip
    if not found.HasField("promise_task"):
        found.promise_task = True
    if not found.HasField("call_back_task"):
        found.call_back_task = True
    found.call_back_minutes = found.call_back_minutes or FIRST_CALL_BACK_MINUTES
    return found
