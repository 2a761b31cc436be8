"""Second factors, identity providers, and the audit, whose entries a trigger keeps as they are."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0002"
down_revision = "20261123_0001"


def upgrade() -> None:
    """All tables of this sentence."""
    execute_file(__file__)
