"""Make the tables of handovers and merges: what was moved, for its undo."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0006"
down_revision = "20261124_0005"


def upgrade() -> None:
    """What handovers moved, who went into whom, and what followed."""
    execute_file(__file__)
