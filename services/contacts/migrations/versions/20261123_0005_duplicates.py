"""Duplicate candidates, dismissals, merges and their undo."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0005"
down_revision = "20261123_0004"


def upgrade() -> None:
    """The tables, and the indexes by which a merge finds who refers to the merged."""
    execute_file(__file__)
