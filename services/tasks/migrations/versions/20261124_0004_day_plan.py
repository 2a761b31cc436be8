"""The day plan: what contacts told of customers and agreements, whose morning was told, and an index of open tasks by day."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0004"
down_revision = "20261124_0003"


def upgrade() -> None:
    """New tables and an index."""
    execute_file(__file__)
