"""What the tests of comments share: people who comment, and records as their services tell of them."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import events_pb2 as contacts
from crm.notifications.v1 import comment_pb2 as pb
from crm.notifications.v1.comments_service_pb2_grpc import CommentsServiceStub
from tests.service.notifications.world import READER, World, eventually

Comment = pb.Comment


def seller(scope: str = "own") -> list[dict[str, str]]:
    read = [{"object": o, "action": "read", "scope": scope} for o in ("contact", "task", "comment")]
    write = [
        {"object": "comment", "action": a, "scope": "all"} for a in ("create", "update", "delete")
    ]
    return [*READER, *read, *write]


def desk(who: Person) -> Any:
    return who.stub(CommentsServiceStub)


async def known(world: World, id: str, version: int = 1) -> None:
    """Returns when this version of the record was heard."""
    sql = "SELECT 1 FROM comment_records WHERE object_id = $1 AND version >= $2"

    async def look() -> Any:
        return await world.running.rows("notifications", sql, id, version)

    await eventually(look, "the record")


async def contact(world: World, owner: Person, *, version: int = 1, **values: Any) -> str:
    """A contact as contacts tells of it."""
    made = contact_pb2.Contact(
        **{"id": uuid7(), "display_name": "Ana", "owner_id": owner.id, **values}
    )
    event = contacts.ContactCreated if version == 1 else contacts.ContactUpdated
    await world.publish(event(contact=made), version=version)
    await known(world, made.id, version)
    return made.id


async def write(who: Person, id: str, text: str = "Prefers mornings", **values: Any) -> Comment:
    made = Comment(**{"object": "contact", "object_id": id, "text": text, **values})
    return await desk(who).CreateComment(pb.CreateCommentRequest(comment=made))


async def edit(who: Person, id: str, **values: Any) -> Comment:
    changed = Comment(id=id, **values)
    mask = FieldMask(paths=list(values))
    return await desk(who).UpdateComment(pb.UpdateCommentRequest(comment=changed, update_mask=mask))


async def texts(who: Person, id: str = "", **given: Any) -> list[str]:
    filter = f'object = "contact" AND object_id = "{id}"' if id else ""
    request = pb.ListCommentsRequest(**{"filter": filter, "order_by": "create_time", **given})
    return [comment.text for comment in (await desk(who).ListComments(request)).comments]


async def state(world: World) -> list[int]:
    names = ("comments", "comments_history", "answers")
    told = await world.running.told("notifications", world.tenant)
    return [*[await world.count(name) for name in names], told]


async def refused(world: World, call: Any) -> errors.CrmError:
    """The refusal of a call, which changed nothing."""
    before = await state(world)
    with pytest.raises(errors.CrmError) as found:
        await call
    assert await state(world) == before
    return found.value
