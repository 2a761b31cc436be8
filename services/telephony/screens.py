"""Whose call it is while it rings, and on whose screens it shows (scenario 3).

The customer's own manager, or who stands in for him while he is away; the managers of all who have the number where nobody knows
which of them calls; of strangers whoever the line says, else everybody in its department who is at work; and everybody whose
phone rings. Who wants no calls is left alone, unless his phone rings all the same: where nobody else is left, the queue sees it.
"""

from collections.abc import Sequence

from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, line_pb2
from services.telephony import people, store
from services.telephony.store.numbers import Party

Call = call_pb2.Call


async def place(tx: Tx, call: Call, line: line_pb2.Line | None, parties: Sequence[Party]) -> None:
    """Gives a new call its owner, its department and its screens, and lets everybody read it to whom it shows."""
    managers = _managers(tx, call, parties)
    call.owner_id = managers[0] if len(managers) == 1 else ""
    home = people.home_of(tx, managers[0]) if managers else ""
    call.department_id = (line.department_id if line else "") or home
    wanted = dict.fromkeys(people.acting_for(tx, id) for id in managers)
    shown = await _undisturbed(tx, [id for id in wanted if id])
    shown = shown or await queue(tx, call.department_id, line)
    call.screen_user_ids[:] = shown
    _let_read(tx, call)


async def found(tx: Tx, call: Call, parties: Sequence[Party]) -> None:
    """Whose number it is became known: an unanswered call that nobody has is his manager's, and shows to him while it rings."""
    managers = _managers(tx, call, parties)
    if call.owner_id or call.spoke_user_ids or len(managers) != 1:
        return
    call.owner_id = managers[0]
    if call.state in (Call.STATE_RINGING, Call.STATE_QUEUED):
        ringing(call, await _undisturbed(tx, [people.acting_for(tx, managers[0]) or managers[0]]))
        _let_read(tx, call)


def ringing(call: Call, user_ids: Sequence[str]) -> None:
    """The phones of these ring: it shows to them, too."""
    for id in user_ids:
        if id not in call.screen_user_ids:
            call.screen_user_ids.append(id)


def _managers(tx: Tx, call: Call, parties: Sequence[Party]) -> list[str]:
    """Who of the people here looks after whom the call names, the contact first; else after anybody who has the number."""
    for id in (call.contact_id, call.company_id):
        named = [p.owner_id for p in parties if id and p.id == id and people.is_active(tx, p.owner_id)]  # fmt: skip
        if named:
            return named
    several = [] if call.contact_id else parties
    return list(dict.fromkeys(p.owner_id for p in several if people.is_active(tx, p.owner_id)))


async def queue(tx: Tx, department_id: str, line: line_pb2.Line | None) -> list[str]:
    """Who takes what is nobody's: whom the line names, else the department, as far as they are at work and want calls."""
    named = list(line.user_ids) if line else []
    there = [id for id in named or people.members(tx, department_id) if people.is_there(tx, id)]
    return await _undisturbed(tx, there)


def _let_read(tx: Tx, call: Call) -> None:
    """The owner, his stand-in and, of what nobody owns, the department read it anyway."""
    for id in call.screen_user_ids:
        if call.owner_id:
            reads = id in (call.owner_id, people.acting_for(tx, call.owner_id))
        else:
            reads = people.home_of(tx, id) == call.department_id != ""
        if not reads and id not in call.follower_ids:
            call.follower_ids.append(id)


async def _undisturbed(tx: Tx, user_ids: Sequence[str]) -> list[str]:
    known = await store.presences.presences_of(tx, user_ids)
    return [id for id in user_ids if known[id].disturbed(tx.now)]
