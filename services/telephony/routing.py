"""At which phones a new call rings where we lead it ourselves (ARI): those of everybody on whose screen it shows (screens.py).

Somebody's phone is his extension at this exchange, and the mobile phone that rings with it. Where nobody of them has one, or
nobody is there, the call rings at everybody whom the line names; an exchange that leads its calls itself does not ask.
"""

from chassis.tx import Tx
from crm.telephony.v1 import connection_pb2
from services.telephony import dialling, people, store
from services.telephony.pbx.adapter import Route

RING_S = 20
"""Where the line does not say how long it rings."""


async def route(tx: Tx, connection: connection_pb2.Connection, key: str) -> Route:
    """Where the call with this key at the exchange goes; nowhere if it is none of ours."""
    id = await store.calls.call_of_key(tx, connection.id, key)
    call = await store.calls.calls.find(tx, id) if id else None
    if call is None:
        return Route()
    line = await store.lines.find(tx, call.line_id) if call.line_id else None
    wanted = list(call.screen_user_ids)
    if not wanted and line is not None:
        wanted = [user for user in line.user_ids if people.is_active(tx, user)]
    endpoints = []
    for extension in await store.extensions_of(tx, wanted):
        if extension.connection_id == connection.id:
            endpoints.append(dialling.endpoint(connection, extension))
            if extension.mobile_number:
                endpoints.append(dialling.outside(connection, extension.mobile_number))
    ring_s = (line.ring_seconds if line else 0) or RING_S
    return Route(list(dict.fromkeys(endpoints)), ring_s, line is not None and line.record)
