"""Comments: who reads and writes them, answers, and how they follow their record."""

import asyncio

import pytest

from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import events_pb2 as contacts
from crm.notifications.v1 import comment_pb2 as pb
from crm.tasks.v1 import events_pb2 as tasks
from tests.service.notifications.talk import (
    contact,
    desk,
    edit,
    known,
    refused,
    seller,
    state,
    texts,
    write,
)
from tests.service.notifications.world import Task, World

# -- writing and reading -----------------------------------------------------------------------------------------------------


@pytest.mark.large
async def test_a_comment_is_read_by_who_may_read_its_record(world: World) -> None:
    ola, jan, eva = [await world.tenant.person(seller()) for _ in range(3)]
    of_ola = await contact(world, ola, follower_ids=[eva.id])

    made = await write(ola, of_ola)

    assert (made.author_id, made.owner_id, list(made.contact_ids)) == (ola.id, ola.id, [of_ola])
    assert await texts(ola, of_ola) == await texts(eva, of_ola) == ["Prefers mornings"]
    assert await texts(jan, of_ola) == []
    hidden = await refused(world, desk(jan).GetComment(pb.GetCommentRequest(id=made.id)))
    assert hidden.reason == "NOT_FOUND"


async def test_who_may_not_read_the_record_cannot_comment_on_it_nor_learn_that_it_is_there(
    world: World,
) -> None:
    ola, jan = [await world.tenant.person(seller()) for _ in range(2)]
    of_ola, nothing = await contact(world, ola), uuid7()

    blind = await refused(world, write(jan, of_ola))
    absent = await refused(world, write(jan, nothing))

    assert blind.reason == absent.reason == "COMMENT_RECORD_UNKNOWN"
    assert str(blind).replace(of_ola, "") == str(absent).replace(nothing, "")
    assert [v.field for v in blind.violations] == ["object_id"]


async def test_a_comment_on_a_task_appears_on_the_card_of_the_task_s_customer(world: World) -> None:
    ola = await world.tenant.person(seller())
    customer = uuid7()
    task = Task(
        id=uuid7(), subject="Call back", owner_id=ola.id, contact_id=customer, state=Task.STATE_OPEN
    )
    await world.publish(tasks.TaskCreated(task=task))
    await known(world, task.id)

    made = await write(ola, task.id, object="task")
    (event,) = await world.running.events(world.tenant, "CommentCreated")

    assert list(made.contact_ids) == [customer]
    assert event["comment"]["contactIds"] == [customer]
    assert (event["comment"]["objectId"], event["change"]["version"]) == (task.id, "1")


async def test_comments_follow_the_owner_and_the_followers_of_their_record(world: World) -> None:
    ola, jan = [await world.tenant.person(seller()) for _ in range(2)]
    id = await contact(world, ola)
    made = await write(ola, id)

    await contact(world, jan, id=id, version=2)

    assert await texts(jan, id) == ["Prefers mornings"]
    assert await texts(ola, id) == []
    (event,) = await world.running.events(world.tenant, "CommentUpdated")
    assert event["comment"]["ownerId"] == jan.id
    assert (event["comment"]["id"], event["change"]["cause"]["kind"]) == (made.id, "event")


async def test_an_older_event_that_comes_late_changes_nobody_s_rights(world: World) -> None:
    ola, jan = [await world.tenant.person(seller()) for _ in range(2)]
    id = await contact(world, jan, version=3)
    await write(jan, id)

    late = contact_pb2.Contact(id=id, owner_id=ola.id)
    await world.publish(contacts.ContactUpdated(contact=late), version=2)
    await contact(world, jan)  # heard after it

    assert (await texts(jan, id), await texts(ola, id)) == (["Prefers mornings"], [])


async def test_a_handing_over_while_many_comment_leaves_no_comment_behind(world: World) -> None:
    ola, jan = [await world.tenant.person(seller("all")) for _ in range(2)]
    id = await contact(world, ola)

    writing = [asyncio.create_task(write(ola, id, f"c{n}")) for n in range(12)]
    await contact(world, jan, id=id, version=2)
    await asyncio.gather(*writing)

    rows = await world.running.rows(
        "notifications", "SELECT owner_id FROM comments WHERE object_id = $1", id
    )
    assert [str(row["owner_id"]) for row in rows] == [jan.id] * 12


