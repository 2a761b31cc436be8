"""What a company may decide about its tasks."""

from chassis.errors import Violation
from crm.tasks.v1 import task_settings_pb2
from services.tasks import errors

LONGEST_REACTION_MINUTES = 1440


def check(settings: task_settings_pb2.TaskSettings) -> None:
    """TaskSettingsInvalid for times that nobody could keep or would notice."""
    wrong = [
        Violation(
            field,
            f"is {minutes}; give 1 to {LONGEST_REACTION_MINUTES} minutes, or switch {switch} off",
        )
        for field, minutes, switch in (
            ("reaction_minutes", settings.reaction_minutes, "request_task"),
            ("call_back_minutes", settings.call_back_minutes, "call_back_task"),
        )
        if not 1 <= minutes <= LONGEST_REACTION_MINUTES
    ]
    if wrong:
        raise errors.TaskSettingsInvalid(wrong)
