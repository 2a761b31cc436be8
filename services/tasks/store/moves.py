"""What handovers moved, and what followed contacts and companies that were merged (the kit writes both)."""

from typing import Any

from sqlalchemy import (
    func,
)

from chassis.kit import following, handover_moves
from chassis.kit.resource import Resource
from crm.tasks.v1 import meeting_pb2, task_pb2
from services.tasks.store.meetings import meetings
from services.tasks.store.schema import metadata, saved_views
from services.tasks.store.tasks import tasks

FOLLOWING: dict[str, Resource[Any]] = {"task": tasks, "meeting": meetings}
"""What follows a contact or company: object -> resource."""

# -- handovers ---------------------------------------------------------------------------------------------------------------

handover_moves.tables(metadata)

OPEN_TASKS = tasks.view.c.state == int(task_pb2.Task.STATE_OPEN)
SHARED_VIEWS = saved_views.view.c.shared.is_(True)
# The server's clock will do: a meeting that ends in this second may go or stay.
COMING_MEETINGS = (meetings.view.c.state == int(meeting_pb2.Meeting.STATE_SCHEDULED)) & (
    meetings.view.c.last_time > func.now()
)

# -- merges ------------------------------------------------------------------------------------------------------------------

following.declare(metadata)
