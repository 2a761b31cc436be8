"""What notifications refuses, each with its reason (reasons.proto)."""

from datetime import datetime

from chassis import errors
from chassis.errors import Violation


class NoticeRuleInvalid(errors.InvalidArgument):
    reason = "NOTICE_RULE_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} value(s) of the notice rule cannot be accepted; see violations",
            violations,
        )


class KeyTaken(errors.AlreadyExists):
    reason = "KEY_TAKEN"

    def __init__(self) -> None:
        super().__init__(
            "another notice rule has or had this key; choose another or undelete that one",
            [Violation("key", "must be unique")],
        )


class KeyFixed(errors.InvalidArgument):
    reason = "KEY_FIXED"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the key {key!r} of a notice rule cannot change, texts hang on it; change the name instead",
            [Violation("key", f"stays {key!r}")],
        )


class ReferenceUnknown(errors.InvalidArgument):
    reason = "REFERENCE_UNKNOWN"

    def __init__(self, missing: list[tuple[str, str]]) -> None:
        super().__init__(
            "the record refers to what does not exist: " + ", ".join(value for _, value in missing),
            [Violation(field, f"there is no {value}") for field, value in missing],
        )


class PreferencesInvalid(errors.InvalidArgument):
    reason = "PREFERENCES_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} preference(s) cannot be kept; see violations", violations
        )


class SnoozeInvalid(errors.InvalidArgument):
    reason = "SNOOZE_INVALID"

    def __init__(self, until: datetime, now: datetime, most_days: int) -> None:
        super().__init__(
            f"a notice cannot be put away until {until:%Y-%m-%dT%H:%M:%SZ}; choose a moment after"
            f" {now:%Y-%m-%dT%H:%M:%SZ} and at most {most_days} days ahead",
            [Violation("until_time", f"must lie ahead, and within {most_days} days")],
        )


class PushSubscriptionInvalid(errors.InvalidArgument):
    reason = "PUSH_SUBSCRIPTION_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        first = violations[0]
        super().__init__(
            f"this is not what PushManager.subscribe gives: {first.field} {first.description}",
            violations,
        )


class PushTooManyDevices(errors.ResourceExhausted):
    reason = "PUSH_TOO_MANY_DEVICES"

    def __init__(self, many: int) -> None:
        super().__init__(
            f"you have subscribed {many} devices, and that is the most; unsubscribe one that you do not use any more"
        )


class CommentRecordUnknown(errors.InvalidArgument):
    reason = "COMMENT_RECORD_UNKNOWN"

    def __init__(self, object: str, id: str) -> None:
        super().__init__(
            f"there is no {object} {id} that can carry comments; if it was made a moment ago, try again",
            [Violation("object_id", f"there is no {object} {id}")],
            metadata={"object": object},
        )


class CommentFixed(errors.InvalidArgument):
    reason = "COMMENT_FIXED"

    def __init__(self, field: str, value: str) -> None:
        super().__init__(
            f"{field} of a comment stays {value or 'empty'}; write another comment instead",
            [Violation(field, f"stays {value or 'empty'}")],
        )


class CommentNotYours(errors.PermissionDenied):
    reason = "COMMENT_NOT_YOURS"

    def __init__(self, author: str) -> None:
        super().__init__(f"this comment is {author}'s, who alone may change it; answer it instead")


class ReplyInvalid(errors.InvalidArgument):
    reason = "REPLY_INVALID"

    def __init__(self, id: str, why: str) -> None:
        super().__init__(f"{id} cannot be answered: {why}", [Violation("reply_to_id", why)])


class MentionUnknown(errors.InvalidArgument):
    reason = "MENTION_UNKNOWN"

    def __init__(self, ids: list[str]) -> None:
        super().__init__(
            f"nobody who works here has the id {', '.join(ids)}; mention active colleagues only",
            [Violation("mention_user_ids", f"{id} is not an active user") for id in ids],
        )


class MentionCannotRead(errors.FailedPrecondition):
    reason = "MENTION_CANNOT_READ"

    def __init__(self, people: list[tuple[str, str]], object: str) -> None:
        """`people` are ids and names."""
        names = ", ".join(name for _, name in people)
        super().__init__(
            f"{names} may not read this {object}: let them follow it first, or leave the mention out",
            [Violation("mention_user_ids", f"{id} ({name}) may not read the {object}") for id, name in people],
            metadata={"user_ids": ",".join(id for id, _ in people)},
        )  # fmt: skip


class CommentEmpty(errors.InvalidArgument):
    reason = "COMMENT_EMPTY"

    def __init__(self) -> None:
        super().__init__(
            "a comment must say something besides blanks",
            [Violation("text", "must say something besides blanks")],
        )
