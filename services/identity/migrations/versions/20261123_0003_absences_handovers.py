"""Absences and handovers."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0003"
down_revision = "20261123_0002"


def upgrade() -> None:
    """Both resources with their histories, and what handovers moved here."""
    execute_file(__file__)
