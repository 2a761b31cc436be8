"""What contacts tells of customers and agreements, kept for the day plan (store/facts.py); and when people's mornings change.

Being in touch is told by the events below. A service that comes later adds a line, by its event's full name: its contract says
which fields name the customer.
"""

from datetime import date
from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import agreement_pb2, duplicate_events_pb2, privacy_events_pb2
from crm.identity.v1 import absence_events_pb2 as absences
from crm.identity.v1 import events_pb2 as identity
from services.tasks import store, timers_day
from services.tasks.rules import day as rules

TOUCHES = frozenset(
    {
        "crm.contacts.v1.RequestReceived",
        "crm.contacts.v1.RequestAnswered",
        "crm.tasks.v1.ReactionClockStopped",
        "crm.notifications.v1.MessageReceived",
        "crm.notifications.v1.MessageSent",
        "crm.telephony.v1.CallMissed",
        "crm.telephony.v1.CallAnswered",
    }
)
"""Events by which somebody was in touch, they with us or we with them."""

_MERGES = (duplicate_events_pb2.ContactMerged, duplicate_events_pb2.CompanyMerged)
_PARTIES = ("contact", "company")
_MORNINGS = (
    identity.TenantCreated, identity.TenantUpdated, identity.UserCreated, identity.UserJoined, identity.UserUpdated,
    identity.UserReactivated, absences.AbsenceEnded,
)  # fmt: skip


def _concerns_customers(event: Any) -> bool:
    """What an import or a repetition tells of touches happened long ago."""
    if event.DESCRIPTOR.full_name in TOUCHES:
        return not event.change.republished and event.change.cause.kind != "import"
    return True


@on(
    *contracts.carrying(*_PARTIES, "agreement"),
    *contracts.known(TOUCHES),
    *_MERGES,
    privacy_events_pb2.ContactErased,
    durable="tasks-day-facts",
    wants=_concerns_customers,
)
async def follow(event: Any, tx: Tx) -> None:
    """Keeps what was told last. What comes late or twice changes nothing."""
    kind, record = contracts.carried(event)
    if isinstance(event, _MERGES):
        object = "contact" if hasattr(event, "contact_id") else "company"
        await store.facts.merge(tx, object, getattr(event, f"{object}_id"), list(event.merged_ids))
    elif isinstance(event, privacy_events_pb2.ContactErased):
        erased = [event.contact_id, *event.merged_ids]
        await store.facts.forget(tx, erased)
        await store.matters.forget(tx, erased)
    elif event.DESCRIPTOR.full_name in TOUCHES:
        await _touch(event, tx)
    elif kind in _PARTIES:
        await store.facts.put_party(tx, _party(kind, record, event.change.version))
    else:
        await store.facts.put_agreement(tx, _agreement(record, event.change.version))


@on(*_MORNINGS, durable="tasks-day-mornings")
async def plan_mornings(event: Any, tx: Tx) -> None:
    """Somebody is new or has another clock."""
    await timers_day.plan_again(tx)


async def _touch(event: Any, tx: Tx) -> None:
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    assert tx.event is not None
    at = to_datetime(event.change.time) if event.change.HasField("time") else tx.event.time
    for object, paths in (("contact", option.contact_ids), ("company", option.company_ids)):
        ids: set[str] = set()
        for path in paths:
            value: Any = contracts.at_path(event, path)
            ids.update([value] if isinstance(value, str) else value or ())
        await store.facts.touch(tx, object, sorted(ids - {""}), at)


def _party(object: str, party: Any, version: int) -> store.facts.Party:
    """A deleted party is nobody's, and nothing is kept of it but its version."""
    lives = not party.HasField("delete_time")
    born = party.birthday if lives and object == "contact" and party.HasField("birthday") else None
    return store.facts.Party(
        object=object, id=party.id, version=version, owner_id=party.owner_id if lives else "",
        follower_ids=list(party.follower_ids) if lives else [],
        birth_day=rules.birth_day(born.month, born.day) if born else 0, birth_year=born.year if born else 0,
        next_contact_date=_day_of(party.next_contact_date) if lives else None,
        known_since=to_datetime(party.create_time),
    )  # fmt: skip


def _agreement(agreement: agreement_pb2.Agreement, version: int) -> store.facts.Agreement:
    is_open = agreement.state == agreement_pb2.Agreement.STATE_OPEN
    lives = is_open and not agreement.HasField("delete_time")
    return store.facts.Agreement(
        id=agreement.id, version=version, contact_id=agreement.contact_id, company_id=agreement.company_id,
        assignee_id=agreement.assignee_id if lives else "", date=_day_of(agreement.date) or date.max,
        owner_id=agreement.owner_id, department_id=agreement.department_id, follower_ids=list(agreement.follower_ids),
    )  # fmt: skip


def _day_of(value: Any) -> date | None:
    """The day of a google.type.Date; None where it is no day of the calendar."""
    try:
        return date(value.year, value.month, value.day)
    except ValueError:
        return None
