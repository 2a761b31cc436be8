"""The saga of a handover: what is asked of the services, what they answer, and what happens by itself.

    PROPOSED --all previewed--> PREVIEWED --confirm--> MOVING --all done--> DONE --revert--> RETURNING --all--> RETURNED
                                   └--absence lies ahead--> SCHEDULED --it begins--┘ └--one failed--> FAILED --retry--┘

Services take part by declaring events with a field `part` (crm.common.v1.HandoverPart); a service that is down answers when
it is back. identity's own part (`handover_own.py`) is done in the transaction of the verb.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from chassis import contracts
from chassis.handlers import on, timer
from chassis.stand_in import stand_in
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import handover_pb2 as common
from crm.identity.v1 import handover_events_pb2 as events
from crm.identity.v1 import handover_pb2 as pb
from crm.identity.v1 import user_pb2
from services.identity import handover_own as own
from services.identity import handover_rules as rules
from services.identity import store

Handover = pb.Handover
Part = common.HandoverPart

ANSWER_IN = timedelta(seconds=60)
"""A service that has not answered by then is shown as missing. A move of many records may take longer and is no less done."""
_LATE, _RETURN = "handover-answers", "handover-return"


@cache
def _answers() -> dict[str, type[Any]]:
    """Every event of every service that answers, by its full name."""
    found = {}
    for name, event in sorted(contracts.events().items()):
        field = event.fields_by_name.get("part")
        if field is not None and field.message_type is Part.DESCRIPTOR:
            message = contracts.message_class(name)
            assert message is not None
            found[name] = message
    return found


def participants(configured: str) -> list[str]:
    """The services that take part besides identity: those named, or all whose contracts have answers."""
    known = sorted({contracts.service_of(name) for name in _answers()})
    named = {name.strip() for name in configured.split(",") if name.strip()}
    return [name for name in known if not named or name in named]


# --- asking ---------------------------------------------------------------------------------------------------------------


async def propose(tx: Tx, one: Handover) -> None:
    """Asks every service what would go to whom; earlier answers count no more."""
    one.round += 1
    one.preview_time.CopyFrom(to_timestamp(tx.now))
    del one.parts[:]
    for name in (rules.OWN, *participants(tx.runtime.service_settings.handover_services)):
        one.parts.add(service=name, handover_id=one.id, round=one.round)
    rules.ask(one, Handover.STATE_PROPOSED, Part.STATE_WAITING)
    mine = one.parts[0]
    mine.state = Part.STATE_PREVIEWED
    mine.counts.extend(await own.counts(tx, one))
    rules.settle(one, at=tx.now)
    tx.emit(events.HandoverProposed(handover=one))
    await _expect_answers(tx, one)


async def propose_for(tx: Tx, user: user_pb2.User) -> None:
    """So that nothing of somebody who was deactivated is forgotten: everything to whoever stands in, until somebody decides."""
    if await store.handovers_under_way(tx, user.id):
        return
    gone = {"delegate_id": user.delegate_id}
    one = Handover(
        id=tx.new_id(), owner_id=user.id, kind=Handover.KIND_LEAVER, after_deactivation=True
    )
    one.rules.add(user_ids=[stand_in(tx.directory, user.id, tx.now, absence=gone)])
    await propose(tx, one)
    store.handovers.save(tx, one)


async def start(tx: Tx, one: Handover) -> None:
    """The services move the records; what was planned for a leaver here is done already."""
    rules.ask(one, Handover.STATE_MOVING, Part.STATE_MOVING)
    one.parts[0].state = Part.STATE_DONE
    rules.settle(one, at=tx.now)
    tx.emit(events.HandoverConfirmed(handover=one))
    await _expect_answers(tx, one)
    if one.HasField("until_time"):
        await tx.set_timer(_RETURN, one.id, to_datetime(one.until_time), {"id": one.id})


async def retry(tx: Tx, one: Handover) -> None:
    """Asks the services that have not finished again."""
    one.round += 1
    if one.HasField("revert_time"):
        rules.ask(
            one, Handover.STATE_RETURNING, Part.STATE_RETURNING, besides={Part.STATE_RETURNED}
        )
        tx.emit(events.HandoverReverted(handover=one))
    else:
        rules.ask(one, Handover.STATE_MOVING, Part.STATE_MOVING, besides={Part.STATE_DONE})
        tx.emit(events.HandoverConfirmed(handover=one))
    await _expect_answers(tx, one)


async def give_back(tx: Tx, one: Handover) -> None:
    """The services give back; identity does at once."""
    one.revert_time.CopyFrom(to_timestamp(tx.now))
    rules.ask(one, Handover.STATE_RETURNING, Part.STATE_RETURNING)
    mine = one.parts[0]
    mine.state = Part.STATE_RETURNED
    del mine.kept[:]
    mine.kept.extend(await own.give_back(tx, one))
    mine.kept_count = len(mine.kept)
    rules.settle(one, at=tx.now)
    tx.emit(events.HandoverReverted(handover=one))
    await tx.cancel_timer(_RETURN, one.id)
    await _expect_answers(tx, one)


async def drop(tx: Tx, one: Handover) -> None:
    """A handover that was never carried out leaves nothing; the caller saves its deletion."""
    await tx.cancel_timer(_LATE, one.id)


async def _expect_answers(tx: Tx, one: Handover) -> None:
    await tx.set_timer(_LATE, one.id, tx.now + ANSWER_IN, {"id": one.id})


# --- hearing --------------------------------------------------------------------------------------------------------------


async def _hear(event: Any, tx: Tx) -> None:
    """Takes an answer in. Absences without a handover give back too; nobody waits for that answer."""
    if event.change.republished:
        return
    one = await store.handovers.find(tx, event.part.handover_id)
    service = contracts.service_of(event.DESCRIPTOR.full_name)
    if one is None or not rules.hear(one, service, event.part, at=tx.now):
        return
    if rules.needless(one):
        await drop(tx, one)
        store.handovers.delete(tx, one)
    else:
        store.handovers.save(tx, one)


def consumers() -> list[Callable[..., Any]]:
    """A consumer for each answer of any service."""
    found = []
    for name, message in _answers().items():

        async def hear(event: Any, tx: Tx) -> None:
            await _hear(event, tx)

        durable = f"identity-handovers-{contracts.service_of(name)}-{name.rpartition('.')[2]}"
        found.append(on(message, durable=durable)(hear))
    return found


# --- by itself ------------------------------------------------------------------------------------------------------------


@timer(_LATE)
async def answers_due(payload: dict[str, Any], tx: Tx) -> None:
    """Who has not answered by now is shown as missing."""
    one = await store.handovers.find(tx, payload["id"])
    if one is not None and rules.is_late(one):
        store.handovers.save(tx, one)


@timer(_RETURN)
async def return_due(payload: dict[str, Any], tx: Tx) -> None:
    """What was lent until now returns."""
    await store.lock_people(tx)
    one = await store.handovers.find(tx, payload["id"])
    if one is not None and one.state in (
        Handover.STATE_MOVING,
        Handover.STATE_DONE,
        Handover.STATE_FAILED,
    ):
        await give_back(tx, one)
        store.handovers.save(tx, one)


async def absence_began(tx: Tx, absence_id: str) -> None:
    """What was confirmed for this absence goes now."""
    for one in await store.handovers_of_absence(tx, absence_id):
        if one.state == Handover.STATE_SCHEDULED:
            await start(tx, one)
            store.handovers.save(tx, one)


async def absence_over(tx: Tx, absence_id: str) -> None:
    """What was lent returns; what had not gone yet stays."""
    for one in await store.handovers_of_absence(tx, absence_id):
        if one.state in (Handover.STATE_MOVING, Handover.STATE_DONE, Handover.STATE_FAILED):
            await give_back(tx, one)
            store.handovers.save(tx, one)
        elif one.state in (
            Handover.STATE_PROPOSED,
            Handover.STATE_PREVIEWED,
            Handover.STATE_SCHEDULED,
        ):
            await drop(tx, one)
            store.handovers.delete(tx, one)
