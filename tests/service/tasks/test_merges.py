"""Tasks and meetings follow contacts and companies that are merged, and come back."""

from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.kit import bulk
from chassis.kit import following as kit
from chassis.testing.events import eventually
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from crm.tasks.v1 import meeting_verbs_pb2, task_pb2
from crm.tasks.v1.meeting_pb2 import Participant
from crm.tasks.v1.task_pb2 import Task
from services.tasks import following, store
from tests.service.tasks.ladders import runs
from tests.service.tasks.meeting_world import MeetingWorld, desk, read, schedule
from tests.service.tasks.moving import system
from tests.service.tasks.world import World, at


@pytest.fixture
async def firm(world: World) -> MeetingWorld:
    return MeetingWorld(world.running, world.tenant)


async def merge(world: World, survivor: str, *merged: str, company: bool = False) -> str:
    """contacts has merged them; the merge's id."""
    id = uuid7()
    event: Any = (
        contacts.CompanyMerged(merge_id=id, company_id=survivor, merged_ids=merged)
        if company
        else contacts.ContactMerged(merge_id=id, contact_id=survivor, merged_ids=merged)
    )
    await system(world, lambda tx: following.parties.hear(event, tx))
    return id


async def unmerge(
    world: World, id: str, survivor: str, *restored: str, company: bool = False
) -> None:
    event: Any = (
        contacts.CompanyUnmerged(merge_id=id, company_id=survivor, restored_ids=restored)
        if company
        else contacts.ContactUnmerged(merge_id=id, contact_id=survivor, restored_ids=restored)
    )
    await system(world, lambda tx: following.parties.hear(event, tx))


def names(task: Task) -> tuple[str, str, str, str]:
    return task.contact_id, task.link.contact_id, task.company_id, task.link.company_id


async def test_tasks_follow_the_survivor_and_come_back(firm: MeetingWorld) -> None:
    survivor, merged, company = uuid7(), uuid7(), uuid7()
    linked = await firm.make(link={"contact_id": merged})
    deal = await firm.make(link={"deal_id": uuid7()}, contact_id=merged, company_id=company)
    own = await firm.make(link={"contact_id": survivor})

    id = await merge(firm, survivor, merged)

    assert names(await firm.task(linked.id)) == (survivor, survivor, "", "")
    assert names(await firm.task(deal.id)) == (survivor, "", company, "")
    (revision, *_) = (await _history(firm, linked.id)).revisions
    assert (revision.cause.kind, revision.cause.id) == ("merge", id)
    assert (await firm.task(own.id)).etag == own.etag
    later = await firm.make(link={"contact_id": survivor})  # after the merge: it is the survivor's
    await unmerge(firm, id, survivor, merged)
    assert names(await firm.task(linked.id)) == (merged, merged, "", "")
    assert names(await firm.task(deal.id)) == (merged, "", company, "")
    assert names(await firm.task(later.id)) == (survivor, survivor, "", "")
    assert await firm.count("merge_moves") == await firm.count("merged_parties") == 0


async def test_companies_too_and_deleted_ones(firm: MeetingWorld) -> None:
    survivor, merged = uuid7(), uuid7()
    task = await firm.make(link={"company_id": merged})
    await firm.admin.DeleteTask(task_pb2.DeleteTaskRequest(id=task.id))

    id = await merge(firm, survivor, merged, company=True)

    back = await firm.admin.UndeleteTask(task_pb2.UndeleteTaskRequest(id=task.id))
    assert names(back) == ("", "", survivor, survivor)
    await unmerge(firm, id, survivor, merged, company=True)
    assert names(await firm.task(task.id)) == ("", "", merged, merged)


async def test_a_task_that_names_a_merged_contact_later_is_the_survivors(
    firm: MeetingWorld,
) -> None:
    survivor, middle, merged = uuid7(), uuid7(), uuid7()
    await merge(firm, middle, merged)
    await merge(firm, survivor, middle)

    late = await firm.make(link={"contact_id": merged})  # from a phone that was offline
    invited = await schedule(firm.tenant.admin, contact_id=merged)

    assert names(late) == (survivor, survivor, "", "")
    assert (invited.contact_id, list(invited.contact_ids)) == (survivor, [survivor])


async def test_a_chain_of_merges_comes_back_link_by_link(firm: MeetingWorld) -> None:
    one, two, three = uuid7(), uuid7(), uuid7()
    task = await firm.make(link={"contact_id": one})
    first = await merge(firm, two, one)
    second = await merge(firm, three, two)
    assert (await firm.task(task.id)).contact_id == three

    await unmerge(firm, second, three, two)
    assert (await firm.task(task.id)).contact_id == two
    await unmerge(firm, first, two, one)

    assert names(await firm.task(task.id)) == (one, one, "", "")


