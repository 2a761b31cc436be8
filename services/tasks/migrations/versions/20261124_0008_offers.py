"""Find what is offered to somebody among all tasks."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0008"
down_revision = "20261124_0007"


def upgrade() -> None:
    """Small: it holds only what is offered at the moment."""
    execute_file(__file__)
