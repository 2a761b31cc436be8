"""What a comment may be: whom it mentions, what it answers, and what of it is fixed; pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from crm.notifications.v1 import comment_pb2
from services.notifications import errors

Comment = comment_pb2.Comment

# @[name](user id), as editors write a mention into plain text; the name is for readers only.
_MENTION = re.compile(
    r"@\[[^\]\n]{1,200}\]\(([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\)"
)
_FIXED = ("object", "object_id", "reply_to_id")


@dataclass(frozen=True, slots=True)
class Record:
    """A record that may carry comments, as its events have told: whose it is and whom it concerns."""

    object: str
    id: str
    version: int
    owner_id: str = ""
    department_id: str = ""
    follower_ids: tuple[str, ...] = ()
    contact_ids: tuple[str, ...] = ()
    company_ids: tuple[str, ...] = ()
    is_deleted: bool = False

    @property
    def scope(self) -> tuple[str, str, tuple[str, ...]]:
        """What decides who may read it."""
        return self.owner_id, self.department_id, self.follower_ids


def mentioned_in(text: str) -> list[str]:
    """The ids that a text mentions, each once, in their order."""
    return _unique(id.lower() for id in _MENTION.findall(text))


def normalise(new: Comment, old: Comment | None) -> None:
    """Refuses a comment that says nothing; adds those whom the text mentions, and drops those whom it mentions no more."""
    if not new.text.strip():
        raise errors.CommentEmpty
    before = set(mentioned_in(old.text)) if old is not None else set()
    named = [id.lower() for id in new.mention_user_ids if id.lower() not in before]
    new.mention_user_ids[:] = _unique([*named, *mentioned_in(new.text)])


def newly_mentioned(new: Comment, old: Comment | None) -> list[str]:
    """Those whom the comment did not mention before."""
    known = set(old.mention_user_ids) if old is not None else set()
    return [id for id in new.mention_user_ids if id not in known]


def keep_fixed(new: Comment, old: Comment) -> None:
    """Refuses to move it: what was said about one customer must not turn up on another's card."""
    for field in _FIXED:
        if getattr(new, field) != getattr(old, field):
            raise errors.CommentFixed(field, getattr(old, field))


def check_reply(comment: Comment, answered: Comment | None) -> None:
    """Threads are one deep, on one record."""
    if answered is None:
        raise errors.ReplyInvalid(comment.reply_to_id, "there is no such comment on this record")
    if (answered.object, answered.object_id) != (comment.object, comment.object_id):
        raise errors.ReplyInvalid(comment.reply_to_id, "there is no such comment on this record")
    if answered.reply_to_id:
        why = f"it is an answer itself; answer {answered.reply_to_id} instead"
        raise errors.ReplyInvalid(comment.reply_to_id, why)


def stand_on(comment: Comment, record: Record) -> None:
    """Lets it be read by who may read the record, and appear on the cards of those whom the record concerns."""
    comment.object, comment.object_id = record.object, record.id
    comment.owner_id, comment.department_id = record.owner_id, record.department_id
    comment.follower_ids[:] = record.follower_ids
    comment.contact_ids[:] = record.contact_ids
    comment.company_ids[:] = record.company_ids


def move(comment: Comment, record: Record) -> None:
    """Takes it along to the record into which its own was merged."""
    comment.origin_id = comment.origin_id or comment.object_id
    stand_on(comment, record)


def move_back(comment: Comment, record: Record) -> None:
    """Takes it back to the record on which it was written."""
    comment.origin_id = ""
    stand_on(comment, record)


def _unique(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
