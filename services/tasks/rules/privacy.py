"""What is left of a task or meeting about a person who is erased: what happened when, and by whom. Pure.

A field that is added later is left out until it is named here.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from chassis.times import to_timestamp
from crm.tasks.v1 import meeting_pb2, task_pb2
from services.tasks.rules.meetings import replace

Task = task_pb2.Task
Meeting = meeting_pb2.Meeting

_KEPT_OF_TASK = (
    "id", "etag", "create_time", "update_time", "delete_time", "type_id", "state", "priority", "link", "company_id",
    "owner_id", "department_id", "follower_ids", "candidate_ids", "creator_id", "assigner_id", "assign_time",
    "start_time", "due_time", "due_zone", "all_day", "estimated_minutes", "reaction", "series_id", "project_id",
    "position", "outcome", "end_time", "ended_by_id", "miss_time", "attempt_count", "last_attempt_time", "origin", "call_back",
)  # fmt: skip
_KEPT_OF_MEETING = (
    "id", "etag", "create_time", "update_time", "delete_time", "state", "owner_id", "follower_ids", "start_time",
    "end_time", "zone", "all_day", "travel_minutes", "link", "company_id", "recurrence", "excluded_times",
    "cancel_time", "sequence",
)  # fmt: skip
_KEPT_OF_CHANGE = ("original_time", "start_time", "end_time")


def anonymised_task(task: Task, *, at: datetime) -> Task:
    """The task without anything that tells whom it was about; one that was still open is cancelled: there is nobody to call."""
    bare: Task = _only(task, _KEPT_OF_TASK)
    _forget_contact(bare)
    if bare.state == Task.STATE_OPEN:
        bare.state = Task.STATE_CANCELLED
        bare.end_time.CopyFrom(to_timestamp(at))
    return bare


def anonymised_meeting(meeting: Meeting, *, at: datetime) -> Meeting:
    """The meeting without texts, place and people from outside; it does not take place any more."""
    bare: Meeting = _only(meeting, _KEPT_OF_MEETING)
    _forget_contact(bare)
    bare.participants.extend(
        meeting_pb2.Participant(user_id=each.user_id, optional=each.optional, answer=each.answer)
        for each in meeting.participants
        if each.user_id
    )
    bare.changed_occurrences.extend(
        _only(each, _KEPT_OF_CHANGE) for each in meeting.changed_occurrences
    )
    if bare.state == Meeting.STATE_SCHEDULED:
        bare.state = Meeting.STATE_CANCELLED
        bare.cancel_time.CopyFrom(to_timestamp(at))
        bare.sequence += 1
    return bare


def without(meeting: Meeting, ids: Collection[str]) -> None:
    """Takes these contacts out of a meeting with others."""
    replace(meeting.participants, [p for p in meeting.participants if p.contact_id not in ids])
    replace(meeting.contact_ids, [id for id in meeting.contact_ids if id not in ids])


def is_about(record: Any, ids: Collection[str], request_ids: Collection[str]) -> bool:
    """True if the record is about one of these contacts or their requests, and not only with them among others."""
    return record.contact_id in ids or record.link.request_id in request_ids


def _forget_contact(record: Any) -> None:
    if record.link.WhichOneof("target") == "contact_id":
        record.ClearField("link")


def _only(message: Any, names: Iterable[str]) -> Any:
    bare = type(message)()
    for field, value in message.ListFields():
        if field.name not in names:
            continue
        if field.is_repeated:
            getattr(bare, field.name).extend(value)
        elif field.message_type is not None:
            getattr(bare, field.name).CopyFrom(value)
        else:
            setattr(bare, field.name, value)
    return bare
