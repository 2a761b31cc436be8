"""At which phones a new call rings where we lead it ourselves (ARI).

First at those of everybody on whose screen it shows (screens.py): the customer's own manager, or who stands in for him. Where
nobody of them picks up within the line's `ring_seconds`, or their phones are busy, at those of the queue beside them: of whom the
line names, else of everybody in its department who is at work, for its `queue_seconds`. A stranger's call is the queue's at once.

Somebody's phone is his extension at this exchange, and the mobile phone that rings with it. Where nobody of them has one, or
nobody is there, the call rings at everybody whom the line names; an exchange that leads its calls itself does not ask.
"""

from collections.abc import Sequence

from chassis.tx import Tx
from crm.telephony.v1 import connection_pb2
from services.telephony import dialling, people, screens, store
from services.telephony.pbx.adapter import Route

RING_S, QUEUE_S = 20, 60
"""Where the line does not say how long it rings."""


async def route(tx: Tx, connection: connection_pb2.Connection, key: str) -> Route:
    """Where the call with this key at the exchange goes; nowhere if it is none of ours."""
    id = await store.calls.call_of_key(tx, connection.id, key)
    call = await store.calls.calls.find(tx, id) if id else None
    if call is None:
        return Route()
    line = await store.lines.find(tx, call.line_id) if call.line_id else None
    queue = await screens.queue(tx, call.department_id, line)
    first = await _endpoints(tx, connection, list(call.screen_user_ids))
    others = [each for each in await _endpoints(tx, connection, queue) if each not in first]
    if not first and not others and line is not None:
        named = [user for user in line.user_ids if people.is_active(tx, user)]
        others = await _endpoints(tx, connection, named)
    ring_s = (line.ring_seconds if line else 0) or RING_S
    queue_s = (line.queue_seconds if line else 0) or QUEUE_S
    record = line is not None and line.record
    if not first:
        return Route(others, queue_s, record)
    if set(call.screen_user_ids) <= set(queue) and not call.owner_id:
        return Route([*first, *others], queue_s, record)
    return Route(first, ring_s, record, others, queue_s if others else 0)


async def _endpoints(
    tx: Tx, connection: connection_pb2.Connection, user_ids: Sequence[str]
) -> list[str]:
    """How the exchange dials the phones of these."""
    found = []
    for extension in await store.extensions_of(tx, user_ids):
        if extension.connection_id == connection.id:
            found.append(dialling.endpoint(connection, extension))
            if extension.mobile_number:
                found.append(dialling.outside(connection, extension.mobile_number))
    return list(dict.fromkeys(found))
