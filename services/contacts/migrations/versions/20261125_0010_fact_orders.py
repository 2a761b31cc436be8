"""The orders of lists by what deals and invoices tell: open deals, revenue, last purchase, debt."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0010"
down_revision = "20261123_0009"


def upgrade() -> None:
    """New indexes."""
    execute_file(__file__)
