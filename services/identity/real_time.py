"""Real time: lifetimes of tokens and waits after failures keep it, whatever a test clock says."""

from datetime import UTC, datetime


def real_now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)
