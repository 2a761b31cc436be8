"""Forms for colleagues, and the door through which visitors send them."""

import hashlib
import ipaddress
from datetime import UTC, datetime

from chassis import codec, keys
from chassis import errors as refusals
from chassis.call import Actor, Cause
from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import events_pb2, intake_pb2, request_pb2
from crm.contacts.v1 import form_pb2 as pb
from services.contacts import errors, intake, references, store
from services.contacts.rules import forms as rules
from services.contacts.rules import requests as request_rules

Request = request_pb2.Request


async def check_form(tx: Tx, new: pb.Form, old: pb.Form | None) -> None:
    """Keeps I6: the key is made here, once, and never changes."""
    assert tx.tenant is not None
    if old is None:
        new.key = keys.new_key(tx.tenant)
    rules.normalise(new)
    await references.check(tx, new, old)


class Forms(standard(store.forms, on_save=check_form), Servicer):  # type: ignore[misc]
    """`/v1/forms`."""


def tenant_of(request: intake_pb2.SubmitFormRequest | intake_pb2.GetPublicFormRequest) -> str:
    """The tenant that a form's key names."""
    return keys.tenant_of(request.form_key)


class Intake(Servicer):
    """`/v1/public/forms/{form_key}`: anybody may call."""

    @reads(tenant=tenant_of)
    async def GetPublicForm(
        self, request: intake_pb2.GetPublicFormRequest, tx: Tx
    ) -> intake_pb2.PublicForm:
        form = await _open_form(tx, request.form_key)
        return intake_pb2.PublicForm(
            form_key=form.key, title=form.title or form.name, fields=form.fields, submit_text=form.submit_text,
            thank_you_text=form.thank_you_text, language=form.language or tx.directory.tenant().get("language", ""),
            allowed_origins=form.allowed_origins,
        )  # fmt: skip

    @writes(tenant=tenant_of)
    async def SubmitForm(
        self, request: intake_pb2.SubmitFormRequest, tx: Tx
    ) -> intake_pb2.SubmitFormResponse:
        form = await _open_form(tx, request.form_key)
        assert tx.call is not None
        tx.actor, tx.cause = Actor("form", form.id), Cause("form", form.id)
        rules.check_origin(form, tx.call.metadata.get("origin", ""))
        inquiry = _inquiry(request, form, tx.new_id())
        await _count(tx, form)
        if request.honeypot.strip():
            request_rules.caught(inquiry, at=tx.now)
            tx.emit(events_pb2.RequestClosed(request=inquiry))
        else:
            await intake.receive(tx, inquiry, form)
        store.requests.save(tx, inquiry)
        return intake_pb2.SubmitFormResponse(
            thank_you_text=form.thank_you_text, receipt_id=inquiry.id
        )


async def _open_form(tx: Tx, key: str) -> pb.Form:
    form = await store.find_form(tx, key)
    if form is None:
        raise refusals.NotFound(
            "there is no form with this key; check that the address is complete"
        )
    if form.closed:
        raise errors.FormClosed
    return form


def _inquiry(sent: intake_pb2.SubmitFormRequest, form: pb.Form, id: str) -> Request:
    """The request with everything as it was given; nothing is looked up yet."""
    raw = codec.to_json(sent).decode()
    if len(raw.encode()) > rules.LARGEST_SUBMISSION:
        raise errors.SubmissionTooLarge(len(raw.encode()), rules.LARGEST_SUBMISSION)
    answers = rules.read(
        form,
        {key: codec.to_dict(value) for key, value in sent.fields.items()},
        complete=not sent.honeypot.strip(),
    )
    return Request(
        id=id, channel=Request.CHANNEL_FORM, raw=raw, form_id=form.id, department_id=form.department_id,
        source_id=form.source_id, first_touch=sent.first_touch, last_touch=sent.last_touch, visitor_id=sent.visitor_id,
        name=answers.name, phone=answers.phone, email=answers.email, company_name=answers.company_name, text=answers.text,
        fields=answers.others, label_ids=form.label_ids,
    )  # fmt: skip


async def _count(tx: Tx, form: pb.Form) -> None:
    """Counts the submission against the sender's address, in the database: all processes share the limit."""
    minute = datetime.now(UTC).replace(
        second=0, microsecond=0
    )  # limits keep real time, whatever a test's clock says
    limit = rules.rate_limit(form)
    assert tx.call is not None
    if (
        await store.count_submission(tx, form.id, _address_hash(form.key, tx.call.peer), minute)
        > limit
    ):
        raise errors.FormRateLimited(limit, datetime.now(UTC))


def _address_hash(form_key: str, peer: str) -> str:
    """The sender without his address: a hash that differs from form to form; an IPv6 network of one house is one sender."""
    try:
        address = ipaddress.ip_address(peer)
        if address.version == 6:
            peer = str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        pass  # no address, as in a call from within: such callers share one count
    return hashlib.sha256(f"{form_key}/{peer}".encode()).hexdigest()[:32]
