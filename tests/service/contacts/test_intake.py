"""Requests that come in through a public form."""

import asyncio
from datetime import UTC, datetime

from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import new_key, uuid7
from chassis.times import to_timestamp
from crm.contacts.v1 import form_pb2, intake_pb2, request_pb2, source_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.form_pb2 import Assignment, FormField
from crm.contacts.v1.party_pb2 import Email, Phone, Touch
from tests.service.contacts.world import Refused, World

Request = request_pb2.Request
ROUND, FEWEST = Assignment.RULE_ROUND_ROBIN, Assignment.RULE_FEWEST_OPEN


async def test_a_strangers_request_is_recorded_raw_and_makes_a_contact(world: World) -> None:
    form = await world.form()
    request = await world.submitted(
        form,
        name="Siti Nurhaliza",
        phone="+60 12-345 6789",
        email="Siti@Example.MY",
        text="Two windows",
        balcony="yes",
    )

    contact = await world.contact(request.contact_id)
    assert (contact.display_name, contact.phones[0].number, contact.emails[0].address) == (
        "Siti Nurhaliza",
        "+60123456789",
        "siti@example.my",
    )
    assert (request.name, request.phone, request.email, request.text, dict(request.fields)) == (
        "Siti Nurhaliza",
        "+60 12-345 6789",
        "Siti@Example.MY",
        "Two windows",
        {"balcony": "yes"},
    )
    assert '"+60 12-345 6789"' in request.raw
    assert (request.state, request.channel, request.form_id) == (
        Request.STATE_NEW,
        Request.CHANNEL_FORM,
        form.id,
    )
    (event,) = await world.running.events(world.tenant, "RequestReceived")
    assert (event["request"]["id"], event["assignedToQueue"], event["contactCreated"]) == (
        request.id,
        True,
        True,
    )
    assert event["change"]["actor"] == {"kind": "form", "id": form.id}


async def test_what_is_no_phone_and_no_email_stays_as_given_and_makes_no_contact(
    world: World,
) -> None:
    request = await world.submitted(
        await world.form(), name="Jan", phone="call me", email="at work"
    )
    assert (request.phone, request.email, request.contact_id) == ("call me", "at work", "")
    assert await world.count("contacts") == 0


async def test_two_requests_at_once_from_one_phone_in_two_spellings_make_one_contact(
    world: World,
) -> None:
    form = await world.form()
    spellings = ["601 234 567", "+48601234567", "0048 601-234-567", "(601) 234567"] * 3
    receipts = await asyncio.gather(
        *(world.submit(form, name="Jan", phone=phone) for phone in spellings)
    )

    requests = [await world.request(receipt.receipt_id) for receipt in receipts]
    assert len({request.id for request in requests}) == 12
    assert len({request.contact_id for request in requests}) == 1
    assert await world.count("contacts") == 1


async def test_one_idempotency_key_makes_one_request_however_often_and_fast_it_is_sent(
    world: World,
) -> None:
    form = await world.form()
    sent = {"request_id": uuid7()}
    receipts = await asyncio.gather(
        *(world.submit(form, phone="601234567", request=sent) for _ in range(10))
    )
    assert len({receipt.receipt_id for receipt in receipts}) == 1
    assert await world.count("requests") == 1
    assert len(await world.running.events(world.tenant, "RequestReceived")) == 1

    async with Refused(world, errors.AlreadyExists, "REQUEST_ID_REUSED"):
        await world.submit(form, phone="601234568", request=sent)


async def test_phone_of_one_and_email_of_another_goes_to_the_phones_owner_and_suspects_a_pair(
    world: World,
) -> None:
    by_phone = await world.contact(given_name="Anna", phones=[Phone(number="601234567")])
    by_email = await world.contact(given_name="Ewa", emails=[Email(address="e@example.pl")])
    request = await world.submitted(
        await world.form(), name="Anna", phone="601 234 567", email="E@example.pl"
    )

    assert request.contact_id == by_phone.id
    pair = request.suspected_pair
    assert (pair.contact_id, pair.other_contact_id) == (by_phone.id, by_email.id)
    (event,) = await world.running.events(world.tenant, "DuplicateSuspected")
    assert (event["contactId"], event["otherContactId"]) == (by_phone.id, by_email.id)
    assert [(await world.contact(c.id)).etag for c in (by_phone, by_email)] == [
        "1",
        "1",
    ]  # nothing is merged


