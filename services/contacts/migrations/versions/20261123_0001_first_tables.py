"""Make the tables: records with history, ids in other systems, turns, counts, the timeline, and the chassis's plumbing."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0001"
down_revision = None


def upgrade() -> None:
    """Everything of the first version."""
    execute_file(__file__)
