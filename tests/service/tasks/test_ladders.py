"""Ladders and the settings of tasks: what is kept, what is refused, and who may change them."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from crm.tasks.v1 import ladder_pb2, task_settings_pb2
from crm.tasks.v1.ladder_pb2 import Ladder, LadderStep
from crm.tasks.v1.task_settings_pb2 import TaskSettings
from tests.service.tasks.ladders import ladder, steps, stub
from tests.service.tasks.world import Refused, World

OWNER, HEAD = LadderStep.WHOM_OWNER, LadderStep.WHOM_HEAD


async def change(world: World, **given: Any) -> TaskSettings:
    request = task_settings_pb2.UpdateTaskSettingsRequest(
        task_settings=TaskSettings(**given), update_mask=FieldMask(paths=list(given))
    )
    return await stub(world).UpdateTaskSettings(request)


async def settings(world: World) -> TaskSettings:
    return await stub(world).GetTaskSettings(task_settings_pb2.GetTaskSettingsRequest())


async def test_a_ladder_is_kept_with_what_its_steps_leave_open(world: World) -> None:
    type = await world.type()
    department = await world.tenant.department()

    made = await ladder(
        world,
        (10, OWNER),
        (20, HEAD),
        name="  For  forms ",
        type_ids=[type.id] * 2,
        department_ids=[department],
    )

    assert (made.name, list(made.type_ids)) == ("For forms", [type.id])
    assert [s.kind for s in made.steps] == [LadderStep.KIND_REMINDER, LadderStep.KIND_ESCALATION]
    assert {tuple(s.ways) for s in made.steps} == {(LadderStep.WAY_FEED, LadderStep.WAY_PUSH)}
    kept = await stub(world).GetLadder(ladder_pb2.GetLadderRequest(id=made.id))
    assert kept.steps == made.steps
    listed = await stub(world).ListLadders(
        ladder_pb2.ListLaddersRequest(filter="clock = UNSPECIFIED AND retired = false")
    )
    assert [each.id for each in listed.ladders] == [made.id]
    (event,) = await world.events("LadderCreated")
    assert event["ladder"]["name"] == "For forms"


@pytest.mark.parametrize(
    ("given", "reason", "field"),
    [
        (steps((20, OWNER), (15, HEAD)), "LADDER_INVALID", "steps[1].after_minutes"),
        (steps(*[(at, OWNER) for at in range(21)]), "INVALID_FIELDS", "ladder.steps"),
        (steps((40321, OWNER)), "INVALID_FIELDS", "ladder.steps[0].after_minutes"),
        (
            [LadderStep(whom=LadderStep.WHOM_USER, user_id=uuid7())],
            "LADDER_INVALID",
            "steps[0].user_id",
        ),
        ([], "INVALID_FIELDS", "ladder.steps"),
    ],
    ids=["a step before the one above", "21 steps", "too far away", "an unknown user", "no steps"],
)
async def test_a_ladder_that_cannot_be_is_refused(
    world: World, given: list[LadderStep], reason: str, field: str
) -> None:
    async with Refused(world, errors.InvalidArgument, reason, field):
        made = Ladder(name="L", steps=given)
        await stub(world).CreateLadder(ladder_pb2.CreateLadderRequest(ladder=made))


async def test_a_ladder_that_names_what_does_not_exist_is_refused(world: World) -> None:
    async with Refused(
        world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "type_ids", "department_ids"
    ):
        await ladder(world, (1, OWNER), type_ids=[uuid7()], department_ids=[uuid7()])


async def test_a_change_is_checked_as_a_whole(world: World) -> None:
    made = await ladder(world, (10, OWNER), (20, HEAD))
    request = ladder_pb2.UpdateLadderRequest(
        ladder=Ladder(id=made.id, steps=steps((30, OWNER), (20, HEAD))),
        update_mask=FieldMask(paths=["steps"]),
    )

    async with Refused(world, errors.InvalidArgument, "LADDER_INVALID", "steps[1].after_minutes"):
        await stub(world).UpdateLadder(request)
    del request.ladder.steps[:]
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "ladder.steps"):
        await stub(world).UpdateLadder(request)


async def test_who_may_only_read_ladders_changes_none(world: World) -> None:
    made = await ladder(world, (10, OWNER))
    reader = await world.tenant.person([{"object": "ladder", "action": "read", "scope": "all"}])

    assert await stub(world, reader).GetLadder(ladder_pb2.GetLadderRequest(id=made.id))
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await stub(world, reader).DeleteLadder(ladder_pb2.DeleteLadderRequest(id=made.id))


async def test_the_ladder_of_a_task_is_shown_to_its_readers_only(world: World) -> None:
    task = await world.make()
    stranger = await world.worker()

    answer = await stub(world).GetTaskLadder(ladder_pb2.GetTaskLadderRequest(id=task.id))
    assert list(answer.runs) == []
    with pytest.raises(errors.NotFound):
        await stub(world, stranger).GetTaskLadder(ladder_pb2.GetTaskLadderRequest(id=task.id))


# -- settings --------------------------------------------------------------------------------------------------------------


async def test_a_company_that_has_changed_nothing_has_the_first_settings(world: World) -> None:
    first = await settings(world)

    first.ClearField("can")
    assert first == TaskSettings(
        id=world.tenant.id,
        request_task=True,
        reaction_minutes=15,
        going_cold_days=30,
        promise_task=True,
        call_back_task=True,
        call_back_minutes=5,
    )


async def test_settings_are_changed_field_by_field(world: World) -> None:
    made = await ladder(world, (10, OWNER))

    await change(world, reaction_minutes=30)
    await change(world, request_task=False, default_ladder_id=made.id)

    now = await settings(world)
    assert (now.reaction_minutes, now.request_task, now.default_ladder_id) == (30, False, made.id)
    assert now.etag == "2"
    told = await world.events("TaskSettingsUpdated", 2)
    assert [event["change"]["version"] for event in told] == ["1", "2"]


@pytest.mark.parametrize("minutes", [0, 1441])
@pytest.mark.parametrize("field", ["reaction_minutes", "call_back_minutes"])
async def test_a_time_outside_a_day_is_refused(world: World, field: str, minutes: int) -> None:
    reason = "TASK_SETTINGS_INVALID" if minutes == 0 else "INVALID_FIELDS"
    where = field if minutes == 0 else f"task_settings.{field}"
    async with Refused(world, errors.InvalidArgument, reason, where):
        await change(world, **{field: minutes})
    assert (await settings(world)).etag == ""


async def test_settings_name_only_what_exists(world: World) -> None:
    async with Refused(
        world,
        errors.InvalidArgument,
        "REFERENCE_UNKNOWN",
        "request_task_type_id",
        "default_ladder_id",
    ):
        await change(world, request_task_type_id=uuid7(), default_ladder_id=uuid7())


async def test_a_change_of_settings_that_saw_an_old_version_is_refused(world: World) -> None:
    await change(world, reaction_minutes=20)
    await change(world, reaction_minutes=30)
    request = task_settings_pb2.UpdateTaskSettingsRequest(
        task_settings=TaskSettings(reaction_minutes=45),
        update_mask=FieldMask(paths=["reaction_minutes"]),
        etag="1",
    )

    async with Refused(world, errors.Aborted, "FIELDS_CHANGED"):
        await stub(world).UpdateTaskSettings(request)
    assert (await settings(world)).reaction_minutes == 30
