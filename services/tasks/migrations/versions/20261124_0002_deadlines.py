"""Ladders and their runs, which request is answered by which task, and the settings of tasks."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0002"
down_revision = "20261124_0001"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