async def test_a_shared_number_goes_to_the_latest_contact_and_asks_to_choose(world: World) -> None:
    form = await world.form()
    first = await world.contact(
        given_name="Anna", phones=[Phone(number="601234567")], emails=[Email(address="a@x.pl")]
    )
    second = await world.contact(
        given_name="Ewa", phones=[Phone(number="601234567")], emails=[Email(address="e@x.pl")]
    )
    await world.submit(form, email="a@x.pl")  # Anna was the last to write

    request = await world.submitted(form, phone="601234567")
    assert (request.contact_id, request.choose, list(request.candidate_ids)) == (
        first.id,
        True,
        [first.id, second.id],
    )

    chosen = await world.admin.ChooseRequestContact(
        verbs.ChooseRequestContactRequest(id=request.id, contact_id=second.id, etag=request.etag)
    )
    assert (chosen.contact_id, chosen.choose) == (second.id, False)
    (event,) = await world.running.events(world.tenant, "RequestContactChosen")
    assert event["previousContactId"] == first.id


async def test_a_different_name_on_a_known_phone_is_kept_on_the_request(world: World) -> None:
    known = await world.contact(
        given_name="Jan", family_name="Kowalski", phones=[Phone(number="601234567")]
    )
    form = await world.form()
    other = await world.submitted(form, name="Anna Nowak", phone="601234567")
    same = await world.submitted(form, name="KOWALSKI JAN", phone="601234567")
    assert (other.contact_id, other.name, other.name_differs) == (known.id, "Anna Nowak", True)
    assert (same.contact_id, same.name_differs) == (known.id, False)
    assert (await world.contact(known.id)).display_name == "Jan Kowalski"


async def test_a_program_that_fills_the_invisible_field_is_kept_as_spam_and_can_be_taken_back(
    world: World,
) -> None:
    form = await world.form()
    receipt = await world.submit(
        form, name="Bot", phone="601234567", request={"honeypot": "http://spam"}
    )
    caught = await world.request(receipt.receipt_id)
    assert (caught.state, caught.close_reason, caught.honeypot_filled, caught.contact_id) == (
        Request.STATE_CLOSED,
        Request.CLOSE_REASON_SPAM,
        True,
        "",
    )
    assert await world.count("contacts") == 0
    assert len(await world.running.events(world.tenant, "RequestClosed")) == 1

    back = await world.admin.MarkRequestNotSpam(verbs.MarkRequestNotSpamRequest(id=caught.id))
    assert (back.state, back.honeypot_filled) == (Request.STATE_NEW, True)
    assert (await world.contact(back.contact_id)).given_name == "Bot"
    assert len(await world.running.events(world.tenant, "RequestReceived")) == 1


async def test_first_and_last_touch_come_with_the_form_and_decide_the_source(world: World) -> None:
    for key in ("company_site", "contextual_ad"):
        source = source_pb2.Source(key=key, name=key)
        await world.admin.CreateSource(source_pb2.CreateSourceRequest(source=source))
    first = Touch(
        time=to_timestamp(datetime(2026, 1, 5, tzinfo=UTC)), referrer="https://google.com/"
    )
    last = Touch(
        time=to_timestamp(datetime(2026, 1, 9, tzinfo=UTC)),
        landing_page="https://okna.example/?utm_source=google&utm_medium=cpc&utm_term=okna&gclid=x",
    )
    request = await world.submitted(
        await world.form(), phone="601234567", request={"first_touch": first, "last_touch": last}
    )
    assert request.first_touch == first
    assert (request.last_touch.keyword, dict(request.last_touch.click_ids)) == (
        "okna",
        {"gclid": "x"},
    )
    source = await world.admin.GetSource(source_pb2.GetSourceRequest(id=request.source_id))
    assert source.key == "contextual_ad"
    assert (await world.contact(request.contact_id)).source_id == request.source_id


