"""Meetings, links to calendars, and the rows of repeated tasks."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0003"
down_revision = "20261124_0002"


def upgrade() -> None:
    """New tables only."""
    execute_file(__file__)
