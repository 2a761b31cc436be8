"""What brought a contact, first and last, among its card facts; and the orders of lists by the last contact each way."""

from chassis.db.migrations_env import execute_file

revision = "20261123_0009"
down_revision = "20261123_0008"


def upgrade() -> None:
    """New columns and indexes, and the view made anew; `POST /v1/cardFacts:rebuild` fills them for requests that came before."""
    execute_file(__file__)
