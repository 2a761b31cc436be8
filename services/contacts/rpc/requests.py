"""Requests: written down by colleagues and programs, and moved through their life by verbs."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import events_pb2, form_pb2
from crm.contacts.v1 import request_pb2 as pb
from crm.contacts.v1 import request_verbs_pb2 as verbs
from services.contacts import errors, intake, references, store
from services.contacts.rules import contacts as contact_rules
from services.contacts.rules import requests as rules


async def check_request(tx: Tx, new: pb.Request, old: pb.Request | None) -> None:
    """Keeps I4 and I5: a new request is received like any other, a known one keeps its form and its life."""
    await references.check(tx, new, old)
    if old is None:
        await _receive(tx, new)
        return
    rules.keep_form(new, old)
    rules.normalise(new)
    if new.contact_id != old.contact_id and new.contact_id:
        contact = await store.contacts.get(tx, new.contact_id)
        rules.choose_contact(new, contact.id, known_name=contact_rules.known_name(contact))


async def _receive(tx: Tx, request: pb.Request) -> None:
    """A colleague keeps what he writes down himself, unless he names a queue or a form; a program's is assigned by rule."""
    rules.check_content(request)
    by_program = tx.actor.kind == "token"
    request.channel = pb.Request.CHANNEL_API if by_program else pb.Request.CHANNEL_STAFF
    form = await _form_of(tx, request)
    request.label_ids.extend(form.label_ids)
    rules.normalise(request)
    keeps = not (by_program or form.id or request.department_id)
    await intake.receive(tx, request, form, owner_id=rules.user_of(tx.actor) if keeps else "")


async def _form_of(tx: Tx, request: pb.Request) -> form_pb2.Form:
    """The request's form; an empty one where it has none or the form was deleted."""
    form = await store.forms.find(tx, request.form_id) if request.form_id else None
    return form or form_pb2.Form()


class Requests(standard(store.requests, on_save=check_request), Servicer):  # type: ignore[misc]
    """`/v1/requests`."""

    @writes
    async def AssignRequest(self, request: verbs.AssignRequestRequest, tx: Tx) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        previous, owner_id = inquiry.owner_id, request.owner_id
        if request.by_rule:
            inquiry.department_id = request.department_id or inquiry.department_id
            owner_id = await intake.choose_owner(tx, inquiry, await _form_of(tx, inquiry))
            if not owner_id:
                raise errors.NobodyPresent
        elif owner_id:
            user = tx.directory.user(owner_id)
            if user is None or user["state"] != "active":
                raise errors.AssigneeNotActive(owner_id)
        rules.assign(inquiry, owner_id=owner_id, department_id=request.department_id, at=tx.now)
        await _share(tx, inquiry)
        store.requests.save(tx, inquiry)
        tx.emit(
            events_pb2.RequestAssigned(
                request=inquiry, assigned_to_queue=not owner_id, previous_owner_id=previous
            )
        )
        return inquiry

    @writes
    async def StartRequest(self, request: verbs.StartRequestRequest, tx: Tx) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        rules.start(inquiry, by=tx.actor, at=tx.now)
        store.requests.save(tx, inquiry)
        tx.emit(events_pb2.RequestStarted(request=inquiry))
        return inquiry

    @writes
    async def AnswerRequest(self, request: verbs.AnswerRequestRequest, tx: Tx) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        first = rules.answer(inquiry, by=tx.actor, at=tx.now)
        store.requests.save(tx, inquiry)
        tx.emit(events_pb2.RequestAnswered(request=inquiry, first=first))
        return inquiry

    @writes
    async def CloseRequest(self, request: verbs.CloseRequestRequest, tx: Tx) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        rules.close(inquiry, request.reason, at=tx.now)
        store.requests.save(tx, inquiry)
        tx.emit(events_pb2.RequestClosed(request=inquiry))
        return inquiry

    @writes
    async def ReopenRequest(self, request: verbs.ReopenRequestRequest, tx: Tx) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        rules.reopen(inquiry)
        store.requests.save(tx, inquiry)
        tx.emit(events_pb2.RequestReopened(request=inquiry))
        return inquiry

    @writes
    async def LinkRequest(self, request: verbs.LinkRequestRequest, tx: Tx) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        added = rules.link(inquiry, list(request.deal_ids))
        store.requests.save(tx, inquiry)
        tx.emit(events_pb2.RequestLinked(request=inquiry, deal_ids=added))
        return inquiry

    @writes
    async def ChooseRequestContact(
        self, request: verbs.ChooseRequestContactRequest, tx: Tx
    ) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        previous = inquiry.contact_id
        if (
            request.contact_id in inquiry.candidate_ids
        ):  # found by the intake, whoever may read their cards
            asked = request.contact_id
            survivors = await store.merges.survivors(tx, "contact", [asked])
            contact = await store.contacts.find(tx, survivors.get(asked, asked))
        else:
            contact = await store.contacts.get(tx, request.contact_id)
        if contact is None:
            raise store.contacts.not_found(request.contact_id)
        rules.choose_contact(inquiry, contact.id, known_name=contact_rules.known_name(contact))
        store.requests.save(tx, inquiry)
        tx.emit(events_pb2.RequestContactChosen(request=inquiry, previous_contact_id=previous))
        return inquiry

    @writes
    async def MarkRequestNotSpam(
        self, request: verbs.MarkRequestNotSpamRequest, tx: Tx
    ) -> pb.Request:
        inquiry = await store.requests.get(tx, request.id, etag=request.etag)
        rules.not_spam(inquiry)
        await intake.receive(tx, inquiry, await _form_of(tx, inquiry), owner_id=inquiry.owner_id)
        store.requests.save(tx, inquiry)
        return inquiry


async def _share(tx: Tx, request: pb.Request) -> None:
    """The new owner may read the customer's card, if whoever assigns may read it himself."""
    contact = await store.contacts.find(tx, request.contact_id) if request.contact_id else None
    if contact is None:
        return
    if tx.rights.reaches(
        "contact", "read", contact.owner_id, contact.department_id, contact.follower_ids
    ):
        intake.share(tx, contact, request.owner_id)
