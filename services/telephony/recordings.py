"""Recordings: each is as its exchange tells (told twice, late or in any order), its sound is fetched and removed by fetching.py.

PENDING   told of; its sound is fetched when it is complete, or its call is over
READY     kept until expire_time, unless it is held
FAILED    it could not be fetched
DELETED   by somebody or by the clock; nobody hears it from then on, and the bytes go right after
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis.errors import Violation
from chassis.handlers import timer
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.common.v1 import audit_pb2
from crm.telephony.v1 import call_pb2, recording_pb2
from crm.telephony.v1 import recording_events_pb2 as events
from services.telephony import errors, people, store
from services.telephony.pbx.facts import Fact, Kind
from services.telephony.rules import sounds

Call = call_pb2.Call
Recording = recording_pb2.Recording

EXPIRES = "recording-expires"
NAME_REFUSED = "NAME_REFUSED"
LISTENS = timedelta(minutes=10)
"""A player asks for the sound in many parts: within this time they are one listening."""
_UNTOLD = timedelta(days=1)
"""When an exchange is asked that never said that the recording is complete, of a call whose end nobody told."""
_CLOSES = timedelta(seconds=5)
"""How long after its call a recording is complete at the latest."""
_OF_CALL = ("owner_id", "department_id", "contact_id", "company_id")


# -- what exchanges and calls tell ---------------------------------------------------------------------------------------


async def on_call_change(tx: Tx, old: Call | None, call: Call, facts: Sequence[Fact] = ()) -> None:
    """Keeps the call's recordings as these facts tell, and as the call is: who may see it, and with whom it was."""
    told = sorted({fact.recording for fact in facts if fact.kind in (Kind.RECORDING, Kind.RECORDED)})  # fmt: skip
    ended = old is not None and call.state == Call.STATE_ENDED != old.state
    if not told and not ended and (old is None or _shared(old) == _shared(call)):
        return
    known = {each.id: each for each in await store.recordings.of_call(tx, call.id)} if old else {}
    for name in told:
        was = known.pop(sounds.id_of(call.id, name), None)
        await _told(tx, call, was, name, [fact for fact in facts if fact.recording == name])
    for recording in known.values():
        before = recording.SerializeToString(deterministic=True)
        _follow(recording, call)
        if recording.SerializeToString(deterministic=True) != before:
            store.recordings.recordings.save(tx, recording)
        if ended and recording.state == Recording.STATE_PENDING:
            await store.recordings.fetch_sooner(tx, recording.id, tx.now + _CLOSES)


def names(call: Call, facts: Sequence[Fact]) -> None:
    """Gives the call the recordings of which these facts tell."""
    for fact in facts:
        if fact.kind in (Kind.RECORDING, Kind.RECORDED):
            id = sounds.id_of(call.id, fact.recording)
            if id not in call.recording_ids:
                call.recording_ids.append(id)


async def _told(
    tx: Tx, call: Call, was: Recording | None, name: str, facts: Sequence[Fact]
) -> None:
    recording = Recording()
    if was is not None:
        recording.CopyFrom(was)
    else:
        recording.id, recording.call_id = sounds.id_of(call.id, name), call.id
        recording.state = Recording.STATE_PENDING
    _follow(recording, call)
    complete = any(fact.kind is Kind.RECORDED for fact in facts)
    if recording.state == Recording.STATE_PENDING:
        _span(recording, call, facts)
    if was is None and not sounds.is_name(name):
        recording.state, recording.problem = Recording.STATE_FAILED, NAME_REFUSED
    if recording != was:
        store.recordings.recordings.save(tx, recording)
    if recording.state != Recording.STATE_PENDING:
        return
    over = tx.now if complete else tx.now + (_CLOSES if call.state == Call.STATE_ENDED else _UNTOLD)
    await store.recordings.put_fetch(tx, recording.id, call.connection_id, name, over)
    await store.recordings.fetch_sooner(tx, recording.id, over)


def _span(recording: Recording, call: Call, facts: Sequence[Fact]) -> None:
    """From when on, and how long: as told, or as the call where only its end was told."""
    began = min((fact.time for fact in facts if fact.kind is Kind.RECORDING), default=None)
    ended = max((fact.time for fact in facts if fact.kind is Kind.RECORDED), default=None)
    if ended is None and recording.seconds:
        ended = to_datetime(recording.start_time) + timedelta(seconds=recording.seconds)
    if began is None and recording.HasField("start_time"):
        began = to_datetime(recording.start_time)
    if began is None:
        began = to_datetime(call.answer_time if call.HasField("answer_time") else call.start_time)
    recording.start_time.FromDatetime(began)
    if ended is not None:
        recording.seconds = max(0, round((ended - began).total_seconds()))


def _shared(call: Call) -> tuple[Any, ...]:
    return (*(getattr(call, field) for field in _OF_CALL), *call.follower_ids)


def _follow(recording: Recording, call: Call) -> None:
    for field in _OF_CALL:
        setattr(recording, field, getattr(call, field))
    recording.follower_ids[:] = call.follower_ids


