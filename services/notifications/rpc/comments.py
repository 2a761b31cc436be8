"""Comments: what colleagues say to each other about records."""

from chassis.handlers import Servicer
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.notifications.v1 import comment_events_pb2 as events
from crm.notifications.v1 import comment_pb2 as pb
from services.notifications import comments, errors, reading, store
from services.notifications.rules import comments as rules
from services.notifications.rules.comments import Record


async def check(tx: Tx, new: pb.Comment, old: pb.Comment | None) -> None:
    """A comment stands on one record for good, is changed by its author alone, and mentions those who may read it."""
    rules.normalise(new, old)
    if old is None:
        record = await _stand(tx, new)
        new.author_id = tx.actor.user_id
        if new.reply_to_id:
            answered = await store.comments.comments.find(tx, new.reply_to_id)
            rules.check_reply(new, answered)
    else:
        _require_author(tx, old)
        rules.keep_fixed(new, old)
        if (new.text, new.mention_user_ids) == (old.text, old.mention_user_ids):
            return
        record = _as_copied(old)
        new.edit_time.CopyFrom(to_timestamp(tx.now))
    mentioned = rules.newly_mentioned(new, old)
    _check_mentions(tx, record, mentioned)
    new.id = new.id or tx.new_id()
    tx.emit(events.CommentEdited(comment=new) if old else events.CommentCreated(comment=new))
    if told := [id for id in mentioned if id != new.author_id]:
        tx.emit(events.Mentioned(comment=new, mentioned_user_ids=told))


async def delete(tx: Tx, comment: pb.Comment) -> None:
    """Its author takes it back; answers to it stay."""
    _require_author(tx, comment)


async def undelete(tx: Tx, comment: pb.Comment) -> None:
    """It comes back to who may read the record now."""
    _require_author(tx, comment)
    await _stand(tx, comment)


async def _stand(tx: Tx, comment: pb.Comment) -> Record:
    """Copies whose the record is; CommentRecordUnknown if the caller may not read it, or nothing was heard of it."""
    comment.object_id = comment.object_id.lower()
    await comments.lock(tx, comment.object_id)
    record = await store.comments.find_record(tx, comment.object, comment.object_id)
    if (
        record is None
        or record.is_deleted
        or not tx.rights.reaches(record.object, "read", *record.scope)
    ):
        raise errors.CommentRecordUnknown(comment.object, comment.object_id)
    rules.stand_on(comment, record)
    return record


def _as_copied(comment: pb.Comment) -> Record:
    """The record behind a comment as the comment knows it."""
    return Record(
        object=comment.object, id=comment.object_id, version=0, owner_id=comment.owner_id,
        department_id=comment.department_id, follower_ids=tuple(comment.follower_ids),
    )  # fmt: skip


def _require_author(tx: Tx, comment: pb.Comment) -> None:
    """The system itself may: imports, erasures and rules have no user."""
    if tx.rights.user_id and tx.rights.user_id != comment.author_id:
        author = tx.directory.user(comment.author_id) if comment.author_id else None
        raise errors.CommentNotYours(author["name"] if author else "somebody else")


def _check_mentions(tx: Tx, record: Record, user_ids: list[str]) -> None:
    """Refuses to mention who does not work here, and who may not read what he would be pointed to."""
    users = {id: tx.directory.user(id) for id in user_ids}
    unknown = [id for id, user in users.items() if user is None or user["state"] != "active"]
    if unknown:
        raise errors.MentionUnknown(unknown)
    blind = [
        (id, str(user["name"]))
        for id, user in users.items()
        if user is not None and not _may_read(tx, id, record)
    ]
    if blind:
        raise errors.MentionCannotRead(blind, record.object)


def _may_read(tx: Tx, user_id: str, record: Record) -> bool:
    rights = reading.rights_of(tx, user_id)
    return all(
        rights.reaches(object, "read", *record.scope) for object in (record.object, comments.OBJECT)
    )


class CommentsRpcs(standard(store.comments.comments, check, delete, undelete), Servicer):  # type: ignore[misc]
    """`/v1/comments`."""

    service = "crm.notifications.v1.CommentsService"
