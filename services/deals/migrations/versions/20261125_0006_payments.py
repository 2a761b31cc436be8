"""Make what keeps payments and bank statements."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0006"
down_revision = "20261125_0005"


def upgrade() -> None:
    """Payments, bank statements and their lines, with history."""
    execute_file(__file__)
