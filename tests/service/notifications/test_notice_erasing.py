"""When a person is erased, what was told of him goes; when he asks for his data, it is handed out."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.contacts.v1 import privacy_events_pb2 as asked
from crm.notifications.v1 import notice_preferences_pb2 as preferences
from crm.notifications.v1 import notice_rule_pb2 as rules
from crm.tasks.v1 import events_pb2 as tasks
from tests.service.notifications.world import Task, World

NAME = "Kowalska from Długa 5"


async def stored(world: World) -> str:
    """Everything that the tables hold of this tenant, as text."""
    found = []
    for table in (
        "notices",
        "notices_history",
        "gathered_notices",
        "visits",
        "guards",
        "deliveries",
    ):
        sql = f"SELECT to_jsonb(t)::text AS said FROM {table} t WHERE tenant_id = $1"
        found += [
            row["said"] for row in await world.running.rows("notifications", sql, world.tenant.id)
        ]
    return "\n".join(found)


async def told_of(world: World, owner_id: str, contact_id: str, subject: str) -> str:
    """A task with a visit to this person, given to somebody; returns the task's id."""
    task = Task(
        id=uuid7(), subject=subject, state=Task.STATE_OPEN, owner_id=owner_id, contact_id=contact_id
    )
    task.visit.place = subject
    task.visit.appointment_time.CopyFrom(to_timestamp(world.now + timedelta(days=5)))
    await world.publish(tasks.TaskAssigned(task=task), actor_id=world.tenant.admin.id)
    return task.id


@pytest.mark.large
async def test_what_was_told_of_an_erased_person_goes_everywhere(world: World) -> None:
    await world.begin()
    ola, jan = await world.worker(), await world.worker()
    rule = await world.rule("task_assigned")
    daily = preferences.NoticePreference(rule_id=rule.id, digest=rules.DIGEST_DAILY)
    await world.prefer(jan, rules=[daily])
    erased, other = uuid7(), uuid7()
    await told_of(world, ola.id, erased, NAME)
    await told_of(world, jan.id, erased, NAME)
    kept = await told_of(world, ola.id, other, "Nowak")
    await world.told(ola, 2)
    await world.heard()
    assert NAME in await stored(world)

    erasure_id = uuid7()
    await world.publish(
        asked.ContactErased(erasure_id=erasure_id, contact_id=erased), cause="erasure"
    )
    done = await world.own_event("ErasureDone")

    assert (done["report"]["erasureId"], done["report"]["service"]) == (erasure_id, "notifications")
    places = {place["name"] for place in done["report"]["places"]}
    assert places >= {"notices", "gathered_notices", "visits", "stream:NOTIFICATIONS"}
    left = await stored(world)
    assert NAME not in left
    assert erased not in left
    (notice,) = await world.told(ola)
    assert (notice.object_id, notice.headline) == (kept, "Nowak")
    assert all(erased not in body for body in await messages(world))


async def messages(world: World) -> list[str]:
    """What is in the service's stream of this tenant, but the erasure's own."""
    js: Any = world.running.process.nats.js
    info = await js.stream_info("NOTIFICATIONS", subjects_filter=f"crm.{world.tenant.id}.>")
    found = []
    for subject in info.state.subjects or {}:
        subscription = await js.subscribe(subject, stream="NOTIFICATIONS", ordered_consumer=True)
        for _ in range(info.state.subjects[subject]):
            found.append((await subscription.next_msg(timeout=5)).data.decode())
        await subscription.unsubscribe()
    return found


async def test_what_was_told_of_a_person_is_handed_out(world: World) -> None:
    await world.begin()
    ola = await world.worker()
    contact_id, export_id = uuid7(), uuid7()
    await told_of(world, ola.id, contact_id, NAME)
    await world.told(ola)

    await world.publish(asked.PersonalDataRequested(export_id=export_id, contact_id=contact_id))
    ready = await world.own_event("PersonalDataReady")

    part = ready["part"]
    assert (part["exportId"], part["service"]) == (export_id, "notifications")
    blobs = world.running.process.runtimes["notifications"].blobs
    content = b"".join([chunk async for chunk in blobs.read(world.tenant.id, part["fileId"])])
    assert [notice["headline"] for notice in orjson.loads(content)["notices"]] == [NAME]
