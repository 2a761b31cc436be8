"""Make what keeps products, families, tax classes and price lists, and what tasks measured."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0003"
down_revision = "20261125_0002"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
