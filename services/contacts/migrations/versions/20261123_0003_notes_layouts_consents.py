"""Notes, agreements, layouts, the consent ledger, personal links; the next-contact date of contacts and companies."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0003"
down_revision = "20261123_0002"


def upgrade() -> None:
    """New tables, and one column with its views made anew: a view does not see columns that came after it."""
    execute_file(__file__)
