"""What was called and answered, by person and day, of the calls that the caller may read (S88, S109, S135, S137)."""

from datetime import datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import Date, Text, bindparam, case, cast, func, literal_column

from chassis.db.statement import Statement
from chassis.kit import counting, listing
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.telephony.v1 import call_messages_pb2, call_pb2, parts_pb2
from services.telephony.store.calls import calls

Call = call_pb2.Call

_V = calls.view.c
_SPOKEN = _V.outcome.in_([literal_column(str(int(o))) for o in (Call.OUTCOME_ANSWERED, Call.OUTCOME_TRANSFERRED)])  # fmt: skip
_IN = _V.direction == literal_column(str(int(Call.DIRECTION_INBOUND)))
_OUT = _V.direction == literal_column(str(int(Call.DIRECTION_OUTBOUND)))
_ENDED = _V.state == literal_column(str(int(Call.STATE_ENDED)))
# A call that was thought to be missed and was not, as the exchange told late, is none.
_MISSED = (_V.missed_state != literal_column("0")) & ~_SPOKEN
_OPEN = _V.missed_state == literal_column(str(int(Call.MISSED_STATE_OPEN)))
_DURING = (
    _V.start_time >= bindparam("the_since", type_=Moment),
    _V.start_time < bindparam("the_until", type_=Moment),
)
_DAY = cast(func.timezone(bindparam("the_zone", type_=Text), _V.start_time), Date)


def _how_many(*conditions: Any) -> Any:
    return func.count().filter(*conditions)


async def by_person_and_day(
    tx: Tx, filter: str, since: datetime, until: datetime, zone: str
) -> list[Record]:
    """owner_id, day and the figures of one person on one day, by day and person; missed calls are nobody's."""
    person = case((_SPOKEN | _OUT, _V.owner_id), else_=None).label("person")
    columns = [
        _how_many(_IN, _SPOKEN).label("answered"),
        _how_many(_OUT, _SPOKEN).label("reached"),
        _how_many(_OUT, ~_SPOKEN).label("tried"),
        func.coalesce(func.sum(_V.talk_seconds), 0).label("talk_seconds"),
        func.coalesce(func.sum(_V.wrap_up_seconds), 0).label("wrap_up_seconds"),
        _how_many(_SPOKEN, _V.purpose == literal_column(str(int(parts_pb2.PURPOSE_SALES)))).label("sales"),
        _how_many(_MISSED).label("missed"),
        _how_many(_OPEN).label("missed_open"),
        func.sum(
            case((_MISSED & ~_OPEN, func.extract("epoch", _V.missed_end_time - _V.end_time)), else_=0)
        ).label("made_good_seconds"),
        _how_many(_V.missed_state.in_([
            literal_column(str(int(s))) for s in (Call.MISSED_STATE_RETURNED, Call.MISSED_STATE_CAME_BACK)
        ])).label("made_good"),
    ]  # fmt: skip
    asked = call_messages_pb2.ListCallsRequest(filter=filter)
    query = listing.checked(tx, calls, asked, tx.runtime.page_tokens)
    found, values = counting.matching_ids(calls, query.filter, tx.rights)
    statement = (
        found.with_only_columns(person, _DAY.label("day"), *columns)
        .where(_ENDED, *_DURING)
        .group_by(person, literal_column("day"))
        .order_by(literal_column("day"), person)
    )
    return await tx.fetch(
        Statement(statement), **values, the_since=since, the_until=until, the_zone=zone
    )
