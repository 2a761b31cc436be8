"""Who is mentioned is told once; what a merge and an erasure mean for comments."""

from typing import Any

import orjson
import pytest
from nats.js.errors import NotFoundError

from chassis.call import Cause
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.contacts.v1 import duplicate_events_pb2 as merges
from crm.contacts.v1 import privacy_events_pb2 as privacy
from crm.notifications.v1 import comment_pb2 as pb
from crm.tasks.v1 import events_pb2 as tasks
from services.notifications import comments
from tests.service.notifications.talk import (
    contact,
    desk,
    edit,
    known,
    refused,
    seller,
    texts,
    write,
)
from tests.service.notifications.world import Task, World, eventually

# -- mentions ----------------------------------------------------------------------------------------------------------------


async def test_who_is_mentioned_in_the_text_or_beside_it_is_told_once(world: World) -> None:
    ola, jan, eva = [await world.tenant.person(seller("all")) for _ in range(3)]
    id = await contact(world, ola)

    made = await write(
        ola, id, f"@[Jan]({jan.id}) and @[Ola]({ola.id}) look", mention_user_ids=[jan.id, eva.id]
    )
    edited = await edit(ola, made.id, text=f"@[Ola]({ola.id}) looks")
    (event,) = await world.running.events(world.tenant, "Mentioned")

    assert list(made.mention_user_ids) == [jan.id, eva.id, ola.id]
    assert list(edited.mention_user_ids) == [eva.id, ola.id]
    assert event["mentionedUserIds"] == [jan.id, eva.id]  # not the author
    assert (event["comment"]["id"], event["change"]["version"]) == (made.id, "1")


async def test_a_mention_that_is_added_later_is_told_then(world: World) -> None:
    ola, jan = [await world.tenant.person(seller("all")) for _ in range(2)]
    made = await write(ola, await contact(world, ola))

    await edit(ola, made.id, text=f"Ask @[Jan]({jan.id})")
    (event,) = await world.running.events(world.tenant, "Mentioned")

    assert (event["mentionedUserIds"], event["change"]["version"]) == ([jan.id], "2")


async def test_who_is_mentioned_gets_one_notice_and_an_edit_tells_only_who_is_new(
    world: World,
) -> None:
    await world.begin()
    ola, jan, eva = [await world.tenant.person(seller("all")) for _ in range(3)]
    made = await write(
        ola, await contact(world, ola), f"@[Jan]({jan.id}) look", mention_user_ids=[ola.id]
    )

    (first,) = await world.told(jan)
    await edit(ola, made.id, text=f"@[Jan]({jan.id}) and @[Eva]({eva.id}) look")
    (second,) = await world.told(eva)

    assert (first.code, first.object, first.object_id) == ("mention", "comment", made.id)
    assert (second.code, second.headline[:6]) == ("mention", "@[Jan]")
    assert len(await world.told(jan)) == 1
    assert list((await world.feed(ola)).notices) == []


async def test_who_may_not_read_the_record_cannot_be_mentioned(world: World) -> None:
    ola, eva = [await world.tenant.person(seller()) for _ in range(2)]
    jan = await world.tenant.person(seller(), name="Jan Kowalski")
    id = await contact(world, ola, follower_ids=[eva.id])

    no = await refused(world, write(ola, id, f"@[Jan]({jan.id}) look", mention_user_ids=[eva.id]))

    assert (no.reason, no.metadata["user_ids"]) == ("MENTION_CANNOT_READ", jan.id)
    assert "Jan Kowalski may not read this contact: let them follow it first" in str(no)


async def test_who_does_not_work_here_cannot_be_mentioned(world: World) -> None:
    ola = await world.tenant.person(seller())
    left = await world.tenant.person(seller("all"), state="deactivated")
    stranger = (await world.running.tenant()).admin
    id = await contact(world, ola)

    no = await refused(world, write(ola, id, mention_user_ids=[left.id, stranger.id]))

    assert no.reason == "MENTION_UNKNOWN"
    assert [left.id in v.description or stranger.id in v.description for v in no.violations] == [
        True,
        True,
    ]


