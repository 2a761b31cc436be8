"""Imports with their plans, outcomes and undo.

The indexes of keys are kept without a pending list: an import looks up thousands of keys while it adds thousands of rows,
and each look-up would read the whole list.
"""

from chassis.db.migrations_env import execute_file

revision = "20261123_0004"
down_revision = "20261123_0003"


def upgrade() -> None:
    """The tables of imports."""
    execute_file(__file__)