async def test_a_deleted_record_takes_no_comments(world: World) -> None:
    ola = await world.tenant.person(seller())
    id = await contact(world, ola)
    gone = contact_pb2.Contact(id=id, owner_id=ola.id, delete_time=to_timestamp(world.now))
    await world.publish(contacts.ContactDeleted(contact=gone), version=2)
    await known(world, id, 2)

    assert (await refused(world, write(ola, id))).reason == "COMMENT_RECORD_UNKNOWN"


async def test_comments_are_searched_answered_got_in_a_batch_and_have_a_history(
    world: World,
) -> None:
    ola = await world.tenant.person(seller())
    id = await contact(world, ola)
    first = await write(ola, id, "Likes Ćmielów porcelain")
    answer = await write(ola, id, "So do I", reply_to_id=first.id)
    await edit(ola, answer.id, text="So do we")

    found = await texts(ola, q="cmielow")
    answers = await texts(ola, filter=f'reply_to_id = "{first.id}"')
    batch = await desk(ola).BatchGetComments(pb.BatchGetCommentsRequest(ids=[answer.id, id]))
    history = await desk(ola).ListCommentHistory(pb.ListCommentHistoryRequest(id=answer.id))

    assert (found, answers) == (["Likes Ćmielów porcelain"], ["So do we"])
    assert ([c.id for c in batch.comments], list(batch.missing_ids)) == ([answer.id], [id])
    assert [revision.action for revision in history.revisions] == ["updated", "created"]


# -- only the author ---------------------------------------------------------------------------------------------------------


async def test_only_its_author_edits_deletes_and_brings_back_a_comment(world: World) -> None:
    ola, jan = [await world.tenant.person(seller("all")) for _ in range(2)]
    id = await contact(world, ola)
    made = await write(ola, id)

    for call in (
        edit(jan, made.id, text="No"),
        desk(jan).DeleteComment(pb.DeleteCommentRequest(id=made.id)),
        edit(world.tenant.admin, made.id, text="No"),
    ):
        assert (await refused(world, call)).reason == "COMMENT_NOT_YOURS"
    edited = await edit(ola, made.id, text="Prefers evenings")
    await desk(ola).DeleteComment(pb.DeleteCommentRequest(id=made.id))
    gone = await texts(jan, id)
    no = await refused(world, desk(jan).UndeleteComment(pb.UndeleteCommentRequest(id=made.id)))
    back = await desk(ola).UndeleteComment(pb.UndeleteCommentRequest(id=made.id))
    (event,) = await world.running.events(world.tenant, "CommentEdited")

    assert edited.HasField("edit_time")
    assert (gone, back.text, no.reason) == ([], "Prefers evenings", "COMMENT_NOT_YOURS")
    assert event["comment"]["text"] == "Prefers evenings"


async def test_an_edit_that_changes_nothing_writes_nothing(world: World) -> None:
    ola = await world.tenant.person(seller())
    made = await write(ola, await contact(world, ola))
    before = await state(world)

    same = await edit(ola, made.id, text=made.text)

    assert (same.etag, same.HasField("edit_time")) == (made.etag, False)
    assert await state(world) == before


async def test_a_comment_cannot_be_moved_or_say_nothing(world: World) -> None:
    ola = await world.tenant.person(seller())
    id, other = await contact(world, ola), await contact(world, ola)
    made = await write(ola, id)

    moved = await refused(world, edit(ola, made.id, object_id=other))
    empty = await refused(world, edit(ola, made.id, text=" \n "))

    assert (moved.reason, empty.reason) == ("COMMENT_FIXED", "COMMENT_EMPTY")
    assert id in str(moved)


async def test_threads_are_one_deep_and_on_one_record(world: World) -> None:
    ola = await world.tenant.person(seller())
    id, other = await contact(world, ola), await contact(world, ola)
    first = await write(ola, id)
    answer = await write(ola, id, "Why?", reply_to_id=first.id)

    deeper = await refused(world, write(ola, id, "Because", reply_to_id=answer.id))
    elsewhere = await refused(world, write(ola, other, "Because", reply_to_id=first.id))
    nothing = await refused(world, write(ola, id, "Because", reply_to_id=uuid7()))

    assert {e.reason for e in (deeper, elsewhere, nothing)} == {"REPLY_INVALID"}
    assert first.id in str(deeper)  # what to answer instead
