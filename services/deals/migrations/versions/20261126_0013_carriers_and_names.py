"""Make carriers, what their secrets are made of, the events that they told, and how labels and sources are called."""

from chassis.db.migrations_env import execute_file

revision = "20261126_0013"
down_revision = "20261125_0012"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
