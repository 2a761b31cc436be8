"""tasks' part when a person is erased, and when he asks for his data."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from chassis import service as services
from chassis.events.reading import read as read_stream
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.contacts.v1 import privacy_events_pb2 as contacts
from crm.tasks.v1 import task_pb2, task_verbs_pb2
from crm.tasks.v1.bulk_pb2 import Reassign, TaskChange
from crm.tasks.v1.ladder_pb2 import LadderRun, LadderStep
from crm.tasks.v1.meeting_pb2 import Meeting, Participant
from crm.tasks.v1.task_pb2 import Task, Visit
from services.tasks import bulk_changes, erasing, personal_data
from services.tasks.store import privacy
from tests.service.tasks.ladders import ladder, runs
from tests.service.tasks.meeting_world import MeetingWorld, read, schedule
from tests.service.tasks.moving import answered, system
from tests.service.tasks.test_task_changes import get, preview, run, undo
from tests.service.tasks.world import World, at

SURNAME = "Brzozowiczowna"
BY_ID = {"operations", "timers", "stream"}
"""Where the bare id stays: in what the erasure itself was asked for, and deep inside of what tells of somebody else."""


@pytest.fixture
async def firm(world: World) -> MeetingWorld:
    return MeetingWorld(world.running, world.tenant)


async def erased(world: World, *ids: str, records: tuple[str, ...] = ()) -> dict[str, int]:
    """contacts has erased the person; what tasks reports."""
    event = contacts.ContactErased(
        erasure_id=uuid7(), contact_id=ids[0], merged_ids=ids[1:], record_ids=records
    )
    await system(world, lambda tx: erasing.erased.begin(event, tx))
    (done,) = await answered(world, "ErasureDone")
    report = done["report"]
    assert (report["erasureId"], report["service"]) == (event.erasure_id, "tasks")
    return {place["name"]: int(place["count"]) for place in report.get("places", [])}


async def file(world: World, content: bytes) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blobs = world.running.process.runtimes["tasks"].blobs
    admin = world.tenant.admin.id
    blob = await blobs.put(
        world.tenant.id, chunks(), type="image/png", name="p.png", owner_id=admin, max_bytes=1000
    )
    return str(blob.id)


async def places_of(world: World, *texts: str) -> dict[str, int]:
    """Table or stream -> rows or messages of the tenant in which one of the texts stands, in whatever spelling."""
    found: dict[str, int] = {}
    tables = await world.running.rows(
        "tasks",
        "SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'tenant_id'"
        " AND table_schema = 'public' AND table_name IN (SELECT tablename FROM pg_tables)",
    )
    for text in texts:
        for table in tables:
            sql = (
                f"SELECT count(*) AS n FROM {table['name']} t WHERE tenant_id = $1"
                " AND (t::text LIKE '%' || $2 || '%' OR t::text LIKE '%' || $3 || '%')"
            )
            rows = await world.running.rows(
                "tasks", sql, world.tenant.id, text, text.encode().hex()
            )
            if count := rows[0]["n"]:
                found[table["name"]] = found.get(table["name"], 0) + count
        nats = world.running.process.nats
        async for message in read_stream(nats, "TASKS", subjects=[f"crm.{world.tenant.id}.>"]):
            if text.encode() in message.data:
                found["stream"] = found.get("stream", 0) + 1
    return found


@pytest.mark.large
async def test_nothing_tells_of_the_person_any_more_and_the_counts_stay(
    firm: MeetingWorld,
) -> None:
    person, other, request = uuid7(), uuid7(), uuid7()
    seller = await firm.worker()
    photo = await file(firm, b"her window")
    await ladder(firm, (0, LadderStep.WHOM_OWNER))
    doing = await firm.make(
        seller, subject=f"Call {SURNAME}", contact_id=person, due_time=at("2090-01-01T09:00"),
        description=f"{SURNAME} wants oak", file_ids=[],
    )  # fmt: skip
    visited = await firm.make(
        seller, subject=f"Measure at {SURNAME}", link={"contact_id": person},
        visit=Visit(place=f"ul. {SURNAME} 1", appointment_time=at("2030-01-01T09:00")),
    )  # fmt: skip
    renamed = visited.__class__(id=visited.id, subject=f"{SURNAME} again")
    await firm.stub(seller).UpdateTask(
        task_pb2.UpdateTaskRequest(task=renamed, update_mask={"paths": ["subject"]})
    )
    await firm.stub(seller).CompleteTask(
        task_verbs_pb2.CompleteTaskRequest(id=visited.id, note=f"{SURNAME} was glad")
    )
    asking = await firm.make(seller, subject=f"Answer {SURNAME}", link={"request_id": request})
    gone = await firm.make(seller, subject=f"Wrong {SURNAME}", contact_id=person)
    await firm.admin.DeleteTask(task_pb2.DeleteTaskRequest(id=gone.id))
    relinked = await firm.make(seller, subject="Call", contact_id=person)
    elsewhere = Task(id=relinked.id, contact_id=other)
    await firm.stub(seller).UpdateTask(
        task_pb2.UpdateTaskRequest(task=elsewhere, update_mask={"paths": ["contact_id"]})
    )
    unconcerned = await firm.make(seller, subject="Call Nowak", contact_id=other)
    before = await _counts(firm)

    places = await erased(firm, person, records=(request,))

    assert await places_of(firm, SURNAME) == {}
    assert (await places_of(firm, person)).keys() <= BY_ID
    assert await _counts(firm) == before
    done = await firm.task(visited.id)
    assert (done.state, done.owner_id, done.subject) == (Task.STATE_DONE, seller.id, "")
    assert (done.contact_id, done.end_note, done.HasField("visit"), done.HasField("link")) == (
        "", "", False, False,
    )  # fmt: skip
    cancelled = await firm.task(doing.id)
    assert cancelled.state == Task.STATE_CANCELLED
    (run,) = await runs(firm, doing.id)
    assert run.state == LadderRun.STATE_STOPPED
    assert (await firm.task(asking.id)).subject == ""
    kept = await firm.task(relinked.id)
    assert (kept.subject, kept.contact_id) == ("Call", other)
    assert await firm.task(unconcerned.id) == unconcerned
    assert places["tasks"] == 4
    assert places["tasks_history"] > 4
    assert places["stream:TASKS"] > 4
    assert photo  # nobody named it: it is not hers, and stays
    assert await _is_file(firm, photo)


async def _counts(world: World) -> dict[tuple[str, bool], int]:
    """Tasks by owner and whether they are over by being done: what statistics count."""
    sql = "SELECT owner_id, state = 2 AS done, count(*) AS n FROM tasks WHERE tenant_id = $1 GROUP BY 1, 2"
    rows = await world.running.rows("tasks", sql, world.tenant.id)
    return {(str(row["owner_id"]), row["done"]): row["n"] for row in rows}


async def _is_file(world: World, id: str) -> bool:
    blobs = world.running.process.runtimes["tasks"].blobs
    return id in [blob.id async for blob in blobs.list(world.tenant.id)]


@pytest.mark.large
async def test_her_files_go_unless_another_task_names_them(firm: MeetingWorld) -> None:
    person = uuid7()
    hers, shared, dropped = [await file(firm, name) for name in (b"1", b"2", b"3")]
    task = await firm.make(contact_id=person, file_ids=[hers, shared, dropped])
    less = Task(id=task.id, file_ids=[hers, shared])
    await firm.admin.UpdateTask(
        task_pb2.UpdateTaskRequest(task=less, update_mask={"paths": ["file_ids"]})
    )
    other = await firm.make(contact_id=uuid7(), file_ids=[shared])

    places = await erased(firm, person)

    assert [await _is_file(firm, id) for id in (hers, shared, dropped)] == [False, True, False]
    assert places["files"] == 2
    assert list((await firm.task(other.id)).file_ids) == [shared]


async def test_her_meetings_are_bare_and_those_with_others_go_on_without_her(
    firm: MeetingWorld,
) -> None:
    person, other = uuid7(), uuid7()
    admin: Person = firm.tenant.admin
    hers = await schedule(admin, subject=f"With {SURNAME}", place=SURNAME, contact_id=person)
    joint = await schedule(
        admin, participants=[Participant(contact_id=id) for id in (person, other)]
    )

    await erased(firm, person)

    assert await places_of(firm, SURNAME) == {}
    assert (await places_of(firm, person)).keys() <= BY_ID
    bare = await read(admin, hers.id)
    assert (bare.subject, bare.place, bare.state) == ("", "", Meeting.STATE_CANCELLED)
    assert bare.start_time == hers.start_time
    going_on = await read(admin, joint.id)
    assert going_on.state == Meeting.STATE_SCHEDULED
    assert [each.contact_id for each in going_on.participants] == [other]
    assert list(going_on.contact_ids) == [other]


async def test_an_erasure_of_somebody_without_tasks_is_confirmed_too(firm: MeetingWorld) -> None:
    task = await firm.make(contact_id=uuid7())

    await erased(firm, uuid7(), uuid7())

    assert await firm.task(task.id) == task


async def test_who_asks_gets_his_tasks_and_meetings_with_all_versions(firm: MeetingWorld) -> None:
    person, merged, export = uuid7(), uuid7(), uuid7()
    task = await firm.make(subject=f"Call {SURNAME}", contact_id=merged)
    await firm.admin.CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=task.id))
    await firm.make(subject="Call Nowak", contact_id=uuid7())
    meeting = await schedule(firm.tenant.admin, contact_id=person)
    event = contacts.PersonalDataRequested(export_id=export, contact_id=person, merged_ids=[merged])

    await system(firm, lambda tx: personal_data.handed_out.begin(event, tx))

    (ready,) = await answered(firm, "PersonalDataReady")
    part = ready["part"]
    assert (part["exportId"], part["service"], part["contactId"]) == (export, "tasks", person)
    blobs = firm.running.process.runtimes["tasks"].blobs
    chunks = [chunk async for chunk in blobs.read(firm.tenant.id, part["fileId"])]
    told: dict[str, Any] = orjson.loads(b"".join(chunks))
    assert [one["id"] for one in told["tasks"]] == [task.id]
    assert [one["state"] for one in told["tasks_history"]] == ["STATE_OPEN", "STATE_DONE"]
    assert [one["id"] for one in told["meetings"]] == [meeting.id]
    assert SURNAME in told["tasks"][0]["subject"]


@pytest.mark.large
async def test_filters_that_may_name_the_person_go_and_their_changes_stay(
    firm: MeetingWorld,
) -> None:
    person, other, seller = uuid7(), uuid7(), await firm.worker()
    await firm.make(contact_id=person)
    theirs = await firm.make(contact_id=other)
    give = Reassign(owner_ids=[seller.id])
    words = f'section = "{SURNAME}"'
    by_id = await preview(firm, filter=f"contact_id = {person} AND NOT {words}", reassign=give)
    closed = await preview(firm, filter=words, reassign=give)
    await system(firm, lambda tx: bulk_changes.close({"id": closed.id}, tx))
    by_words = await run(firm, await preview(firm, filter=f"NOT {words}", reassign=give))
    elsewhere = await preview(firm, filter=f"contact_id = {other}", reassign=Reassign(owner_ids=[firm.tenant.admin.id]))  # fmt: skip

    places = await erased(firm, person)

    assert await places_of(firm, SURNAME) == {}
    assert (await places_of(firm, person)).keys() <= BY_ID
    assert places["task_changes"] == 3
    done = await get(firm, by_words.id)
    assert (done.filter, done.state, done.changed_count) == ("", TaskChange.STATE_DONE, 2)
    assert [(await get(firm, each.id)).filter for each in (by_id, closed)] == ["", ""]
    assert await get(firm, elsewhere.id) == elsewhere
    assert (await undo(firm, done)).returned_count == 1  # hers was cancelled
    assert (await firm.task(theirs.id)).owner_id == firm.tenant.admin.id


async def test_every_table_is_known_to_erasures() -> None:
    assert services.load("tasks").metadata is not None
    assert privacy.unplaced() == []


async def test_what_a_repeated_erasure_finds_stays_as_it_is(firm: MeetingWorld) -> None:
    person = uuid7()
    task = await firm.make(contact_id=person)
    await erased(firm, person)
    before = await firm.task(task.id)

    event = contacts.ContactErased(erasure_id=uuid7(), contact_id=person)
    await system(firm, lambda tx: erasing.erased.begin(event, tx))

    async def confirmed() -> bool:
        return len(await answered(firm, "ErasureDone", 2)) == 2

    await eventually(confirmed, "both are confirmed")
    assert await firm.task(task.id) == before
