"""Make what keeps quotes and their pages."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0004"
down_revision = "20261125_0003"


def upgrade() -> None:
    """Quotes with history, their numbers, proofs of answers, and counts of answers by sender."""
    execute_file(__file__)