# -- what fetching tells -------------------------------------------------------------------------------------------------


async def fetched(tx: Tx, id: str, *, file_id: str, size: int, type: str, seconds: int | None) -> bool:  # fmt: skip
    """The sound is kept as this file; False if nobody wants it any more."""
    recording = await store.recordings.recordings.find(tx, id)
    await store.recordings.drop_fetch(tx, id)
    if recording is None or recording.state != Recording.STATE_PENDING:
        return False
    recording.state, recording.problem = Recording.STATE_READY, ""
    recording.sound_id, recording.size, recording.content_type = file_id, size, type
    if seconds is not None:
        recording.seconds = seconds
    days = (await store.settings_of(tx)).recording_days
    await _expire(tx, recording, days)
    store.recordings.recordings.save(tx, recording)
    tx.emit(events.RecordingReady(recording=recording))
    return True


async def failed(tx: Tx, id: str, problem: str) -> None:
    """The sound cannot be had."""
    recording = await store.recordings.recordings.find(tx, id)
    await store.recordings.drop_fetch(tx, id)
    if recording is not None and recording.state == Recording.STATE_PENDING:
        recording.state, recording.problem = Recording.STATE_FAILED, problem
        store.recordings.recordings.save(tx, recording)


async def removed(tx: Tx, id: str) -> None:
    """The bytes are gone."""
    recording = await store.recordings.recordings.find(tx, id)
    await store.recordings.drop_fetch(tx, id)
    if recording is not None and recording.state == Recording.STATE_DELETED:
        recording.sound_id = ""
        recording.sound_delete_time.FromDatetime(tx.now)
        store.recordings.recordings.save(tx, recording)


# -- what people do ------------------------------------------------------------------------------------------------------


async def check(tx: Tx, new: Recording, old: Recording | None) -> None:
    """A hold has its reason and its sound, and stops the clock; without it the clock goes on."""
    wrong = []
    if new.held and not new.hold_reason.strip():
        wrong.append(Violation("hold_reason", "must say for which legal reason it is held"))
    if new.held and new.state == Recording.STATE_DELETED:
        wrong.append(Violation("held", "its sound is deleted: there is nothing to hold"))
    if wrong:
        raise errors.ValuesInvalid(wrong)
    if old is None or new.held == old.held or new.state != Recording.STATE_READY:
        return
    await _expire(tx, new, (await store.settings_of(tx)).recording_days)


async def played(tx: Tx, recording: Recording) -> None:
    """Notes that the caller listens, once for all parts that a player asks for. NoSound if there is nothing to hear."""
    if recording.state != Recording.STATE_READY:
        raise errors.NoSound(Recording.State.Name(recording.state).removeprefix("STATE_").lower())
    user_id = people.user_of(tx.actor)
    await tx.lock(f"listening {recording.id} {user_id}")
    last = await store.recordings.last_listening(tx, recording.id, user_id)
    if last is not None and last > tx.now - LISTENS:
        return
    await store.recordings.add_listening(tx, recording.id, user_id)
    audited = audit_pb2.AuditedAction(
        action="listen", object="recording", object_id=recording.id, session_id=tx.actor.session_id
    )
    tx.emit(events.RecordingPlayed(recording_id=recording.id, audited=audited))


async def erase(tx: Tx, recording: Recording) -> None:
    """Nobody hears it any more, and its bytes are removed right after. RecordingHeld if it is held; done twice it changes nothing."""
    if recording.held:
        raise errors.RecordingHeld
    if recording.state == Recording.STATE_DELETED:
        return
    recording.state = Recording.STATE_DELETED
    recording.ClearField("expire_time")
    store.recordings.recordings.save(tx, recording)
    tx.emit(events.RecordingErased(recording=recording))
    await tx.cancel_timer(EXPIRES, recording.id)
    call = await store.calls.calls.find(tx, recording.call_id, deleted=True)
    exchange = (
        call.connection_id if call is not None else recording.id
    )  # then nobody else speaks with it
    await store.recordings.put_fetch(tx, recording.id, exchange, "", tx.now)


# -- the clock -----------------------------------------------------------------------------------------------------------


async def _expire(tx: Tx, recording: Recording, days: int) -> None:
    """Sets when the sound is deleted: so many days after its end, never if it is held or there are none."""
    recording.ClearField("expire_time")
    if recording.held or not days:
        await tx.cancel_timer(EXPIRES, recording.id)
        return
    end = to_datetime(recording.start_time) + timedelta(seconds=recording.seconds)
    at: datetime = end + timedelta(days=days)
    recording.expire_time.FromDatetime(at)
    await tx.set_timer(EXPIRES, recording.id, at, {"id": recording.id})


@timer(EXPIRES)
async def expired(payload: dict[str, Any], tx: Tx) -> None:
    """The time of a recording is over."""
    recording = await store.recordings.recordings.find(tx, payload["id"])
    if recording is None or not recording.HasField("expire_time"):
        return
    if to_datetime(recording.expire_time) <= tx.now:
        await erase(tx, recording)
