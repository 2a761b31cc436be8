"""Whose a record is; pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """Whose a record is: what decides whose scope includes it."""

    owner_id: str = ""
    department_id: str = ""
    reader_ids: tuple[str, ...] = ()
    """Followers, and those to whom it is offered."""
