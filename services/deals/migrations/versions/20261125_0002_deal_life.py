"""Make what keeps what happens around deals: their tasks, the types of tasks that do steps, the last touch."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0002"
down_revision = "20261125_0001"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
