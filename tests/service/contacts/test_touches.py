"""What brought somebody is a fact of his card: lists and segments ask for it, and follow when it changes."""

from typing import Any

import pytest

from chassis import errors
from crm.contacts.v1 import company_pb2, contact_pb2, request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.party_pb2 import Phone, Touch
from tests.service.contacts.groups import Groups
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

AD = Touch(
    utm_source="Google", utm_medium="cpc", utm_campaign="Spring", click_ids={"gclid": "Cj0K"},
    landing_page="https://okna.example/offer?utm_source=Google", referrer="https://www.google.com/",
)  # fmt: skip
NEWSLETTER = Touch(utm_source="newsletter", utm_medium="email", utm_campaign="Autumn")
ANA = {"phone": "+48601234567", "name": "Ana"}


@pytest.fixture
def groups(world: World) -> Groups:
    return Groups(world)


async def brought(world: World, groups: Groups, *touches: Touch, **who: str) -> str:
    """The id of a contact whom these brought, one request each, once the last is among the facts."""
    form, contact_id = await world.form(), ""
    for touch in touches:
        sent = await world.submitted(form, request={"last_touch": touch}, **(who or ANA))
        contact_id = sent.contact_id
        await groups.until_facts(contact_id, last_request_id=sent.id)
    return contact_id


async def listed(world: World, filter: str) -> list[str]:
    found = await world.admin.ListContacts(contact_pb2.ListContactsRequest(filter=filter))
    return [contact.id for contact in found.contacts]


@pytest.mark.parametrize(
    ("filter", "finds"),
    [
        ('facts.first_touch.utm_source = "google"', True),
        ("facts.firstTouch.utmMedium = CPC", True),
        ("facts.first_touch.utm_campaign = spring", True),
        ("facts.first_touch.utm_campaign = autumn", False),
        ("facts.last_touch.utm_campaign = autumn", True),
        ("facts.first_touch.click_ids:gclid", True),
        ('facts.first_touch.click_ids:"gclid/Cj0K"', True),
        ("facts.last_touch.click_ids:*", False),
        ('facts.first_touch.landing_page = "https://okna.example/*"', True),
        ('facts.first_touch.referrer = "https://www.google.com/"', True),
        ("facts.last_touch.referrer:*", False),
        ("facts.first_touch.time > now-1d", True),
    ],
)
async def test_lists_and_segments_ask_for_touches(
    world: World, groups: Groups, filter: str, finds: bool
) -> None:
    await world.contact(given_name="Nobody's")
    id = await brought(world, groups, AD, NEWSLETTER)

    segment = await groups.create(filter)

    expected = [id] if finds else []
    assert await listed(world, filter) == expected
    assert await groups.kept(segment) == set(expected)
    assert (await groups.count(segment)).count == len(expected)
    assert await groups.contains(segment, contact_id=id) is finds


async def test_a_touch_that_changes_moves_somebody_between_segments(
    world: World, groups: Groups
) -> None:
    contact = await world.contact(given_name="Ana", phones=[Phone(number=ANA["phone"])])
    spring = await groups.create("facts.last_touch.utm_campaign = spring", label="Spring")
    autumn = await groups.create("facts.last_touch.utm_campaign = autumn", label="Autumn")
    assert await groups.kept(spring) == set()

    assert await brought(world, groups, AD) == contact.id
    await groups.until_kept(spring, contact.id)
    await brought(world, groups, NEWSLETTER)
    await groups.until_kept(autumn, contact.id)
    await groups.until_kept(spring)

    told = await groups.moves(3)
    assert sorted((move["type"], move["segmentLabel"]) for move in told) == [
        ("ContactEnteredSegment", "Autumn"), ("ContactEnteredSegment", "Spring"), ("ContactLeftSegment", "Spring"),
    ]  # fmt: skip
    assert (await groups.of_contact(contact.id)).first_touch.utm_campaign == "Spring"


async def test_touches_go_where_their_request_goes(world: World, groups: Groups) -> None:
    id, other = await brought(world, groups, AD), await world.contact(given_name="Ewa")
    (request,) = (await world.admin.ListRequests(request_pb2.ListRequestsRequest())).requests

    await world.admin.ChooseRequestContact(
        verbs.ChooseRequestContactRequest(id=request.id, contact_id=other.id)
    )

    moved = await groups.until_facts(other.id, last_request_id=request.id)
    assert moved.first_touch == request.first_touch
    left = await groups.until_facts(id, last_request_id="")
    assert not left.HasField("first_touch")
    assert await listed(world, "facts.first_touch.utm_source = google") == [other.id]


async def test_spam_brings_nobody(world: World, groups: Groups) -> None:
    id = await brought(world, groups, AD)
    (request,) = (await world.admin.ListRequests(request_pb2.ListRequestsRequest())).requests

    await world.admin.CloseRequest(
        verbs.CloseRequestRequest(id=request.id, reason=request_pb2.Request.CLOSE_REASON_SPAM)
    )

    assert not (await groups.until_facts(id, last_request_id="")).HasField("first_touch")


async def test_touches_of_merged_people_are_the_survivors(world: World, groups: Groups) -> None:
    ana = await world.contact(await brought(world, groups, AD))
    twin = await world.contact(
        await brought(world, groups, NEWSLETTER, name="Ana", phone="+48602234567")
    )
    merging = Merging(world)

    merge = await merging.merge(ana, twin)

    one = await groups.until_facts(ana.id, open_requests=2)
    assert (one.first_touch.utm_campaign, one.last_touch.utm_campaign) == ("Spring", "Autumn")
    await merging.undo(merge)
    back = await groups.until_facts(ana.id, open_requests=1)
    assert back.last_touch.utm_campaign == "Spring"


async def test_hidden_touches_are_in_no_answer_and_no_filter(world: World, groups: Groups) -> None:
    id = await brought(world, groups, AD)
    grants = [{"object": "*", "action": "*", "scope": "all"}]
    clerk = await world.tenant.person(grants, hidden=["contact.facts.first_touch"])

    seen = await Groups(world, clerk).of_contact(id)

    assert (seen.HasField("first_touch"), seen.HasField("last_touch")) == (False, True)
    asked: Any = contact_pb2.ListContactsRequest(filter="facts.first_touch.utm_source = google")
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await world.stub(clerk).ListContacts(asked)


async def test_companies_have_no_touches(world: World) -> None:
    asked = company_pb2.ListCompaniesRequest(filter="facts.first_touch.utm_source = google")
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "filter"):
        await world.admin.ListCompanies(asked)
