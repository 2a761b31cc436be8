"""Push subscriptions with their addresses, comments, and the records on which comments stand."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0002"
down_revision = "20261124_0001"


def upgrade() -> None:
    """Tables that a program of the version before does not know."""
    execute_file(__file__)
