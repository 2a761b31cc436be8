"""Make what keeps handovers, and which contacts and companies went into others."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0009"
down_revision = "20261125_0008"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