# -- merges and erasure ------------------------------------------------------------------------------------------------------


async def test_a_merge_takes_comments_along_and_its_undoing_takes_them_back(world: World) -> None:
    ola, jan = [await world.tenant.person(seller()) for _ in range(2)]
    kept, merged = await contact(world, jan), await contact(world, ola)
    await write(ola, merged, "on the merged one")
    await write(jan, kept, "on the kept one")

    await world.publish(
        merges.ContactMerged(merge_id=uuid7(), contact_id=kept, merged_ids=[merged])
    )
    await eventually(lambda: _has(jan, kept, 2), "both comments on the survivor")
    hidden = await texts(ola, merged)
    await write(jan, kept, "said since")
    await world.publish(
        merges.ContactUnmerged(merge_id=uuid7(), contact_id=kept, restored_ids=[merged])
    )
    await eventually(lambda: _has(ola, merged, 1), "the comment back")

    assert hidden == []
    assert await texts(ola, merged) == ["on the merged one"]
    assert await texts(jan, kept) == ["on the kept one", "said since"]


async def _has(who: Person, id: str, many: int) -> bool:
    return len(await texts(who, id)) == many


async def test_an_erasure_takes_all_that_was_said_about_the_person(world: World) -> None:
    ola = await world.tenant.person(seller())
    id, other = await contact(world, ola), await contact(world, ola)
    task = Task(id=uuid7(), subject="Call", owner_id=ola.id, contact_id=id, state=Task.STATE_OPEN)
    await world.publish(tasks.TaskCreated(task=task))
    await known(world, task.id)
    said = [await write(ola, id), await write(ola, task.id, "He said", object="task")]
    await desk(ola).DeleteComment(pb.DeleteCommentRequest(id=said[0].id))
    stays = await write(ola, other, "about somebody else")
    runtime = world.running.process.runtimes["notifications"]
    cause = Cause("erasure", uuid7())

    told = await runtime.run_system(world.tenant.id, cause, lambda tx: comments.about(tx, [id]))
    counts, ids = await runtime.run_system(
        world.tenant.id, cause, lambda tx: comments.erase(tx, [id])
    )

    assert [comment.text for comment in told] == ["He said"]
    assert (counts["comments"], counts["comments_history"], counts["comment_records"]) == (2, 3, 1)
    assert sorted(ids) == sorted(comment.id for comment in said)
    assert await texts(ola) == [stays.text]
    assert await world.count("comments_history") == 1


@pytest.mark.large
async def test_when_a_person_is_erased_comments_and_their_events_go(world: World) -> None:
    ola = await world.tenant.person(seller())
    id, other = await contact(world, ola), await contact(world, ola)
    task = Task(id=uuid7(), subject="Call", owner_id=ola.id, contact_id=id, state=Task.STATE_OPEN)
    await world.publish(tasks.TaskCreated(task=task))
    await known(world, task.id)
    await write(ola, id)
    await write(ola, task.id, "He said", object="task")
    stays = await write(ola, other, "about somebody else")
    await world.running.events(world.tenant, "CommentCreated", count=3)

    erased = privacy.ContactErased(erasure_id=uuid7(), contact_id=id)
    await world.publish(erased)
    subject = f"crm.{world.tenant.id}.notifications.ErasureDone"
    js = world.running.process.nats.js

    async def confirmed() -> Any:
        try:
            return await js.get_last_msg("NOTIFICATIONS", subject)
        except NotFoundError:
            return None

    done = await eventually(confirmed, "the confirmation", 60)

    (left,) = await world.running.events(world.tenant, "CommentCreated")
    places = {p["name"]: p["count"] for p in orjson.loads(done.data)["report"]["places"]}
    assert left["comment"]["id"] == stays.id
    assert (places["comments"], places["comments_history"]) == ("2", "2")
    assert await texts(ola) == [stays.text]