async def test_what_went_elsewhere_since_stays_there(firm: MeetingWorld) -> None:
    survivor, merged, another = uuid7(), uuid7(), uuid7()
    task = await firm.make(link={"contact_id": merged})
    id = await merge(firm, survivor, merged)
    moved = Task(id=task.id, link={"contact_id": another})
    await firm.admin.UpdateTask(
        task_pb2.UpdateTaskRequest(task=moved, update_mask={"paths": ["link"]})
    )

    await unmerge(firm, id, survivor, merged)

    assert names(await firm.task(task.id)) == (another, another, "", "")


async def test_who_takes_part_twice_is_invited_once_and_twice_again_after_the_undo(
    firm: MeetingWorld,
) -> None:
    survivor, merged, other = uuid7(), uuid7(), uuid7()
    admin = firm.tenant.admin
    people = [Participant(contact_id=id) for id in (survivor, merged, other)]
    both = await schedule(admin, participants=people)
    alone = await schedule(admin, contact_id=merged, participants=[Participant(contact_id=merged)])

    id = await merge(firm, survivor, merged)

    joined = await read(admin, both.id)
    assert [each.contact_id for each in joined.participants] == [survivor, other]
    assert list(joined.contact_ids) == [survivor, other]
    followed = await read(admin, alone.id)
    assert (followed.contact_id, [each.contact_id for each in followed.participants]) == (
        survivor, [survivor],
    )  # fmt: skip
    await desk(admin).AnswerMeeting(
        meeting_verbs_pb2.AnswerMeetingRequest(
            id=alone.id, contact_id=survivor, answer=Participant.ANSWER_ACCEPTED
        )
    )
    await unmerge(firm, id, survivor, merged)
    apart = await read(admin, both.id)
    assert {each.contact_id for each in apart.participants} == {survivor, merged, other}
    again = await read(admin, alone.id)
    assert [(each.contact_id, each.answer) for each in again.participants] == [
        (merged, Participant.ANSWER_ACCEPTED)
    ]
    assert (again.contact_id, list(again.contact_ids)) == (merged, [merged])


async def test_two_open_call_tasks_of_one_person_stay_two(firm: MeetingWorld) -> None:
    survivor, merged = uuid7(), uuid7()
    one, two = [
        await firm.make(contact_id=id, due_time=at("2090-01-01T09:00")) for id in (survivor, merged)
    ]
    before = [await runs(firm, task.id) for task in (one, two)]

    await merge(firm, survivor, merged)

    now = [await firm.task(task.id) for task in (one, two)]
    assert [(task.contact_id, task.state) for task in now] == [(survivor, Task.STATE_OPEN)] * 2
    assert [await runs(firm, task.id) for task in (one, two)] == before


async def test_many_follow_step_by_step_and_the_last_look_finds_latecomers(
    firm: MeetingWorld,
) -> None:
    survivor, merged = uuid7(), uuid7()
    count = kit.AT_ONCE + 1
    await _insert(firm, merged, count)

    id = await merge(firm, survivor, merged)

    async def all_followed() -> bool:
        return await _naming(firm, survivor) == count

    await eventually(all_followed, "all have followed")
    # Written by somebody who did not see the merge yet, and committed after the first look.
    await _insert(firm, merged, 1)

    async def again(tx: Any) -> None:
        wanted = {
            "merge_id": id, "party": "contact", "ids": [merged], "survivor_id": survivor, "last": True,
        }  # fmt: skip
        await following.parties.follow(wanted, tx)

    await system(firm, again)
    assert await _naming(firm, survivor) == count + 1
    await unmerge(firm, id, survivor, merged)

    async def all_back() -> bool:
        return await _naming(firm, merged) == count + 1

    await eventually(all_back, "all are back")


async def _insert(world: World, contact_id: str, count: int) -> None:
    tasks = [
        Task(subject="Call", contact_id=contact_id, state=Task.STATE_OPEN) for _ in range(count)
    ]
    await system(
        world, lambda tx: bulk.write(tx, store.tasks, [bulk.Write(task) for task in tasks])
    )


async def _naming(world: World, contact_id: str) -> int:
    sql = "SELECT count(*) AS n FROM tasks WHERE tenant_id = $1 AND contact_id = $2"
    rows = await world.running.rows("tasks", sql, world.tenant.id, contact_id)
    return int(rows[0]["n"])


async def _history(world: World, id: str) -> Any:
    return await world.admin.ListTaskHistory(task_pb2.ListTaskHistoryRequest(id=id))
