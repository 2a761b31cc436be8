"""Make the tables of imports: their lines and plans, the tasks' ids elsewhere, and by what files may name customers."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0007"
down_revision = "20261124_0006"


def upgrade() -> None:
    """Nothing that exists changes."""
    execute_file(__file__)
