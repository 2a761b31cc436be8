"""What a row of the ledger must be, and what holds with all that was ever said.

Rows are read in the order in which the things were said. A consent holds from then on, except after a withdrawal: that is
lifted only by a later act of the person himself. An import or a form proves no such act. What is said of every way is said
of each.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.contacts.v1 import consent_pb2, consent_purpose_pb2
from services.contacts import errors

Consent, State = consent_pb2.Consent, consent_pb2.ConsentState
Purpose = consent_purpose_pb2.ConsentPurpose
Channel = consent_pb2.ConsentChannel

CHANNELS = tuple(
    channel
    for channel in Channel.values()
    if channel not in (consent_pb2.CONSENT_CHANNEL_UNSPECIFIED, consent_pb2.CONSENT_CHANNEL_ANY)
)
"""The ways by which a person may be addressed."""

_MAY_RECORD = (
    consent_pb2.CONSENT_SOURCE_HAND,
    consent_pb2.CONSENT_SOURCE_IMPORT,
    consent_pb2.CONSENT_SOURCE_UNSUBSCRIBE,
)
_CLOCKS_APART = timedelta(minutes=5)
_EARLIEST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def effective(entries: Iterable[Consent]) -> list[State]:
    """What holds for each purpose and way of which anything was said, by purpose and way."""
    states: dict[tuple[str, int], State] = {}
    # Of two things said at one moment the withdrawal counts.
    said = sorted(entries, key=lambda e: (to_datetime(e.time), e.withdrawn, e.id))
    for entry in said:
        channels: Iterable[int] = (
            CHANNELS if entry.channel == consent_pb2.CONSENT_CHANNEL_ANY else (entry.channel,)
        )
        for channel in channels:
            known = states.get((entry.purpose, channel))
            lifts = known is None or known.given or is_act_of_person(entry)
            if entry.withdrawn or lifts:
                states[entry.purpose, channel] = State(
                    purpose=entry.purpose, channel=channel, given=not entry.withdrawn,  # type: ignore[arg-type]
                    time=entry.time, consent_id=entry.id,
                )  # fmt: skip
    return [states[key] for key in sorted(states)]


def is_act_of_person(entry: Consent) -> bool:
    """True if the row shows that the person himself said so: by his link, or to a colleague who keeps a proof."""
    by_hand = entry.source == consent_pb2.CONSENT_SOURCE_HAND
    return entry.source == consent_pb2.CONSENT_SOURCE_LINK or (by_hand and bool(entry.proof))


def holds_everywhere(states: Iterable[State], purpose: str) -> bool:
    """True if the person may be addressed for this purpose by every way."""
    given = {state.channel for state in states if state.purpose == purpose and state.given}
    return given >= set(CHANNELS)


def is_news(states: Iterable[State], purpose: str, given: bool) -> bool:
    """True if saying so changes what holds: an empty tick where nothing was ever given is no withdrawal."""
    known = list(states)
    if given:
        return not holds_everywhere(known, purpose)
    return any(state.given for state in known if state.purpose == purpose)


def complete(row: Consent, *, id: str, contact_id: str, now: datetime) -> None:
    """Sets what the server says of a row that a colleague or a program writes; ConsentInvalid with all that is wrong."""
    row.id, row.contact_id, row.proof = id, contact_id, row.proof.strip()
    row.source = row.source or consent_pb2.CONSENT_SOURCE_HAND
    row.record_time.CopyFrom(to_timestamp(now))
    if not row.HasField("time"):
        row.time.CopyFrom(row.record_time)
    wrong = []
    if row.source not in _MAY_RECORD:
        wrong.append(
            Violation("consent.source", "must be HAND, IMPORT or UNSUBSCRIBE; forms and links write their own rows")
        )  # fmt: skip
    if row.source == consent_pb2.CONSENT_SOURCE_UNSUBSCRIBE and not row.withdrawn:
        wrong.append(Violation("consent.source", "UNSUBSCRIBE can only withdraw"))
    if not _EARLIEST <= to_datetime(row.time) <= now + _CLOCKS_APART:
        wrong.append(Violation("consent.time", "must lie between 1970 and now"))
    if wrong:
        raise errors.ConsentInvalid(wrong)


def grow_text(new: Purpose, old: Purpose | None) -> None:
    """Numbers the texts, so that the ledger can say which one was agreed to."""
    before = old.text_version if old is not None else 0
    changed = old is None or dict(new.texts) != dict(old.texts)
    new.text_version = before + 1 if changed else before


def text_for(purpose: Purpose, languages: Collection[str]) -> str:
    """What the person agrees to in the first of these languages that has a text, else in any, else the name."""
    texts = {language.lower(): text for language, text in purpose.texts.items()}
    for language in languages:
        for tag in (language.lower(), language.lower().partition("-")[0]):
            if texts.get(tag):
                return texts[tag]
    return next(iter([texts[tag] for tag in sorted(texts)]), purpose.name)
