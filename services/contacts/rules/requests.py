"""The life of a request.

    NEW ──assign──► ASSIGNED ──start──► IN_WORK ──answer──► ANSWERED ──link──► LINKED
     └────────────── any of them but CLOSED ──close(reason)──► CLOSED ──reopen──► NEW or ASSIGNED

Steps may be left out (a fast colleague answers before he starts); link and the first answer are possible from every
state but CLOSED, and LINKED stays LINKED.
"""

from dataclasses import dataclass
from datetime import datetime

from chassis.call import Actor
from chassis.errors import Violation
from chassis.times import to_timestamp
from crm.common.v1 import common_pb2
from crm.contacts.v1 import request_pb2
from services.contacts import errors, names
from services.contacts.matching import Match
from services.contacts.rules import parties

Request = request_pb2.Request
State = request_pb2.Request.State

OPEN = (
    Request.STATE_NEW,
    Request.STATE_ASSIGNED,
    Request.STATE_IN_WORK,
    Request.STATE_ANSWERED,
    Request.STATE_LINKED,
)
"""Every state but CLOSED."""

WAITING = (Request.STATE_NEW, Request.STATE_ASSIGNED, Request.STATE_IN_WORK)
"""The states in which the customer waits for us: these count as open work of an owner."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody answered the customer by something that an event tells of."""

    by: Actor
    at: datetime
    way: str
    """As RequestAnswered names it."""


def normalise(request: Request) -> None:
    """Brings what colleagues may edit into the form in which it is kept."""
    parties.replace(request.label_ids, parties.unique(request.label_ids))
    kept = parties.unique(id for id in request.follower_ids if id != request.owner_id)
    parties.replace(request.follower_ids, kept)


def check_content(request: Request) -> None:
    """Refuses a request that says nothing at all."""
    said = (
        request.raw,
        request.text,
        request.name,
        request.phone,
        request.email,
        request.contact_id,
    )
    if not any(part.strip() for part in said):
        raise errors.RequestEmpty


def keep_form(new: Request, old: Request) -> None:
    """Refuses another form: where a request came from is a fact."""
    if new.form_id != old.form_id:
        raise errors.ValuesInvalid(
            [Violation("form_id", "is a fact of the request and cannot change")]
        )


def attach(request: Request, match: Match, *, known_name: str) -> None:
    """Attaches the person found, with everything about the finding that a colleague should see."""
    request.contact_id = match.contact_id
    request.choose = match.choose
    request.candidate_ids[:] = match.candidate_ids
    request.ClearField("suspected_pair")
    if match.suspected_id:
        request.suspected_pair.contact_id = match.contact_id
        request.suspected_pair.other_contact_id = match.suspected_id
    request.name_differs = names.differ(request.name, known_name)


def choose_contact(request: Request, contact_id: str, *, known_name: str) -> None:
    """Settles who asks."""
    _demand(request, "attached to another person", OPEN)
    request.contact_id = contact_id
    request.choose = False
    request.name_differs = names.differ(request.name, known_name)


def assign(request: Request, *, owner_id: str, department_id: str = "", at: datetime) -> None:
    """Gives the request to a user, or back to a queue where `owner_id` is empty; work under way stays under way."""
    _demand(request, "assigned", OPEN)
    request.owner_id = owner_id
    request.department_id = department_id or request.department_id
    normalise(request)
    if not owner_id and request.state in WAITING:
        request.state = Request.STATE_NEW
    elif owner_id and request.state == Request.STATE_NEW:
        request.state = Request.STATE_ASSIGNED
    if owner_id and not request.HasField("assign_time"):
        request.assign_time.CopyFrom(to_timestamp(at))


def start(request: Request, *, by: Actor, at: datetime) -> None:
    """Work begins; without an owner the caller becomes it."""
    _demand(request, "started", (Request.STATE_NEW, Request.STATE_ASSIGNED))
    if not request.owner_id:
        assign(request, owner_id=user_of(by), at=at)
    request.state = Request.STATE_IN_WORK
    request.start_time.CopyFrom(to_timestamp(at))


def answer(request: Request, *, by: Actor, at: datetime) -> bool:
    """The customer has had an answer; True if it was the first, which stops the response clock."""
    first = not request.HasField("first_response_time")
    _demand(request, "answered", OPEN if first else WAITING)
    if first:
        request.first_response_time.CopyFrom(to_timestamp(at))
        request.first_response_by = user_of(by)
    if request.state != Request.STATE_LINKED:
        request.state = Request.STATE_ANSWERED
    return first


def link(request: Request, deal_ids: list[str]) -> list[str]:
    """Ties the request to deals; returns those that are new."""
    _demand(request, "linked", OPEN)
    added = [id for id in parties.unique(deal_ids) if id not in request.deal_ids]
    request.deal_ids.extend(added)
    request.state = Request.STATE_LINKED
    return added


def close(request: Request, reason: "Request.CloseReason", *, at: datetime) -> None:
    """Closes the request; what it is tied to stays."""
    _demand(request, "closed", OPEN)
    request.state = Request.STATE_CLOSED
    request.close_reason = reason
    request.close_time.CopyFrom(to_timestamp(at))


def reopen(request: Request) -> None:
    """Opens a closed request where it belongs: with its owner, or in the queue."""
    _demand(request, "reopened", (Request.STATE_CLOSED,))
    request.state = Request.STATE_ASSIGNED if request.owner_id else Request.STATE_NEW
    request.close_reason = Request.CLOSE_REASON_UNSPECIFIED
    request.ClearField("close_time")


def not_spam(request: Request) -> None:
    """Takes back the verdict of spam; the caller matches and assigns the request as if it came now."""
    if request.state != Request.STATE_CLOSED or request.close_reason != Request.CLOSE_REASON_SPAM:
        raise errors.RequestNotSpam
    reopen(request)


def caught(request: Request, *, at: datetime) -> None:
    """A program filled in the invisible field: kept, closed as spam, and can be taken back."""
    request.honeypot_filled = True
    request.state = Request.STATE_NEW
    close(request, Request.CLOSE_REASON_SPAM, at=at)


def user_of(actor: Actor) -> str:
    """The user who acts, himself or through a token; empty for forms and the system."""
    return actor.user_id or (actor.id if actor.kind == "user" else "")


def user_of_ref(actor: common_pb2.ActorRef) -> str:
    """The same for an actor as events carry him."""
    return actor.user_id or (actor.id if actor.kind == "user" else "")


def state_name(state: "Request.State") -> str:
    """`in work` of STATE_IN_WORK."""
    return State.Name(state).removeprefix("STATE_").lower().replace("_", " ")


def _demand(request: Request, verb: str, allowed: "tuple[Request.State, ...]") -> None:
    if request.state not in allowed:
        raise errors.RequestWrongState(
            verb, state_name(request.state), [state_name(s) for s in allowed]
        )
