"""Erasures and exports of personal data."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0007"
down_revision = "20261123_0006"


def upgrade() -> None:
    """The tables of certificates, erased ids and archives."""
    execute_file(__file__)
