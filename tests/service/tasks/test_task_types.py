"""Task types, and those that a tenant begins with."""

from datetime import UTC, datetime

import orjson
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from crm.common.v1 import common_pb2 as common
from crm.tasks.v1 import task_type_pb2 as pb
from tests.service.tasks.world import Refused, ResultField, TaskType, World


async def keys(world: World, **request: object) -> list[str]:
    listed = await world.admin.ListTaskTypes(pb.ListTaskTypesRequest(**request))  # type: ignore[arg-type]
    return [type.key for type in listed.task_types]


async def test_a_type_with_its_schema(world: World) -> None:
    field = ResultField(
        key="width_mm",
        label="Width",
        type=common.CUSTOM_FIELD_TYPE_NUMBER,
        required=True,
        unit="mm",
    )
    type = await world.type(name=" Take  measures ", result_fields=[field])
    assert (type.name, list(type.result_fields)) == ("Take measures", [field])
    (event,) = await world.events("TaskTypeCreated")
    assert event["taskType"]["key"] == "measure"


async def test_a_key_is_taken_once_and_stays(world: World) -> None:
    type = await world.type()
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await world.type()
    async with Refused(world, errors.InvalidArgument, "KEY_FIXED", "key"):
        await world.admin.UpdateTaskType(
            pb.UpdateTaskTypeRequest(
                task_type=TaskType(id=type.id, key="other"), update_mask=FieldMask(paths=["key"])
            )
        )
    await world.admin.DeleteTaskType(pb.DeleteTaskTypeRequest(id=type.id))
    await world.type()  # free again
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await world.admin.UndeleteTaskType(pb.UndeleteTaskTypeRequest(id=type.id))


async def test_a_schema_that_nobody_could_fill_in_is_refused(world: World) -> None:
    twice = ResultField(key="a", label="A", type=common.CUSTOM_FIELD_TYPE_TEXT)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "result_fields"):
        await world.type(result_fields=[twice, twice])


async def test_lists_of_types(world: World) -> None:
    await world.type(key="b", name="Visit", kind=TaskType.KIND_VISIT, position=2)
    await world.type(key="a", name="Call", kind=TaskType.KIND_CALL, position=1)
    assert await keys(world) == ["a", "b"]
    assert await keys(world, filter="kind = VISIT") == ["b"]
    assert await keys(world, order_by="name desc") == ["b", "a"]
    assert await keys(world, q="visi") == ["b"]


async def test_a_new_tenant_begins_with_five_types_and_one_of_its_own_stays(world: World) -> None:
    await world.type(key="call", name="Ring")
    event_id = uuid7()
    await publish(world, event_id)

    async def seeded() -> bool:
        return await world.count("task_types") == 5

    await eventually(seeded, "five types")
    await publish(world, event_id)  # delivered again
    await publish(world, uuid7())  # told again
    await world.type(key="later", position=9)
    assert await keys(world) == [
        "call", "catalogue", "visit", "meeting_preparation", "other", "later",
    ]  # fmt: skip
    assert len(await world.events("TaskTypeCreated", 6)) == 6


async def publish(world: World, event_id: str) -> None:
    """TenantCreated as identity's relay would publish it."""
    headers = {
        "ce-id": event_id, "ce-type": "crm.identity.v1.TenantCreated", "ce-source": "/identity", "ce-specversion": "1.0",
        "ce-time": datetime.now(UTC).isoformat(), "ce-subject": world.tenant.id, "content-type": "application/json",
        "Nats-Msg-Id": uuid7(),
    }  # fmt: skip
    body = orjson.dumps({"tenant": {"id": world.tenant.id, "name": "T"}})
    js = world.running.process.nats.js
    await js.publish(f"crm.{world.tenant.id}.identity.TenantCreated", body, headers=headers)
