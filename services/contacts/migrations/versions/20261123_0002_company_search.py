"""People are found by their company's name."""

revision = "20261123_0002"
down_revision = "20261123_0001"


def upgrade() -> None:
    """Nothing yet."""
