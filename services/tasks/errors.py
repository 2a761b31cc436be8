"""What tasks refuses, each with its reason (reasons.proto)."""

from datetime import datetime

from chassis import errors
from chassis.errors import Violation


class ValuesInvalid(errors.InvalidArgument):
    """Wrong values of one record, all named at once."""

    reason = "VALUES_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            f"{len(violations)} value(s) cannot be accepted; see violations", violations
        )


class ReferenceUnknown(errors.InvalidArgument):
    reason = "REFERENCE_UNKNOWN"

    def __init__(self, missing: list[tuple[str, str]]) -> None:
        super().__init__(
            "the record refers to what does not exist: " + ", ".join(value for _, value in missing),
            [Violation(field, f"there is no {value}") for field, value in missing],
        )


class KeyTaken(errors.AlreadyExists):
    reason = "KEY_TAKEN"

    def __init__(self, noun: str = "task type") -> None:
        super().__init__(
            f"another {noun} has this key; choose another or change that one",
            [Violation("key", "must be unique")],
        )


class KeyFixed(errors.InvalidArgument):
    reason = "KEY_FIXED"

    def __init__(self, noun: str, key: str) -> None:
        super().__init__(
            f"the key {key!r} of a {noun} cannot change, rules and programs use it; change the name instead",
            [Violation("key", f"stays {key!r}")],
        )


class TaskWrongState(errors.FailedPrecondition):
    reason = "TASK_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str, *, hint: str = "") -> None:
        super().__init__(
            f"a task that is {state} cannot be {verb}; it must be {allowed}{hint}",
            metadata={"state": state},
        )


class AssigneeNotActive(errors.FailedPrecondition):
    reason = "ASSIGNEE_NOT_ACTIVE"

    def __init__(self, user_id: str, field: str = "owner_id") -> None:
        super().__init__(
            f"{user_id} is not an active user; choose an active colleague",
            [Violation(field, "must be an active user")],
        )


class ResultInvalid(errors.InvalidArgument):
    reason = "RESULT_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        first = violations[0]
        super().__init__(f"{first.field}: {first.description}", violations)


class TaskTaken(errors.Aborted):
    reason = "TASK_TAKEN"

    def __init__(self, name: str, at: str) -> None:
        super().__init__(
            f"{name} was quicker and took the task at {at}; choose another one",
            metadata={"taken_by": name},
        )


class TaskGivenOn(errors.FailedPrecondition):
    """Who had the task says that it is done, but not that it was while he had it; `has` is what became of it."""

    reason = "TASK_GIVEN_ON"

    def __init__(self, has: str, until: str) -> None:
        super().__init__(
            f"the task was yours until {until}; {has}. If you did it before that, send done_time, or the etag that you saw",
            [
                Violation(
                    "done_time", f"must be before {until}, when the task went to somebody else"
                )
            ],
        )


class NotOffered(errors.PermissionDenied):
    reason = "NOT_OFFERED"

    def __init__(self) -> None:
        super().__init__(
            "the task is neither offered to you nor in a queue from which you may take; ask for it by :assign"
        )


class NotYours(errors.PermissionDenied):
    reason = "NOT_YOURS"

    def __init__(self, name: str) -> None:
        """`name` is who has to do it; empty if nobody has it yet."""
        whose = f"{name} has to do this task" if name else "nobody has taken this task yet"
        super().__init__(
            f"{whose}, so you have nothing to give back; use :assign to give it to somebody else"
        )


class NobodyToReturnTo(errors.FailedPrecondition):
    reason = "NOBODY_TO_RETURN_TO"

    def __init__(self) -> None:
        super().__init__(
            "nobody gave you this task and it came from no queue, so it has nowhere to return to; cancel it or assign it"
        )


class TooMany(errors.InvalidArgument):
    reason = "TOO_MANY"

    def __init__(self, wanted: int, most: int) -> None:
        super().__init__(
            f"{wanted} tasks are too many for one call; at most {most}: send several calls",
            [Violation("tasks", f"times owner_ids gives {wanted}; at most {most}")],
        )


class NoReactionClock(errors.FailedPrecondition):
    reason = "NO_REACTION_CLOCK"

    def __init__(self) -> None:
        super().__init__(
            "this task answers no request, so no customer's clock runs; use :complete when it is done"
        )


# -- deadlines and ladders ---------------------------------------------------------------------------------------------------


class LadderInvalid(errors.InvalidArgument):
    reason = "LADDER_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)


