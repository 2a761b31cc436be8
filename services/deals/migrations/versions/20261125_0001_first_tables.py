"""Make the tables: deals, pipelines and their catalogues with history, settings, custom fields, saved views, and the chassis's plumbing."""

from chassis.db.migrations_env import execute_file

revision = "20261125_0001"
down_revision = None


def upgrade() -> None:
    """Everything of the first version."""
    execute_file(__file__)
