"""Forms for colleagues, and the door through which visitors send them."""

from chassis import codec, keys, strangers
from chassis import errors as refusals
from chassis.call import Actor, Cause
from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import consent_pb2, events_pb2, intake_pb2, request_pb2
from crm.contacts.v1 import form_pb2 as pb
from services.contacts import consents, errors, intake, references, store, visitors
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
    await _check_purposes(tx, new, old)


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
        await visitors.count(tx, form.id, rules.rate_limit(form))
        if request.honeypot.strip():
            request_rules.caught(inquiry, at=tx.now)
            tx.emit(events_pb2.RequestClosed(request=inquiry))
        else:
            await intake.receive(tx, inquiry, form)
            await _consent(tx, inquiry, form)
        store.requests.save(tx, inquiry)
        return intake_pb2.SubmitFormResponse(
            thank_you_text=form.thank_you_text, receipt_id=inquiry.id
        )


async def _check_purposes(tx: Tx, new: pb.Form, old: pb.Form | None) -> None:
    """ReferenceUnknown for each purpose that a change adds and that is none."""
    known = {field.purpose for field in old.fields} if old is not None else set()
    wanted = {field.purpose for field in new.fields} - known - {""}
    absent = wanted - {each.key for each in await store.purposes_of(tx, sorted(wanted))}
    wrong = [
        (f"fields[{at}].purpose", f"consent purpose {field.purpose}")
        for at, field in enumerate(new.fields)
        if field.purpose in absent
    ]
    if wrong:
        raise errors.ReferenceUnknown(wrong)


async def _consent(tx: Tx, inquiry: Request, form: pb.Form) -> None:
    """Writes down what the visitor ticked, if it is clear who he is: a shared number consents for nobody."""
    ticked = rules.consents(form, inquiry.fields)
    if not ticked or not inquiry.contact_id or inquiry.choose:
        return
    found = {each.key: each for each in await store.purposes_of(tx, [q.purpose for q in ticked])}
    sender = strangers.address_hash(tx, form.id)
    for question in ticked:
        if question.purpose not in found:
            continue  # the tenant has deleted it since; the answer itself is kept with the request
        for channel in question.channels or [consent_pb2.CONSENT_CHANNEL_ANY]:
            await consents.note_act(
                tx, inquiry.contact_id, question.purpose, given=True, channel=channel,
                source=consent_pb2.CONSENT_SOURCE_FORM, text_version=found[question.purpose].text_version,
                proof=f"form {form.id} version {form.etag}, request {inquiry.id}, sender {sender}",
            )  # fmt: skip


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
