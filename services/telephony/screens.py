"""Whose call it is while it rings, and on whose screens it shows (scenario 3).

The customer's own manager, or who stands in for him while he is away; of strangers whoever the line says, else everybody in its
department who is at work; and everybody whose phone rings. Who wants no calls is left alone, unless his phone rings all the same.
"""

from collections.abc import Sequence

from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, line_pb2
from services.telephony import people, store
from services.telephony.store.numbers import Party

Call = call_pb2.Call


async def place(tx: Tx, call: Call, line: line_pb2.Line | None, parties: Sequence[Party]) -> None:
    """Gives a new call its owner, its department and its screens."""
    owner = _owner(tx, parties)
    call.owner_id = owner
    call.department_id = (line.department_id if line else "") or people.home_of(tx, owner)
    wanted = [people.acting_for(tx, owner)] if owner else _queue(tx, call.department_id, line)
    call.screen_user_ids[:] = await _undisturbed(tx, [id for id in wanted if id])


def ringing(call: Call, user_ids: Sequence[str]) -> None:
    """The phones of these ring: it shows to them, too."""
    for id in user_ids:
        if id not in call.screen_user_ids:
            call.screen_user_ids.append(id)


def _owner(tx: Tx, parties: Sequence[Party]) -> str:
    """The manager of whom the number is, if they agree on one who works here."""
    owners = {party.owner_id for party in parties if party.owner_id}
    owner = owners.pop() if len(owners) == 1 else ""
    return owner if people.is_active(tx, owner) else ""


def _queue(tx: Tx, department_id: str, line: line_pb2.Line | None) -> list[str]:
    named = list(line.user_ids) if line else []
    return [id for id in named or people.members(tx, department_id) if people.is_there(tx, id)]


async def _undisturbed(tx: Tx, user_ids: Sequence[str]) -> list[str]:
    known = await store.presences.presences_of(tx, user_ids)
    return [id for id in user_ids if known[id].disturbed(tx.now)]
