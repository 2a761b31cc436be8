"""Make what keeps invoices, their numbers, who sells and who buys."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0005"
down_revision = "20261125_0004"


def upgrade() -> None:
    """Invoices and legal entities with history, the counters of their series, and what is known of buyers."""
    execute_file(__file__)
