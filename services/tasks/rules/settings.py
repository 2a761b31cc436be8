"""What a company may decide about its tasks."""

from chassis.errors import Violation
from crm.tasks.v1 import task_settings_pb2
from services.tasks import errors

LONGEST_REACTION_MINUTES = 1440


def check(settings: task_settings_pb2.TaskSettings) -> None:
    """TaskSettingsInvalid for a reaction time that nobody could keep or would notice."""
    minutes = settings.reaction_minutes
    if not 1 <= minutes <= LONGEST_REACTION_MINUTES:
        said = f"is {minutes}; give 1 to {LONGEST_REACTION_MINUTES} minutes, or switch request_task off"
        raise errors.TaskSettingsInvalid([Violation("reaction_minutes", said)])
