"""When the evening before a visit is; pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crm.tasks.v1 import task_pb2

EVE = "visit-eve"
"""The timer's kind."""

_AT = time(17, 0)


def lies_ahead(task: task_pb2.Task) -> bool:
    """True if somebody has to go somewhere for it."""
    return (
        task.state == task_pb2.Task.STATE_OPEN
        and not task.HasField("delete_time")
        and task.visit.HasField("appointment_time")
    )


def eve_of(appointment: datetime, zone: ZoneInfo) -> datetime:
    """17:00 of the day before, by the clock of whoever goes there."""
    day = appointment.astimezone(zone).date() - timedelta(days=1)
    return datetime.combine(day, _AT, zone).astimezone(UTC)
