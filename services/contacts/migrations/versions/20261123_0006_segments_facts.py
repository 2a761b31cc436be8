"""Segments, their members and audiences; card facts beside every contact and company, and the items they are made of."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0006"
down_revision = "20261123_0005"


def upgrade() -> None:
    """New tables, and columns with their views made anew: a view does not see columns that came after it."""
    execute_file(__file__)
