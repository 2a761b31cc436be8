"""Make what keeps commissions, sales plans and rates."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0007"
down_revision = "20261125_0006"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
