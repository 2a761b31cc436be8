"""Erasures and exports of personal data."""

revision = "20261123_0007"
down_revision = "20261123_0006"


def upgrade() -> None:
    """Nothing yet."""
