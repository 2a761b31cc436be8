"""What a handover moved, for its undo."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0008"
down_revision = "20261123_0007"


def upgrade() -> None:
    """Moves, and how far this service's part is."""
    execute_file(__file__)
