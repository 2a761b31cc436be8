"""Projects, and changes of many tasks with what they do to each."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0005"
down_revision = "20261124_0004"


def upgrade() -> None:
    """New tables only."""
    execute_file(__file__)
