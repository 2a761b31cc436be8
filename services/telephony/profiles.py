"""Extensions of which people's profiles tell: they ring at the company's exchanges, or at the simulated one where there is no other.

What an administrator made stays as he made it: a number that is taken is not taken over.
"""

import re

from chassis.tx import Tx
from crm.telephony.v1 import catalogue_events_pb2 as events
from crm.telephony.v1 import connection_pb2, extension_pb2
from services.telephony import store

Connection = connection_pb2.Connection
Extension = extension_pb2.Extension

_DIALLED = re.compile(r"[0-9*#]+")  # as the rule of Extension.number; profiles hold any text


async def follow(tx: Tx, user_id: str, number: str) -> None:
    """The user's extension is this one from now on; none where the text is empty or no phone could dial it."""
    used = await _held(tx)
    real = [each for each in used if each.kind != Connection.KIND_SIMULATOR]
    rings_at = {each.id for each in real or used}
    wanted = number if _DIALLED.fullmatch(number) else ""
    for connection in used:
        await _follow_at(tx, connection.id, user_id, wanted if connection.id in rings_at else "")


async def follow_everybody(tx: Tx) -> None:
    """Where the company's phones are has changed. What extensions are told already goes before the directory, which may be behind."""
    users = {
        id: str(user.get("extension") or "")
        for id, user in tx.directory.users().items()
        if user.get("state") != "deactivated"
    }
    for connection in await _held(tx):
        for each in await store.extensions_at(tx, connection.id):
            if each.from_profile and not each.retired:
                users[each.user_id] = each.number
    for id, number in sorted(users.items()):
        if number:
            await follow(tx, id, number)


async def _held(tx: Tx) -> list[Connection]:
    """The exchanges that are spoken with; nobody else follows a profile there meanwhile, so what is read then is so."""
    used = await store.connections_in_use(tx)
    await tx.lock(*(f"extensions {connection.id}" for connection in used))
    return used


async def _follow_at(tx: Tx, connection_id: str, user_id: str, number: str) -> None:
    there = await store.extensions_at(tx, connection_id)
    mine = next((each for each in there if each.from_profile and each.user_id == user_id), None)
    if number in {each.number for each in there if each is not mine}:
        number = ""
    if mine is None and number:
        made = Extension(
            id=tx.new_id(), number=number, connection_id=connection_id, user_id=user_id, from_profile=True,
        )  # fmt: skip
        store.extensions.save(tx, made)
        tx.emit(events.ExtensionCreated(extension=made))
    elif mine is not None and (mine.number, mine.retired) != (number or mine.number, not number):
        mine.number, mine.retired = number or mine.number, not number
        store.extensions.save(tx, mine)
        tx.emit(events.ExtensionUpdated(extension=mine))
    else:
        return
    await tx.flush()  # what the next one asks for is in the table
    await store.leases.extensions_changed(tx, connection_id)
