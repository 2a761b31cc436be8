"""What telephony told of calls, for the facts of cards and the requests of strangers."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0011"
down_revision = "20261125_0010"


def upgrade() -> None:
    """A new table."""
    execute_file(__file__)
