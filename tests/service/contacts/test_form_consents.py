"""Consents that visitors give by a form."""

from typing import Any

from google.protobuf.struct_pb2 import Value

from chassis import errors
from crm.contacts.v1 import consent_pb2 as pb
from crm.contacts.v1 import form_pb2, intake_pb2
from crm.contacts.v1.form_pb2 import FormField
from tests.service.contacts.test_consents import desk, purpose, say, states
from tests.service.contacts.world import QUESTIONS, Refused, World

EMAIL, SMS = pb.CONSENT_CHANNEL_EMAIL, pb.CONSENT_CHANNEL_SMS


def tick(**values: Any) -> FormField:
    made = {"key": "ok", "label": "Send me offers", "type": FormField.TYPE_YES_NO}
    return FormField(
        **{**made, "meaning": FormField.MEANING_CONSENT, "purpose": "marketing", **values}
    )


async def make(world: World, *ticks: FormField) -> form_pb2.Form:
    form = form_pb2.Form(name="Order", fields=[*QUESTIONS, *ticks], rate_limit_per_minute=1000)
    return await world.admin.CreateForm(form_pb2.CreateFormRequest(form=form))


async def submit(world: World, form: form_pb2.Form, *, ok: bool | None, phone: str) -> str:
    """The person of the request that the submission made."""
    sent = intake_pb2.SubmitFormRequest(form_key=form.key)
    sent.fields["phone"].CopyFrom(Value(string_value=phone))
    if ok is not None:
        sent.fields["ok"].CopyFrom(Value(bool_value=ok))
    receipt = await world.visitor(**{"crm-peer": "203.0.113.7"}).SubmitForm(sent)
    return (await world.request(receipt.receipt_id)).contact_id


async def test_a_tick_is_a_row_of_the_ledger_with_its_proof(world: World) -> None:
    await purpose(world)
    form = await make(world, tick(channels=[EMAIL, SMS]))

    contact_id = await submit(world, form, ok=True, phone="601 234 567")

    admin = desk(world.tenant.admin)
    ledger = (await admin.ListConsents(pb.ListConsentsRequest(contact_id=contact_id))).consents
    assert sorted(row.channel for row in ledger) == [EMAIL, SMS]
    assert {(row.source, row.text_version) for row in ledger} == {(pb.CONSENT_SOURCE_FORM, 1)}
    assert ledger[0].proof.startswith(f"form {form.id} version 1, request ")
    assert "203.0.113.7" not in ledger[0].proof
    assert set((await states(world.tenant.admin, contact_id)).values()) == {True}


async def test_no_tick_is_no_row(world: World) -> None:
    await purpose(world)
    form = await make(world, tick())
    for ok in (False, None):
        await submit(world, form, ok=ok, phone="601 234 567")
    assert await world.count("consents") == 0


async def test_a_form_never_lifts_a_withdrawal(world: World) -> None:
    await purpose(world)
    form = await make(world, tick(channels=[EMAIL]))
    contact_id = await submit(world, form, ok=True, phone="601 234 567")
    await say(world, contact_id, withdrawn=True)
    assert await submit(world, form, ok=True, phone="601 234 567") == contact_id
    assert await world.count("consents") == 3
    assert await states(world.tenant.admin, contact_id) == {("marketing", EMAIL): False}


async def test_a_shared_number_consents_for_nobody(world: World) -> None:
    await purpose(world)
    for name in ("Ana", "Jan"):
        await world.contact(given_name=name, phones=[{"number": "+48601234567"}])
    form = await make(world, tick())
    await submit(world, form, ok=True, phone="601 234 567")
    assert await world.count("consents") == 0


async def test_a_consent_that_is_no_tick_or_has_no_purpose_is_refused(world: World) -> None:
    await purpose(world)
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID", "fields[4].type", "fields[5].purpose", "fields[6].purpose"
    ):  # fmt: skip
        await make(
            world, tick(type=FormField.TYPE_TEXT), tick(key="b", purpose=""),
            tick(key="c", meaning=FormField.MEANING_TEXT),
        )  # fmt: skip
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "fields[4].purpose"):
        await make(world, tick(purpose="newsletter"))
