"""What a handover moved, for its undo."""

revision = "20261123_0008"
down_revision = "20261123_0007"


def upgrade() -> None:
    """Nothing yet."""