async def test_the_forms_own_source_wins_over_the_touch(world: World) -> None:
    shop = await world.admin.CreateSource(
        source_pb2.CreateSourceRequest(source=source_pb2.Source(key="online_shop", name="Shop"))
    )
    form = await world.form(source_id=shop.id)
    request = await world.submitted(
        form, phone="601234567", request={"last_touch": Touch(utm_source="x")}
    )
    assert request.source_id == shop.id


async def test_missing_required_answers_are_refused_by_name(world: World) -> None:
    form = await world.admin.CreateForm(
        form_pb2.CreateFormRequest(
            form=form_pb2.Form(
                name="F",
                fields=[
                    FormField(key="name", label="Name", required=True),
                    FormField(key="b", label="B", required=True),
                ],
            )
        )
    )
    async with Refused(world, errors.InvalidArgument, "ANSWERS_INVALID", "fields.name", "fields.b"):
        await world.submit(form, other="x")


async def test_too_much_is_refused(world: World) -> None:
    form = await world.form()
    async with Refused(world, errors.InvalidArgument, "SUBMISSION_TOO_LARGE", "fields"):
        await world.submit(form, text="x" * 40_000)


async def test_one_address_may_send_so_many_a_minute_and_another_is_not_concerned(
    world: World,
) -> None:
    form = await world.form()
    form.rate_limit_per_minute = 3
    await world.admin.UpdateForm(
        form_pb2.UpdateFormRequest(
            form=form, update_mask=FieldMask(paths=["rate_limit_per_minute"])
        )
    )
    began = datetime.now(UTC).replace(second=0, microsecond=0)
    sent = await asyncio.gather(
        *(world.submit(form, text="x") for _ in range(9)), return_exceptions=True
    )
    minutes = (
        1 + (datetime.now(UTC) - began).seconds // 60
    )  # the limit counts calendar minutes, and one may have ended
    refused = [error for error in sent if isinstance(error, errors.CrmError)]
    assert 3 <= len(sent) - len(refused) <= 3 * minutes
    assert {error.reason for error in refused} == {"FORM_RATE_LIMITED"}
    assert all(0 < (error.retry_after_s or 0) <= 60 for error in refused)
    assert await world.count("requests") == len(sent) - len(refused)
    await world.submit(form, text="x", peer="198.51.100.1")
    await world.submit(await world.form(), text="x")


async def test_only_pages_of_the_forms_sites_may_send_it(world: World) -> None:
    form = await world.form(allowed_origins=["https://okna.example"])
    await world.submit(form, origin="https://okna.example", text="x")
    async with Refused(world, errors.PermissionDenied, "ORIGIN_NOT_ALLOWED"):
        await world.submit(form, origin="https://evil.example", text="x")


async def test_a_closed_form_and_an_unknown_key_take_nothing(world: World) -> None:
    form = await world.form(closed=True)
    async with Refused(world, errors.FailedPrecondition, "FORM_CLOSED"):
        await world.submit(form, text="x")
    for key in (new_key(world.tenant.id), "nonsense"):
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await world.submit(form_pb2.Form(key=key), text="x")
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await world.visitor().GetPublicForm(intake_pb2.GetPublicFormRequest(form_key=key))


async def test_a_visitor_who_is_signed_in_at_another_company_is_a_visitor(world: World) -> None:
    form = await world.form()
    elsewhere = (await world.running.tenant()).admin
    receipt = await world.stub(elsewhere).SubmitForm(
        intake_pb2.SubmitFormRequest(form_key=form.key)
    )
    await world.request(receipt.receipt_id)
    (event,) = await world.running.events(world.tenant, "RequestReceived")
    assert event["change"]["actor"] == {"kind": "form", "id": form.id}


async def test_visitors_see_the_form_and_nothing_behind_it(world: World) -> None:
    form = await world.form(title="Order", thank_you_text="Thanks", department_id=uuid7())
    shown = await world.visitor().GetPublicForm(intake_pb2.GetPublicFormRequest(form_key=form.key))
    assert (shown.title, shown.thank_you_text, shown.fields, shown.language) == (
        "Order",
        "Thanks",
        form.fields,
        "en",
    )
    assert {field.name for field, _ in shown.ListFields()} == {
        "form_key",
        "title",
        "thank_you_text",
        "fields",
        "language",
    }


# -- assignment --------------------------------------------------------------------------------------------------------------
