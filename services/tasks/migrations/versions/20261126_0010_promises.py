"""Make what deals told of their promises, and the task that was made for each."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0010"
down_revision = "20261124_0009"


def upgrade() -> None:
    """A new table; what deals tells of a promise next fills it."""
    execute_file(__file__)
