"""The tables in which contacts keeps what handovers and absences moved (the kit writes them), and what of its records goes."""

from collections.abc import Iterable

from sqlalchemy import literal_column
from sqlalchemy.sql.elements import ColumnElement

from chassis.kit import handover_moves
from crm.contacts.v1 import agreement_pb2
from services.contacts.store.notes import agreements
from services.contacts.store.reception import requests
from services.contacts.store.schema import metadata, saved_views

handover_moves.tables(metadata)

OPEN_AGREEMENTS = agreements.view.c.state == int(agreement_pb2.Agreement.STATE_OPEN)
SHARED_VIEWS = saved_views.view.c.shared.is_(True)


def unfinished_requests(finished: Iterable[int]) -> ColumnElement[bool]:
    """Requests in none of these states."""
    states = ",".join(str(int(state)) for state in finished)
    return requests.view.c.state != literal_column(f"all('{{{states}}}'::smallint[])")
