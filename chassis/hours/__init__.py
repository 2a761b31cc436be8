"""Working hours: one calculation for whoever asks when somebody works, or when so much working time has passed."""

from chassis.hours.calculation import Because, Calendar, Day, Hours, SpecialDay
from chassis.hours.resolving import department_hours, hours_of, path_up

__all__ = [
    "Because",
    "Calendar",
    "Day",
    "Hours",
    "SpecialDay",
    "department_hours",
    "hours_of",
    "path_up",
]
