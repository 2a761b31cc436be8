"""Count the signed calls of exchanges' providers by address and minute."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0002"
down_revision = "20261126_0001"


def upgrade() -> None:
    """One table."""
    execute_file(__file__)