class TaskSettingsInvalid(errors.InvalidArgument):
    reason = "TASK_SETTINGS_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{violations[0].field}: {violations[0].description}", violations)


# -- meetings ----------------------------------------------------------------------------------------------------------------


class MeetingWrongState(errors.FailedPrecondition):
    reason = "MEETING_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str) -> None:
        super().__init__(
            f"a meeting that is {state} cannot be {verb}; it must be {allowed}",
            metadata={"state": state},
        )


class MeetingConflict(errors.Aborted):
    """`busy` says of each who is busy: a sentence, as far as the caller may know."""

    reason = "MEETING_CONFLICT"

    def __init__(self, busy: list[str], *, more: int = 0, field: str = "start_time") -> None:
        others = f" and {more} more" if more else ""
        super().__init__(
            f"{'; '.join(busy)}{others}; choose another time, see /v1/meetings:freeSlots",
            [Violation(field, each) for each in busy],
        )


class OccurrenceUnknown(errors.InvalidArgument):
    reason = "OCCURRENCE_UNKNOWN"

    def __init__(self, original: datetime) -> None:
        super().__init__(
            f"the meeting does not repeat with a start at {original.isoformat()}; name a start as its rule gives it",
            [Violation("original_time", f"{original.isoformat()} is no start that takes place")],
        )


class NotInvited(errors.PermissionDenied):
    reason = "NOT_INVITED"

    def __init__(self) -> None:
        super().__init__(
            "who answers must be among the participants; the organiser moves or cancels the meeting instead"
        )


class RecurrenceInvalid(errors.InvalidArgument):
    """`wrong` is a sentence without its subject, which is the field."""

    reason = "RECURRENCE_INVALID"

    def __init__(self, wrong: str) -> None:
        super().__init__(f"recurrence: {wrong}", [Violation("recurrence", wrong)])


# -- projects and changes of many tasks --------------------------------------------------------------------------------------


class ProjectWrongState(errors.FailedPrecondition):
    reason = "PROJECT_WRONG_STATE"

    def __init__(self, verb: str, state: str, allowed: str, field: str = "") -> None:
        super().__init__(
            f"a project that is {state} cannot be {verb}; it must be {allowed}",
            [Violation(field, f"names a project that is {state}")] if field else (),
            metadata={"state": state},
        )


class ProjectNotFinished(errors.FailedPrecondition):
    reason = "PROJECT_NOT_FINISHED"

    def __init__(self, open: int) -> None:
        super().__init__(
            f"the project has {open} open task(s); end them, move them to another project, or archive the project",
            metadata={"open": str(open)},
        )


class ProjectFull(errors.FailedPrecondition):
    reason = "PROJECT_FULL"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"the project has {most} tasks, the most that one may have; begin another one",
            [Violation("project_id", f"has {most} tasks already")],
        )


class SectionInUse(errors.FailedPrecondition):
    reason = "SECTION_IN_USE"

    def __init__(self, keys: list[str]) -> None:
        super().__init__(
            f"tasks are still in {', '.join(keys)}; move them to another section first",
            [Violation("sections", f"must keep {key}") for key in keys],
        )


class TooManyTasks(errors.InvalidArgument):
    reason = "TOO_MANY_TASKS"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"the filter names more than {most} open tasks, the most that one change may have; narrow it",
            [Violation("filter", f"names more than {most} open tasks")],
        )


class TaskChangeWrongState(errors.FailedPrecondition):
    reason = "TASK_CHANGE_WRONG_STATE"

    def __init__(self, verb: str, state: str, hint: str) -> None:
        super().__init__(
            f"a change that is {state} cannot be {verb}; {hint}", metadata={"state": state}
        )


# -- the day plan ------------------------------------------------------------------------------------------------------------


class DayNotYours(errors.PermissionDenied):
    """`whose` is whose tasks the caller may not read."""

    reason = "DAY_NOT_YOURS"

    def __init__(self, whose: str) -> None:
        super().__init__(
            f"you may not read the tasks of {whose}; ask an administrator for task.read at the scope subtree"
        )


# -- imports and exports -----------------------------------------------------------------------------------------------------


class NoCards(errors.InvalidArgument):
    reason = "NO_CARDS"

    def __init__(self) -> None:
        super().__init__(
            "tasks cannot be written as vCards, which hold people; ask for CSV or XLSX",
            [Violation("format", "must be FILE_FORMAT_CSV or FILE_FORMAT_XLSX")],
        )
