"""What deals told of deals, quotes, invoices, contracts and price lists, for the day plan and for tasks of a deal."""

from chassis.db.migrations_env import execute_file

revision = "20261124_0009"
down_revision = "20261124_0008"


def upgrade() -> None:
    """New tables; `POST /v1/deals:republish` and its like fill them with what was there before."""
    execute_file(__file__)
