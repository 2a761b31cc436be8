"""Ladders, what they told, and the settings of tasks."""

from chassis import codec
from chassis.handlers import Servicer, reads, writes
from chassis.kit import late, showing
from chassis.kit.standard import checked_mask, refuse_unwritable, standard
from chassis.tx import Tx
from crm.tasks.v1 import deadline_events_pb2 as events
from crm.tasks.v1 import ladder_pb2 as pb
from crm.tasks.v1 import task_settings_pb2
from services.tasks import errors, people, store
from services.tasks.rules import ladders as rules
from services.tasks.rules import settings as settings_rules

TaskSettings = task_settings_pb2.TaskSettings


async def check_ladder(tx: Tx, new: pb.Ladder, old: pb.Ladder | None) -> None:
    """Keeps I20: a ladder's steps come in order and tell somebody, and its conditions name what exists."""
    rules.normalise(new)
    before = {step.user_id for step in old.steps} if old is not None else set()
    named = {step.user_id for step in new.steps if step.user_id}
    # Whom it named before may have left since; that does not block other changes, and his stand-in is told.
    rules.check(new, {id for id in named if id in before or people.is_active(tx, id)})
    added = [id for id in new.type_ids if old is None or id not in old.type_ids]
    known = {each.id for each in await store.task_types.find_many(tx, added)}
    missing = [("type_ids", f"task type {id}") for id in added if id not in known]
    for id in new.department_ids:
        if (old is None or id not in old.department_ids) and tx.directory.department(id) is None:
            missing.append(("department_ids", f"department {id}"))
    if missing:
        raise errors.ReferenceUnknown(missing)


class Ladders(standard(store.ladders, on_save=check_ladder), Servicer):  # type: ignore[misc]
    """`/v1/ladders`, and `/v1/tasks/{id}/ladder`."""

    @reads
    async def GetTaskLadder(self, request: pb.GetTaskLadderRequest, tx: Tx) -> pb.TaskLadder:
        task = await store.tasks.get(tx, request.id)
        return pb.TaskLadder(task_id=task.id, runs=await store.runs_of(tx, task.id))


class Settings(Servicer):
    """`/v1/taskSettings`: one record per company, there once somebody has changed it."""

    @reads
    async def GetTaskSettings(
        self, request: task_settings_pb2.GetTaskSettingsRequest, tx: Tx
    ) -> TaskSettings:
        fields = showing.checked_fields(tx, store.settings, request.fields.paths)
        return showing.limited(tx, store.settings, await store.settings_of(tx), fields)

    @writes
    async def UpdateTaskSettings(
        self, request: task_settings_pb2.UpdateTaskSettingsRequest, tx: Tx
    ) -> TaskSettings:
        sent = request.task_settings
        mask = checked_mask(store.settings, request.update_mask.paths)
        refuse_unwritable(tx, store.settings, mask)
        await tx.lock("task-settings")  # two first changes at once would both make the record
        old = await store.settings_of(tx)
        if request.etag and request.etag != old.etag:
            await late.check(tx, store.settings, old, sent, mask, request.etag)
        new = TaskSettings()
        new.CopyFrom(old)
        codec.merge(new, sent, mask)
        settings_rules.check(new)
        await _refer(tx, new, old)
        store.settings.save(tx, new)
        tx.emit(events.TaskSettingsUpdated(task_settings=new))
        return new


async def _refer(tx: Tx, new: TaskSettings, old: TaskSettings) -> None:
    missing = []
    for field, resource in (
        ("request_task_type_id", store.task_types),
        ("promise_task_type_id", store.task_types),
        ("default_ladder_id", store.ladders),
    ):
        id = getattr(new, field)
        if id and id != getattr(old, field) and await resource.find(tx, id) is None:
            missing.append((field, f"{resource.object} {id}"))
    if missing:
        raise errors.ReferenceUnknown(missing)


class LaddersRpcs(Ladders, Settings):
    """Every RPC of the contract."""

    service = "crm.tasks.v1.LaddersService"
