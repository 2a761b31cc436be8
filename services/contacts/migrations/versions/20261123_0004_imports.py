"""Imports with their plans, outcomes and undo."""

revision = "20261123_0004"
down_revision = "20261123_0003"


def upgrade() -> None:
    """Nothing yet."""
