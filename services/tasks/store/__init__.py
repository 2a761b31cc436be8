"""The service's tables and statements, one module per resource; callers write `store.tasks.get(...)`."""

from services.tasks.store import bulk, calls, day, facts, matters, promises
from services.tasks.store.calendars import (
    claim_next,
    due_tasks_of,
    end_link,
    leave_row,
    link_since,
    note_place,
    place_of,
    renew_link,
    template_of,
    user_of_key,
    visits_of,
)
from services.tasks.store.ladders import (
    add_run,
    add_runs,
    all_ladders,
    ladders,
    running,
    running_after,
    running_of,
    runs_of,
    save_run,
    save_runs,
)
from services.tasks.store.meetings import meetings
from services.tasks.store.meetings import of_people as meetings_of_people
from services.tasks.store.projects import BEFORE_ALL as BEFORE_ALL_TASKS
from services.tasks.store.projects import before as project_before
from services.tasks.store.projects import counts as project_counts
from services.tasks.store.projects import extent as project_extent
from services.tasks.store.projects import open_tasks as open_project_tasks
from services.tasks.store.projects import ordered as ordered_project_tasks
from services.tasks.store.projects import projects
from services.tasks.store.projects import sections_in_use as project_sections_in_use
from services.tasks.store.projects import tasks_for_update as project_tasks_for_update
from services.tasks.store.requests import (
    answers,
    close_request,
    origin_of,
    request_tasks,
    task_answering,
)
from services.tasks.store.schema import custom_fields, metadata, saved_views
from services.tasks.store.settings import settings, settings_of
from services.tasks.store.task_types import task_types, type_with_key
from services.tasks.store.tasks import before_owner, tasks, versions_of_owner

__all__ = [
    "BEFORE_ALL_TASKS",
    "add_run",
    "add_runs",
    "all_ladders",
    "answers",
    "before_owner",
    "bulk",
    "calls",
    "claim_next",
    "close_request",
    "custom_fields",
    "day",
    "due_tasks_of",
    "end_link",
    "facts",
    "ladders",
    "leave_row",
    "link_since",
    "matters",
    "meetings",
    "meetings_of_people",
    "metadata",
    "note_place",
    "open_project_tasks",
    "ordered_project_tasks",
    "origin_of",
    "place_of",
    "project_before",
    "project_counts",
    "project_extent",
    "project_sections_in_use",
    "project_tasks_for_update",
    "projects",
    "promises",
    "renew_link",
    "request_tasks",
    "running",
    "running_after",
    "running_of",
    "runs_of",
    "save_run",
    "save_runs",
    "saved_views",
    "settings",
    "settings_of",
    "task_answering",
    "task_types",
    "tasks",
    "template_of",
    "type_with_key",
    "user_of_key",
    "versions_of_owner",
    "visits_of",
]
