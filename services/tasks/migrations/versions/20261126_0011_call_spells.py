"""Which task calls back whom, for each spell of missed calls."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0011"
down_revision = "20261126_0010"


def upgrade() -> None:
    """A new table."""
    execute_file(__file__)
