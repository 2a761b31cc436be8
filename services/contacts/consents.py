"""How a consent gets into the ledger, whoever says so: the row and its event, in the caller's transaction."""

from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.contacts.v1 import consent_events_pb2 as events
from crm.contacts.v1 import consent_pb2 as pb
from services.contacts import store


async def write(tx: Tx, row: pb.Consent) -> None:
    """Appends a complete row and tells of it."""
    await store.append_consent(tx, row)
    event = events.ConsentWithdrawn if row.withdrawn else events.ConsentGiven
    tx.emit(event(consent=row))


async def note_act(
    tx: Tx, contact_id: str, purpose: str, *, given: bool, source: "pb.ConsentSource",
    channel: "pb.ConsentChannel" = pb.CONSENT_CHANNEL_ANY, text_version: int, proof: str,
) -> None:  # fmt: skip
    """Writes down what was said just now through a form or a link."""
    now = to_timestamp(tx.now)
    row = pb.Consent(
        id=tx.new_id(), contact_id=contact_id, purpose=purpose, channel=channel, withdrawn=not given,
        source=source, text_version=text_version, proof=proof[:500], time=now, record_time=now,
    )  # fmt: skip
    await write(tx, row)
