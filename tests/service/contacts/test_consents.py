"""The ledger of consents: what is written, what holds, and who may know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.contacts.v1 import consent_pb2 as pb
from crm.contacts.v1 import consent_purpose_pb2 as purposes
from crm.contacts.v1 import timeline_pb2
from crm.contacts.v1.consents_service_pb2_grpc import ConsentsServiceStub
from tests.service.contacts.test_notes import until
from tests.service.contacts.world import Refused, World

EMAIL, SMS, ANY = pb.CONSENT_CHANNEL_EMAIL, pb.CONSENT_CHANNEL_SMS, pb.CONSENT_CHANNEL_ANY
IMPORT, UNSUBSCRIBE = pb.CONSENT_SOURCE_IMPORT, pb.CONSENT_SOURCE_UNSUBSCRIBE


def desk(person: Person) -> Any:
    return person.stub(ConsentsServiceStub)


async def purpose(world: World, key: str = "marketing", **values: Any) -> purposes.ConsentPurpose:
    made = purposes.ConsentPurpose(key=key, name=key.title(), **values)
    return await desk(world.tenant.admin).CreateConsentPurpose(
        purposes.CreateConsentPurposeRequest(consent_purpose=made)
    )


async def say(world: World, contact_id: str, channel: Any = EMAIL, **values: Any) -> pb.Consent:
    row = pb.Consent(**{"purpose": "marketing", "channel": channel, **values})
    return await desk(world.tenant.admin).RecordConsent(
        pb.RecordConsentRequest(contact_id=contact_id, consent=row)
    )


async def states(person: Person, contact_id: str, **asked: str) -> dict[tuple[str, int], bool]:
    answer = await desk(person).BatchGetConsentStates(
        pb.BatchGetConsentStatesRequest(contact_ids=[contact_id], **asked)
    )
    (one,) = answer.contacts
    return {(state.purpose, state.channel): state.given for state in one.states}


async def test_the_ledger_keeps_every_row_with_its_proof(world: World) -> None:
    await purpose(world)
    contact = await world.contact(given_name="Ana")
    long_ago = to_timestamp(datetime.now(UTC) - timedelta(days=400))
    given = await say(world, contact.id, proof=" paper 17 ", text_version=2, time=long_ago)
    withdrawn = await say(world, contact.id, withdrawn=True, source=UNSUBSCRIBE)
    admin = desk(world.tenant.admin)

    first = await admin.ListConsents(pb.ListConsentsRequest(contact_id=contact.id, page_size=1))
    rest = await admin.ListConsents(
        pb.ListConsentsRequest(contact_id=contact.id, page_size=1, page_token=first.next_page_token)
    )

    assert list(first.consents) == [withdrawn]
    assert (list(rest.consents), rest.next_page_token) == ([given], "")
    assert (given.source, given.proof, given.text_version) == (
        pb.CONSENT_SOURCE_HAND,
        "paper 17",
        2,
    )
    assert (given.time, given.contact_id) == (long_ago, contact.id)
    (fact,) = await world.running.events(world.tenant, "ConsentWithdrawn")
    assert (fact["consent"]["id"], fact["consent"]["contactId"]) == (withdrawn.id, contact.id)
    assert len(await world.running.events(world.tenant, "ConsentGiven")) == 1


async def test_what_is_said_of_every_way_holds_for_each(world: World) -> None:
    await purpose(world)
    await purpose(world, "service")
    contact = await world.contact(given_name="Ana")
    await say(world, contact.id, ANY)
    await say(world, contact.id, SMS, withdrawn=True)
    await say(world, contact.id, EMAIL, purpose="service")

    found = await states(world.tenant.admin, contact.id)
    of_service = await states(world.tenant.admin, contact.id, purpose="service")

    marketing = {channel: given for (key, channel), given in found.items() if key == "marketing"}
    assert (len(marketing), marketing[EMAIL], marketing[SMS]) == (5, True, False)
    assert of_service == {("service", EMAIL): True}


async def test_only_the_person_lifts_a_withdrawal(world: World) -> None:
    await purpose(world)
    contact = await world.contact(given_name="Ana")
    await say(world, contact.id, source=IMPORT)
    assert await states(world.tenant.admin, contact.id) == {("marketing", EMAIL): True}
    await say(world, contact.id, ANY, withdrawn=True, source=UNSUBSCRIBE)

    await say(world, contact.id, source=IMPORT, proof="file 3")
    await say(world, contact.id)
    assert (await states(world.tenant.admin, contact.id))["marketing", EMAIL] is False

    await say(world, contact.id, proof="signed on paper")
    assert (await states(world.tenant.admin, contact.id))["marketing", EMAIL] is True


async def test_a_row_that_proves_nothing_is_refused(world: World) -> None:
    await purpose(world)
    contact = await world.contact(given_name="Ana")
    tomorrow = to_timestamp(datetime.now(UTC) + timedelta(days=1))
    for source in (pb.CONSENT_SOURCE_LINK, pb.CONSENT_SOURCE_FORM, UNSUBSCRIBE):
        async with Refused(world, errors.InvalidArgument, "CONSENT_INVALID", "consent.source"):
            await say(world, contact.id, source=source)
    async with Refused(world, errors.InvalidArgument, "CONSENT_INVALID", "consent.time"):
        await say(world, contact.id, time=tomorrow)
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "consent.purpose"):
        await say(world, contact.id, purpose="newsletter")
    assert await world.count("consents") == 0


async def test_consents_are_known_to_who_may_read_the_contact_and_consents(world: World) -> None:
    await purpose(world)
    read = [{"object": o, "action": "read", "scope": "own"} for o in ("contact", "consent")]
    ewa, jan = await world.tenant.person(read), await world.tenant.person(read)
    contact = await world.contact(given_name="Ana", owner_id=ewa.id)
    await say(world, contact.id)

    hers = await desk(ewa).ListConsents(pb.ListConsentsRequest(contact_id=contact.id))
    answer = await desk(jan).BatchGetConsentStates(
        pb.BatchGetConsentStatesRequest(contact_ids=[contact.id])
    )

    assert len(hers.consents) == 1
    assert (list(answer.contacts), list(answer.missing_ids)) == ([], [contact.id])
    with pytest.raises(errors.NotFound):
        await desk(jan).ListConsents(pb.ListConsentsRequest(contact_id=contact.id))
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await desk(ewa).RecordConsent(
            pb.RecordConsentRequest(
                contact_id=contact.id, consent=pb.Consent(purpose="marketing", channel=EMAIL)
            )
        )


async def test_a_consent_is_told_on_the_timeline(world: World) -> None:
    await purpose(world)
    contact = await world.contact(given_name="Ana")
    await say(world, contact.id)

    async def told() -> list[str]:
        request = timeline_pb2.ListContactTimelineRequest(id=contact.id, kinds=["consent"])
        return [e.headline for e in (await world.admin.ListContactTimeline(request)).entries]

    await until(told, ["marketing"])


async def test_a_changed_text_gets_a_new_number(world: World) -> None:
    made = await purpose(world, texts={"en": "I agree."})
    admin = desk(world.tenant.admin)

    async def change(path: str, **values: Any) -> purposes.ConsentPurpose:
        return await admin.UpdateConsentPurpose(
            purposes.UpdateConsentPurposeRequest(
                consent_purpose=purposes.ConsentPurpose(id=made.id, **values),
                update_mask=FieldMask(paths=[path]),
            )
        )

    renamed = await change("name", name="Offers")
    reworded = await change("texts", texts={"en": "I agree to offers.", "pl": "Zgadzam się."})

    assert (made.text_version, renamed.text_version, reworded.text_version) == (1, 1, 2)
    async with Refused(world, errors.InvalidArgument, "KEY_FIXED", "key"):
        await change("key", key="offers")
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await purpose(world)


async def test_what_was_said_under_merged_records_counts_for_who_survived(world: World) -> None:
    await purpose(world)
    first, second, survivor = [await world.contact(given_name=name) for name in ("A", "B", "C")]
    await say(world, survivor.id, source=IMPORT)
    await say(world, first.id, SMS)
    await say(world, first.id, withdrawn=True)
    for merged, into in ((first, second), (second, survivor)):
        await world.running.rows(
            "contacts",
            "INSERT INTO merged_parties (tenant_id, object, id, survivor_id, merge_id) VALUES ($1, 'contact', $2, $3, $3)",
            world.tenant.id, merged.id, into.id,
        )  # fmt: skip

    found = await states(world.tenant.admin, survivor.id)
    listed = await desk(world.tenant.admin).ListConsents(
        pb.ListConsentsRequest(contact_id=survivor.id)
    )

    assert found == {("marketing", EMAIL): False, ("marketing", SMS): True}
    assert [row.contact_id for row in listed.consents] == [first.id, first.id, survivor.id]
