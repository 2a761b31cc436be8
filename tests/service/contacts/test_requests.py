"""The life of a request, written down by colleagues and programs."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from crm.contacts.v1 import contact_pb2, request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.form_pb2 import Assignment
from crm.contacts.v1.party_pb2 import Phone
from tests.service.contacts.world import Refused, World

Request = request_pb2.Request
NEW, ASSIGNED, IN_WORK = Request.STATE_NEW, Request.STATE_ASSIGNED, Request.STATE_IN_WORK
ANSWERED, LINKED, CLOSED = Request.STATE_ANSWERED, Request.STATE_LINKED, Request.STATE_CLOSED
SELLER = [
    *({"object": o, "action": a, "scope": "own"} for o in ("contact", "request") for a in ("read", "create", "update")),
    {"object": "request", "action": "read", "scope": "team"},
    {"object": "request", "action": "assign", "scope": "team"},
]  # fmt: skip


async def write_down(stub: Any, **values: Any) -> request_pb2.Request:
    return await stub.CreateRequest(request_pb2.CreateRequestRequest(request=Request(**values)))


async def listed(stub: Any, **request: Any) -> list[str]:
    return [
        r.id for r in (await stub.ListRequests(request_pb2.ListRequestsRequest(**request))).requests
    ]


async def test_a_colleague_keeps_what_he_writes_down(world: World) -> None:
    seller = await world.tenant.person(SELLER)
    request = await write_down(
        world.stub(seller), text="Called about doors", phone="601 234 567", name="Jan"
    )
    assert (request.owner_id, request.state, request.channel) == (
        seller.id,
        ASSIGNED,
        Request.CHANNEL_STAFF,
    )
    assert (await world.contact(request.contact_id)).owner_id == seller.id
    assert len(await world.running.events(world.tenant, "RequestReceived")) == 1
    assert len(await world.running.events(world.tenant, "RequestAssigned")) == 1


async def test_a_colleague_gets_no_access_to_a_customer_by_writing_down_his_number(
    world: World,
) -> None:
    theirs = await world.contact(given_name="Jan", phones=[Phone(number="601234567")])
    seller = await world.tenant.person(SELLER)
    request = await write_down(world.stub(seller), text="x", phone="601234567")
    assert request.contact_id == theirs.id
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.stub(seller).GetContact(contact_pb2.GetContactRequest(id=theirs.id))


async def test_a_request_for_a_queue_waits_there(world: World) -> None:
    department = await world.tenant.department()
    request = await write_down(world.admin, text="x", department_id=department)
    assert (request.owner_id, request.state) == ("", NEW)


async def test_a_form_lends_its_rule_to_a_request_written_down(world: World) -> None:
    department = await world.tenant.department()
    seller = await world.tenant.person(department_id=department)
    form = await world.form(
        department_id=department, assignment=Assignment(rule=Assignment.RULE_ROUND_ROBIN)
    )
    request = await write_down(world.admin, text="x", form_id=form.id)
    assert (request.owner_id, request.department_id) == (seller.id, department)


async def test_a_request_that_says_nothing_is_refused(world: World) -> None:
    async with Refused(world, errors.InvalidArgument, "REQUEST_EMPTY", "text"):
        await write_down(world.admin, company_name="Okna")


async def test_one_key_writes_down_one_request(world: World) -> None:
    sent = request_pb2.CreateRequestRequest(
        request=Request(text="x", phone="601234567"), request_id=uuid7()
    )
    answers = [await world.admin.CreateRequest(sent) for _ in range(3)]
    assert len({a.id for a in answers}) == 1
    assert await world.count("requests") == 1
    assert await world.count("contacts") == 1


async def test_the_whole_life_with_an_event_for_each_step(world: World) -> None:
    department = await world.tenant.department()
    seller = await world.tenant.person(SELLER, department_id=department)
    stub, deal = world.stub(seller), uuid7()
    id = (await write_down(world.admin, text="x", department_id=department)).id

    states = [
        (await stub.AssignRequest(verbs.AssignRequestRequest(id=id, owner_id=seller.id))).state,
        (await stub.StartRequest(verbs.StartRequestRequest(id=id))).state,
        (await stub.AnswerRequest(verbs.AnswerRequestRequest(id=id))).state,
        (await stub.LinkRequest(verbs.LinkRequestRequest(id=id, deal_ids=[deal]))).state,
    ]
    request = await world.request(id)
    assert states == [ASSIGNED, IN_WORK, ANSWERED, LINKED]
    assert (request.first_response_by, list(request.deal_ids), request.etag) == (
        seller.id,
        [deal],
        "5",
    )
    assert request.create_time.ToNanoseconds() < request.first_response_time.ToNanoseconds()
    for name, fact in (("RequestAssigned", {}), ("RequestStarted", {}), ("RequestAnswered", {"first": True}),
                       ("RequestLinked", {"dealIds": [deal]})):  # fmt: skip
        (event,) = await world.running.events(world.tenant, name)
        assert event["request"]["id"] == id
        assert fact.items() <= event.items()


async def test_closed_requests_take_no_step_but_reopening(world: World) -> None:
    id = (await write_down(world.admin, text="x")).id
    closed = await world.admin.CloseRequest(
        verbs.CloseRequestRequest(id=id, reason=Request.CLOSE_REASON_DUPLICATE)
    )
    assert (closed.state, closed.close_reason) == (CLOSED, Request.CLOSE_REASON_DUPLICATE)
    admin, contact_id = world.admin, (await world.contact(given_name="A")).id
    steps = (
        admin.AssignRequest(verbs.AssignRequestRequest(id=id)),
        admin.StartRequest(verbs.StartRequestRequest(id=id)),
        admin.AnswerRequest(verbs.AnswerRequestRequest(id=id)),
        admin.LinkRequest(verbs.LinkRequestRequest(id=id, deal_ids=[uuid7()])),
        admin.CloseRequest(verbs.CloseRequestRequest(id=id, reason=Request.CLOSE_REASON_SPAM)),
        admin.ChooseRequestContact(verbs.ChooseRequestContactRequest(id=id, contact_id=contact_id)),
    )
    for step in steps:
        async with Refused(world, errors.FailedPrecondition, "REQUEST_WRONG_STATE"):
            await step
    async with Refused(world, errors.FailedPrecondition, "REQUEST_NOT_SPAM"):
        await admin.MarkRequestNotSpam(verbs.MarkRequestNotSpamRequest(id=id))

    opened = await admin.ReopenRequest(verbs.ReopenRequestRequest(id=id))
    assert (opened.state, opened.close_reason, opened.HasField("close_time")) == (
        ASSIGNED,
        0,
        False,
    )
    assert len(await world.running.events(world.tenant, "RequestReopened")) == 1


async def test_twenty_colleagues_start_one_request_and_one_succeeds(world: World) -> None:
    department = await world.tenant.department()
    id = (await write_down(world.admin, text="x", department_id=department)).id
    people = [await world.tenant.person(SELLER, department_id=department) for _ in range(4)]

    tries = (
        world.stub(people[n % 4]).StartRequest(verbs.StartRequestRequest(id=id)) for n in range(20)
    )
    answers = await asyncio.gather(*tries, return_exceptions=True)

    owners = [answer.owner_id for answer in answers if isinstance(answer, Request)]
    assert len(owners) == 1
    refusals = {answer.reason for answer in answers if isinstance(answer, errors.CrmError)}
    assert refusals <= {"REQUEST_WRONG_STATE", "PERMISSION_DENIED"}
    request = await world.request(id)
    assert (request.owner_id, request.etag) == (owners[0], "2")
    assert len(await world.running.events(world.tenant, "RequestStarted")) == 1


async def test_an_old_etag_is_refused(world: World) -> None:
    request = await write_down(world.admin, text="x")
    await world.admin.StartRequest(verbs.StartRequestRequest(id=request.id))
    async with Refused(world, errors.Aborted, "CHANGED_MEANWHILE"):
        await world.admin.AnswerRequest(
            verbs.AnswerRequestRequest(id=request.id, etag=request.etag)
        )


@pytest.mark.parametrize("state", ["invited", "deactivated", "unknown"])
async def test_only_active_colleagues_get_requests(world: World, state: str) -> None:
    id = (await write_down(world.admin, text="x")).id
    owner_id = uuid7() if state == "unknown" else (await world.tenant.person(state=state)).id
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "owner_id"):
        await world.admin.AssignRequest(verbs.AssignRequestRequest(id=id, owner_id=owner_id))


async def test_by_rule_with_nobody_present_is_refused_and_with_somebody_assigned(
    world: World,
) -> None:
    department = await world.tenant.department()
    form = await world.form(
        department_id=department, assignment=Assignment(rule=Assignment.RULE_FEWEST_OPEN)
    )
    request = await world.submitted(form, text="x")
    by_rule = verbs.AssignRequestRequest(id=request.id, by_rule=True)
    async with Refused(world, errors.FailedPrecondition, "NOBODY_PRESENT", "by_rule"):
        await world.admin.AssignRequest(by_rule)

    seller = await world.tenant.person(department_id=department)
    assert (await world.admin.AssignRequest(by_rule)).owner_id == seller.id


async def test_back_to_the_queue(world: World) -> None:
    department = await world.tenant.department()
    request = await write_down(world.admin, text="x")
    back = await world.admin.AssignRequest(
        verbs.AssignRequestRequest(id=request.id, department_id=department)
    )
    assert (back.owner_id, back.state, back.department_id) == ("", NEW, department)
    events = await world.running.events(world.tenant, "RequestAssigned", count=2)
    assert (events[1]["assignedToQueue"], events[1]["previousOwnerId"]) == (
        True,
        world.tenant.admin.id,
    )


async def test_a_seller_sees_his_own_and_his_departments_queue_only(world: World) -> None:
    mine, other = await world.tenant.department(), await world.tenant.department()
    seller = await world.tenant.person(SELLER, department_id=mine)
    colleague = await world.tenant.person(SELLER, department_id=other)
    own = await write_down(world.stub(seller), text="own")
    queued = await write_down(world.admin, text="queue", department_id=mine)
    theirs = [
        await write_down(world.stub(colleague), text="theirs"),
        await write_down(world.admin, text="other queue", department_id=other),
    ]
    assert sorted(await listed(world.stub(seller))) == sorted([own.id, queued.id])
    for request in theirs:
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await world.stub(seller).AnswerRequest(verbs.AnswerRequestRequest(id=request.id))
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await world.stub(seller).CloseRequest(
            verbs.CloseRequestRequest(id=own.id, reason=Request.CLOSE_REASON_SPAM)
        )


async def test_requests_are_found_by_what_people_know_of_them(world: World) -> None:
    form = await world.form()
    request = await world.submitted(
        form, name="Łucja Żak", phone="601 234 567", text="Balkon na wczoraj"
    )
    await world.submitted(form, name="Jan", phone="601 999 888", text="Drzwi")
    for q in ("lucja", "zak", "4567", "balkon"):
        assert await listed(world.admin, q=q) == [request.id], q
    for filter in ('phone="48601234567" OR phone="601234567"', f'contact_id="{request.contact_id}"',
                   'state=NEW AND name="lucja zak"'):  # fmt: skip
        assert await listed(world.admin, filter=filter) == [request.id], filter


async def test_where_it_came_from_cannot_be_changed_and_its_life_only_by_verbs(
    world: World,
) -> None:
    form, other = await world.form(), await world.form()
    request = await world.submitted(form, text="x")

    async def update(**values: Any) -> Request:
        changed = Request(id=request.id, **values)
        mask = FieldMask(paths=list(values))
        return await world.admin.UpdateRequest(
            request_pb2.UpdateRequestRequest(request=changed, update_mask=mask)
        )

    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "form_id"):
        await update(form_id=other.id)
    async with Refused(world, errors.InvalidArgument, "INVALID_MASK"):
        await update(state=LINKED)
    assert (await update(text="y")).text == "y"


async def test_naming_the_person_settles_the_choice(world: World) -> None:
    two = [
        await world.contact(given_name=n, phones=[Phone(number="601234567")]) for n in ("A", "B")
    ]
    request = await world.submitted(await world.form(), phone="601234567")
    assert request.choose
    settled = await world.admin.UpdateRequest(
        request_pb2.UpdateRequestRequest(
            request=Request(id=request.id, contact_id=two[0].id),
            update_mask=FieldMask(paths=["contact_id"]),
        )
    )
    assert (settled.contact_id, settled.choose) == (two[0].id, False)
