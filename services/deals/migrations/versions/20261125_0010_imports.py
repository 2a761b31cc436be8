"""Make what keeps imports, and by what files name contacts and companies."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0010"
down_revision = "20261125_0009"


def upgrade() -> None:
    """New tables."""
    execute_file(__file__)
