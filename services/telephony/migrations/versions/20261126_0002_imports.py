"""Make imports, with their lines, records and keys."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0002"
down_revision = "20261126_0001"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
