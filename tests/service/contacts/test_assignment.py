"""Who gets a new request: round robin, fewest open, the card's owner, or the department's queue."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.contacts.v1 import contact_pb2, request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.form_pb2 import Assignment
from crm.contacts.v1.party_pb2 import Phone
from tests.service.contacts.world import World

Request = request_pb2.Request
ROUND, FEWEST = Assignment.RULE_ROUND_ROBIN, Assignment.RULE_FEWEST_OPEN


@pytest.mark.large
async def test_round_robin_gives_each_the_same_share_under_load_and_goes_on_where_it_was(
    world: World,
) -> None:
    department = await world.tenant.department()
    people = sorted([(await world.tenant.person(department_id=department)).id for _ in range(3)])
    form = await world.form(department_id=department, assignment=Assignment(rule=ROUND))

    receipts = await asyncio.gather(
        *(world.submit(form, phone=f"6012345{n:02}") for n in range(12))
    )
    owners = Counter([(await world.request(receipt.receipt_id)).owner_id for receipt in receipts])
    assert owners == dict.fromkeys(people, 4)

    following = [(await world.submitted(form, phone="601234599")).owner_id for _ in range(3)]
    assert following == people
    assigned = await world.running.events(world.tenant, "RequestAssigned", count=15)
    assert len(assigned) == 15


async def test_fewest_open_gives_to_whoever_has_the_least(world: World) -> None:
    department = await world.tenant.department()
    busy, free = sorted(
        [(await world.tenant.person(department_id=department)).id for _ in range(2)]
    )
    form = await world.form(department_id=department, assignment=Assignment(rule=FEWEST))
    for _ in range(2):
        request = await world.submitted(form, text="x")
        await world.admin.AssignRequest(verbs.AssignRequestRequest(id=request.id, owner_id=busy))
    assert [(await world.submitted(form, text="x")).owner_id for _ in range(2)] == [free, free]


@pytest.mark.parametrize(
    "absence",
    [
        {"state": "deactivated"}, {"away_from": 0, "away_until": None}, {"capacity": 1, "open": 1},
        {"working_hours": [{"weekday": datetime.now(UTC).isoweekday() % 7 + 1, "start": "09:00", "end": "17:00"}]},
    ],
)  # fmt: skip
async def test_nobody_present_leaves_it_in_the_queue_and_the_event_says_so(
    world: World, absence: dict[str, Any]
) -> None:
    department = await world.tenant.department()
    entry = {key: value for key, value in absence.items() if key != "open"}
    await world.tenant.person(department_id=department, **entry)
    form = await world.form(department_id=department, assignment=Assignment(rule=ROUND))
    for _ in range(absence.get("open", 0)):
        assert (await world.submitted(form, text="x")).owner_id

    request = await world.submitted(form, text="x")
    assert (request.state, request.owner_id, request.department_id) == (
        Request.STATE_NEW,
        "",
        department,
    )
    events = await world.running.events(
        world.tenant, "RequestReceived", count=absence.get("open", 0) + 1
    )
    (event,) = [e for e in events if e["request"]["id"] == request.id]
    assert event["assignedToQueue"] is True


async def test_the_hours_of_department_and_company_count_where_somebody_has_none(
    world: World,
) -> None:
    department = await world.tenant.department()
    person = await world.tenant.person(department_id=department, time_zone="")
    form = await world.form(department_id=department, assignment=Assignment(rule=ROUND))
    now = world.running.process.clock.now()
    days = [str((now + timedelta(n)).date()) for n in (-1, 0, 1)]  # whatever the zone, today is one
    entry = {"name": "D", "parent_id": "", "head_id": "", "deputy_id": ""}
    closed = [{"date": day, "name": "Move", "hours": []} for day in days]

    await world.tenant.put("department", department, {**entry, "special_days": closed})
    assert (await world.submitted(form, text="x")).owner_id == ""
    await world.tenant.put("department", department, entry)
    assert (await world.submitted(form, text="x")).owner_id == person.id


async def test_the_owner_of_a_known_contact_is_asked_first_where_the_form_says_so(
    world: World,
) -> None:
    department = await world.tenant.department()
    people = sorted([(await world.tenant.person(department_id=department)).id for _ in range(2)])
    await world.contact(given_name="Jan", phones=[Phone(number="601234567")], owner_id=people[1])
    form = await world.form(
        department_id=department, assignment=Assignment(rule=ROUND, keep_contact_owner=True)
    )
    assert [(await world.submitted(form, phone="601234567")).owner_id for _ in range(3)] == [
        people[1]
    ] * 3


async def test_whoever_gets_the_request_may_read_the_customers_card(world: World) -> None:
    department = await world.tenant.department()
    grants = [{"object": o, "action": "read", "scope": "own"} for o in ("contact", "request")]
    seller = await world.tenant.person(grants, department_id=department)
    form = await world.form(department_id=department, assignment=Assignment(rule=ROUND))
    theirs = await world.contact(given_name="Jan", phones=[Phone(number="601234567")])

    known, new = (
        await world.submitted(form, phone="601234567"),
        await world.submitted(form, phone="601234568"),
    )
    for request, owner_id in ((known, world.tenant.admin.id), (new, seller.id)):
        card = await world.stub(seller).GetContact(
            contact_pb2.GetContactRequest(id=request.contact_id)
        )
        assert card.owner_id == owner_id
    assert list((await world.contact(theirs.id)).follower_ids) == [seller.id]
