"""Make the tables: records with history, ids in other systems, turns, counts, the timeline, and the chassis's plumbing."""

from chassis.db.migrations_env import execute
from chassis.db.plumbing import plumbing
from chassis.db.schema import ddl
from services.contacts.store import metadata

revision = "20261123_0001"
down_revision = None


def upgrade() -> None:
    """Everything of the first version."""
    execute([*ddl(plumbing()), *ddl(metadata)])
