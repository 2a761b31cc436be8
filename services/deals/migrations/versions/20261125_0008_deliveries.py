"""Make what keeps contracts and deliveries."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0008"
down_revision = "20261125_0007"


def upgrade() -> None:
    """Contracts and deliveries with history."""
    execute_file(__file__)
