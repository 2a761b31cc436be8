"""How an inquiry becomes a request: who asks, where from, who answers. The caller saves the request.

One transaction holds the raw content, the match, a new contact and the assignment, so that no request exists half
received. Nothing in the content can make it fail: what is no phone or e-mail stays on the request as it was given.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from chassis import phones
from chassis.hours import hours_of
from chassis.stand_in import absence_at, is_away, stand_in
from chassis.tx import Tx
from crm.contacts.v1 import contact_pb2, events_pb2, form_pb2, request_pb2
from services.contacts import assignment, attribution, handovers, matching, store
from services.contacts.rules import contacts as contact_rules
from services.contacts.rules import parties
from services.contacts.rules import requests as rules
from services.contacts.rules.requests import Answer

Contact, Form, Request = contact_pb2.Contact, form_pb2.Form, request_pb2.Request

_MOST_FOLLOWERS = 100


async def receive(
    tx: Tx, request: Request, form: Form, *, owner_id: str = "", answer: Answer | None = None
) -> None:
    """Finds or makes the person, the source and the owner, and says so in events.

    `form` lends queue, rule, source and language; an empty one lends nothing. `owner_id` is an owner settled already;
    `answer` is how who asked was answered already.
    """
    request.id = request.id or tx.new_id()
    request.state = Request.STATE_NEW
    request.department_id = request.department_id or form.department_id
    await _find_source(tx, request, form)
    contact, created = await _find_person(tx, request, form.language)
    owner_id = owner_id or await choose_owner(
        tx, request, form, contact.owner_id if contact else ""
    )
    if owner_id:
        rules.assign(request, owner_id=owner_id, at=tx.now)
    if answer is not None:
        rules.answer(request, by=answer.by, at=answer.at)
    if contact is not None:
        if created:
            contact.owner_id = request.owner_id
            store.contacts.save(tx, contact)
        elif request.channel != Request.CHANNEL_STAFF:
            # A form's rule is the tenant's will; what a colleague writes down gives nobody access to a customer.
            share(tx, contact, request.owner_id)
    tx.emit(
        events_pb2.RequestReceived(
            request=request, assigned_to_queue=not owner_id, contact_created=created
        )
    )
    if owner_id:
        tx.emit(events_pb2.RequestAssigned(request=request))
    if answer is not None:
        tx.emit(events_pb2.RequestAnswered(request=request, first=True, way=answer.way))
    if request.HasField("suspected_pair"):
        pair = request.suspected_pair
        tx.emit(
            events_pb2.DuplicateSuspected(
                request=request, contact_id=pair.contact_id, other_contact_id=pair.other_contact_id
            )
        )


async def choose_owner(tx: Tx, request: Request, form: Form, contact_owner_id: str = "") -> str:
    """The user whom the form's rule chooses now, empty if nobody is present; the rule's turn passes."""
    users: Mapping[str, Any] = tx.directory.users()
    wanted = form.assignment
    hours = partial(hours_of, tx.directory)
    if wanted.rule == form_pb2.Assignment.RULE_UNSPECIFIED:
        return ""
    if wanted.keep_contact_owner and contact_owner_id in users:
        acting = _acting(tx, contact_owner_id)
        if acting and assignment.present(users[acting], tx.now, hours(acting)):
            await _lend(tx, request.id, contact_owner_id, acting)
            return acting
    named = [id for id in wanted.user_ids if id in users]
    stands_in_for = {_acting(tx, id): id for id in named} | {id: id for id in named}
    if named:
        candidates = {id: users[id] for id in stands_in_for if id}
    else:
        candidates = assignment.members(users.items(), request.department_id)
    if not candidates:
        return ""
    last_id = await store.last_turn_for_update(tx, form.id)
    counts = await store.open_counts(tx, sorted(candidates))
    chosen = assignment.choose(
        wanted.rule, candidates, at=tx.now, hours_of=hours, last_id=last_id, open_counts=counts
    )
    if chosen is None:
        return ""
    await store.pass_turn(tx, form.id, chosen)
    await _lend(tx, request.id, stands_in_for.get(chosen, chosen), chosen)
    return chosen


def share(tx: Tx, contact: Contact, user_id: str) -> None:
    """Lets whoever got the request read the person's card: as owner where there is none, else as follower."""
    if not user_id or contact.owner_id == user_id or user_id in contact.follower_ids:
        return
    if not contact.owner_id:
        contact.owner_id = user_id
    elif len(contact.follower_ids) < _MOST_FOLLOWERS:
        contact.follower_ids.append(user_id)
    store.contacts.save(tx, contact)


def _acting(tx: Tx, user_id: str) -> str:
    """Who gets what the user would get: himself, unless he is away."""
    user = tx.directory.user(user_id) or {}
    return stand_in(tx.directory, user_id, tx.now) if is_away(user, tx.now) else user_id


async def _lend(tx: Tx, request_id: str, absent_id: str, acting_id: str) -> None:
    """Who stands in has the request; if it is not done, it goes to the absent one when he is back."""
    if acting_id == absent_id:
        return
    absence = absence_at(tx.directory.user(absent_id) or {}, tx.now)
    if absence is not None and absence["id"]:
        await handovers.parts.lend(tx, "request", request_id, absence["id"], absent_id, acting_id)


async def _find_source(tx: Tx, request: Request, form: Form) -> None:
    """Touches in order; the source is the one given, else the form's, else the one that the last touch points to."""
    first, last = attribution.normalise(request.first_touch, request.last_touch, received=tx.now)
    if first.ByteSize():
        request.first_touch.CopyFrom(first)
        request.last_touch.CopyFrom(last)
    request.source_id = request.source_id or form.source_id
    if not request.source_id and (form.id or first.ByteSize()):
        request.source_id = await store.source_id_of(tx, attribution.source_key(last))


async def _find_person(tx: Tx, request: Request, language: str) -> tuple[Contact | None, bool]:
    """The person who asks and whether the record is new and still to be saved; None where nothing identifies anybody."""
    if request.contact_id:
        contact = await store.contacts.get(tx, request.contact_id)
        _attach(request, matching.Match(contact.id), contact)
        return contact, False
    dialled = phones.parse(request.phone, tx.directory.tenant().get("country", ""))
    phone, email = dialled.number if dialled else "", parties.plausible_email(request.email)
    if not phone and not email:
        return None, False
    await tx.lock(*matching.lock_keys(phone, email))
    found = matching.match(
        await store.holders_of_phone(tx, phone), await store.holders_of_email(tx, email)
    )
    if found.contact_id:
        known = await store.contacts.find(tx, found.contact_id)
        assert known is not None, "a contact that was just found lives in this transaction"
        _attach(request, found, known)
        return known, False
    contact = contact_rules.stranger(
        tx.new_id(), name=request.name, phone=phone, extension=dialled.extension if dialled else "", email=email,
        source_id=request.source_id, department_id=request.department_id, language=language,
    )  # fmt: skip
    _attach(request, matching.Match(contact.id), contact)
    return contact, True


def _attach(request: Request, found: matching.Match, contact: Contact) -> None:
    rules.attach(request, found, known_name=contact_rules.known_name(contact))
    request.company_id = request.company_id or contact.company_id
