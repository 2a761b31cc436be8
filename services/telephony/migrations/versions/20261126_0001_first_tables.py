"""Make the tables of telephony, and the chassis's plumbing."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0001"
down_revision = None


def upgrade() -> None:
    """Everything of the first version."""
    execute_file(__file__)
