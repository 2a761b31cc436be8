"""tasks' manifest: what runs here."""

from chassis.service import Service
from services.tasks import (
    bulk_changes,
    consumers,
    consumers_calls,
    consumers_facts,
    consumers_matters,
    consumers_parties,
    consumers_people,
    consumers_promises,
    consumers_requests,
    erasing,
    following,
    handovers,
    personal_data,
    series,
    store,
    timers,
    timers_day,
    timers_meetings,
)
from services.tasks.rpc import TasksRpcs
from services.tasks.rpc.bulk import TaskChangesRpcs
from services.tasks.rpc.calendars import Calendars
from services.tasks.rpc.day import DaysRpcs
from services.tasks.rpc.imports import IMPORT_OPERATIONS, ImportsRpcs, forget_imports
from services.tasks.rpc.ladders import LaddersRpcs
from services.tasks.rpc.meetings import MeetingsRpcs
from services.tasks.rpc.projects import ProjectsRpcs

service = Service(
    name="tasks",
    servicers=[
        TasksRpcs,
        LaddersRpcs,
        MeetingsRpcs,
        Calendars,
        DaysRpcs,
        ProjectsRpcs,
        TaskChangesRpcs,
        ImportsRpcs,
    ],
    consumers=[
        consumers.seed_types,
        consumers_requests.seed_ladder,
        consumers_requests.follow_request,
        consumers_calls.follow,
        consumers_people.plan_again,
        consumers_facts.follow,
        consumers_facts.plan_mornings,
        consumers_matters.follow,
        consumers_promises.follow,
        consumers_parties.follow,
        *handovers.parts.consumers,
        *following.parties.consumers,
        *erasing.erased.consumers,
        *personal_data.handed_out.consumers,
    ],
    timers=[
        timers.deadline,
        timers.ladder,
        timers.replan,
        series.due_passed,
        timers_meetings.remind,
        bulk_changes.close,
        timers_day.morning,
        *following.parties.timers,
        *erasing.erased.timers,
    ],
    operations=[
        *IMPORT_OPERATIONS,
        bulk_changes.carry_out,
        bulk_changes.take_back,
        *handovers.parts.operations,
        *erasing.erased.operations,
        *personal_data.handed_out.operations,
    ],
    metadata=store.metadata,
    nightly=[forget_imports],
)
