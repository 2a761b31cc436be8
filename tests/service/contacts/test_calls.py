"""A stranger's call becomes a request (S21, S22), and the facts of cards follow calls."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from chassis.call import Cause
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.contacts.v1 import card_facts_pb2, company_pb2, merge_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.duplicates_service_pb2_grpc import DuplicatesServiceStub
from crm.contacts.v1.request_pb2 import Request
from crm.telephony.v1.call_pb2 import Call
from services.contacts import facts
from tests.service.contacts.calls import (
    MINUTE,
    NUMBER,
    answered_call,
    heard,
    made_good,
    missed_call,
    now,
    requests,
    tell,
)
from tests.service.contacts.groups import Groups
from tests.service.contacts.test_erasures import erase
from tests.service.contacts.world import World

HOLDER: dict[str, Any] = {"given_name": "Jan", "phones": [{"number": NUMBER}]}


async def only_request(world: World) -> Request:
    (found,) = await requests(world)
    return found


# -- a stranger's call -----------------------------------------------------------------------------------


async def test_a_strangers_missed_call_becomes_a_request_in_the_lines_queue(world: World) -> None:
    sales, source = await world.tenant.department(), uuid7()
    call = missed_call(
        department_id=sales, source_id=source, campaign="spring", keyword="oak windows", line_id=uuid7()
    )  # fmt: skip

    await tell(world, "CallMissed", call)

    found = await only_request(world)
    assert (found.channel, found.state) == (Request.CHANNEL_CALL, Request.STATE_NEW)
    assert (found.call_id, found.missed_spell_id, found.phone) == (call.id, call.id, NUMBER)
    assert (found.department_id, found.owner_id, found.source_id) == (sales, "", source)
    assert (found.last_touch.utm_campaign, found.last_touch.keyword) == ("spring", "oak windows")
    assert found.text == "Missed call: the caller hung up before somebody answered"
    assert orjson.loads(found.raw)["line_id"] == call.line_id
    assert [phone.number for phone in (await world.contact(found.contact_id)).phones] == [NUMBER]
    (event,) = await world.running.events(world.tenant, "RequestReceived")
    assert event["assignedToQueue"]


async def test_who_answered_a_stranger_has_his_request_and_has_answered_it(world: World) -> None:
    seller = await world.tenant.person()
    call = answered_call(seller.id)

    await tell(world, "CallEnded", call)

    found = await only_request(world)
    assert (found.state, found.owner_id) == (Request.STATE_ANSWERED, seller.id)
    assert (found.first_response_by, found.first_response_time) == (seller.id, call.answer_time)
    assert (found.text, found.missed_spell_id) == ("Call answered", "")
    assert (await world.contact(found.contact_id)).owner_id == seller.id
    (event,) = await world.running.events(world.tenant, "RequestAnswered")
    assert (event["first"], event["way"]) == (True, "call")


@pytest.mark.parametrize("again", ["twice", "as something else", "republished"])
async def test_a_call_is_one_request_however_often_it_is_told(world: World, again: str) -> None:
    call = missed_call()
    await tell(world, "CallMissed", call)
    name = "CallEnded" if again == "as something else" else "CallMissed"

    await tell(world, name, call, version=2, republished=again == "republished")

    assert (await only_request(world)).call_id == call.id


async def test_two_calls_of_a_stranger_are_two_requests_of_one_contact(world: World) -> None:
    await tell(world, "CallMissed", missed_call())
    await tell(world, "CallMissed", missed_call())

    found = await requests(world)
    assert len(found) == 2
    assert len({each.contact_id for each in found}) == 1
    assert await world.count("contacts") == 1


async def test_who_hides_his_number_is_a_request_without_a_person(world: World) -> None:
    await tell(world, "CallMissed", missed_call(number="", withheld=True))

    found = await only_request(world)
    assert (found.phone, found.contact_id) == ("", "")
    assert await world.count("contacts") == 0


async def test_a_number_that_is_none_stays_on_the_request_as_it_was_told(world: World) -> None:
    await tell(world, "CallMissed", missed_call(number="anna@office"))

    found = await only_request(world)
    assert (found.phone, found.contact_id) == ("anna@office", "")


async def test_of_a_card_that_was_made_during_the_call_the_request_is(world: World) -> None:
    jan = await world.contact(**HOLDER)

    await tell(world, "CallMissed", missed_call())

    assert (await only_request(world)).contact_id == jan.id
    assert await world.count("contacts") == 1


@pytest.mark.parametrize(
    "why",
    ["a contact", "a company", "several", "a request", "internal", "outbound", "imported", "an import", "long ago",
     "told again", "ringing"],
)  # fmt: skip
async def test_no_request_is_made_of(world: World, why: str) -> None:
    call, id = missed_call(), uuid7()
    change: dict[str, dict[str, Any]] = {
        "a contact": {"contact_id": id}, "a company": {"company_id": id}, "several": {"candidate_contact_ids": [id]},
        "a request": {"request_id": id}, "internal": {"direction": Call.DIRECTION_INTERNAL},
        "outbound": {"direction": Call.DIRECTION_OUTBOUND}, "imported": {"imported": True},
    }  # fmt: skip
    call.MergeFrom(Call(**change.get(why, {})))
    await tell(
        world, "CallRinging" if why == "ringing" else "CallMissed", call, cause="import" if why == "an import" else "event",
        republished=why == "told again", at=now() - timedelta(days=8 if why == "long ago" else 0),
    )  # fmt: skip

    assert await requests(world) == []
    assert await world.count("contacts") == 0


async def test_somebody_who_has_left_gets_no_request(world: World) -> None:
    left = await world.tenant.person(state="deactivated")

    await tell(world, "CallEnded", answered_call(left.id))

    found = await only_request(world)
    assert (found.owner_id, found.first_response_by) == ("", left.id)


# -- the answer to it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [Call.MISSED_STATE_RETURNED, Call.MISSED_STATE_CAME_BACK], ids=["returned", "came back"])  # fmt: skip
async def test_calling_back_answers_the_request(world: World, how: Any) -> None:
    seller, call, at = await world.tenant.person(), missed_call(), now() + MINUTE
    await tell(world, "CallMissed", call)
    assert (await only_request(world)).state == Request.STATE_NEW

    await tell(world, "CallReturned", made_good(call, how, at), version=2, by=seller.id)

    found = await only_request(world)
    assert (found.state, found.owner_id) == (Request.STATE_ANSWERED, seller.id)
    assert (found.first_response_by, to_datetime(found.first_response_time)) == (seller.id, at)


async def test_a_call_that_is_written_off_answers_nobody(world: World) -> None:
    call = missed_call()
    await tell(world, "CallMissed", call)

    await tell(
        world, "CallReturned", made_good(call, Call.MISSED_STATE_WRITTEN_OFF, now()), version=2
    )

    assert (await only_request(world)).state == Request.STATE_NEW


@pytest.mark.parametrize("what", ["spoken", "in vain", "closed before"])
async def test_a_call_about_a_request_answers_it_if_they_spoke(world: World, what: str) -> None:
    seller = await world.tenant.person()
    await tell(world, "CallMissed", missed_call(number="", withheld=True))
    asked = await only_request(world)
    call = answered_call(seller.id, direction=Call.DIRECTION_OUTBOUND, request_id=asked.id)
    if what == "in vain":
        call.ClearField("answer_time")
        call.outcome = Call.OUTCOME_NO_ANSWER
    if what == "closed before":
        await close(world, asked)

    await tell(world, "CallEnded", call)

    states = {"spoken": Request.STATE_ANSWERED, "in vain": Request.STATE_NEW}
    assert (await only_request(world)).state == states.get(what, Request.STATE_CLOSED)


async def close(world: World, asked: Request) -> None:
    reason = Request.CLOSE_REASON_WRONG_NUMBER
    await world.admin.CloseRequest(verbs.CloseRequestRequest(id=asked.id, reason=reason))


# -- facts -------------------------------------------------------------------------------------------------


async def card(world: World, id: str) -> card_facts_pb2.CardFacts:
    await heard(world)
    return await Groups(world).of_contact(id)


async def test_who_called_whom_last_and_who_spoke_is_on_the_card(world: World) -> None:
    jan, seller = await world.contact(**HOLDER), await world.tenant.person()
    came = answered_call(seller.id, contact_id=jan.id)
    went = answered_call(seller.id, contact_id=jan.id, direction=Call.DIRECTION_OUTBOUND)

    await tell(world, "CallEnded", came)
    event_id = await tell(world, "CallEnded", went)

    seen = await card(world, jan.id)
    assert (seen.last_in.way, seen.last_in.user_id, seen.last_in.time) == (
        "call",
        seller.id,
        came.answer_time,
    )
    assert (seen.last_out.way, seen.last_out.user_id, seen.last_out.event_id) == (
        "call",
        seller.id,
        event_id,
    )


async def test_a_call_out_in_vain_is_no_contact(world: World) -> None:
    jan = await world.contact(**HOLDER)
    call = answered_call(contact_id=jan.id, direction=Call.DIRECTION_OUTBOUND)
    call.ClearField("answer_time")

    await tell(world, "CallEnded", call)

    assert not (await card(world, jan.id)).HasField("last_out")


async def test_open_missed_calls_are_counted_until_they_are_made_good(world: World) -> None:
    jan = await world.contact(**HOLDER)
    first, second = missed_call(contact_id=jan.id), missed_call(contact_id=jan.id)
    await tell(world, "CallMissed", first)
    await tell(world, "CallMissed", second)
    seen = await card(world, jan.id)
    assert (seen.open_missed_calls, seen.last_in.way, seen.last_in.user_id) == (2, "call", "")

    good = made_good(first, Call.MISSED_STATE_RETURNED, now())
    await tell(world, "CallReturned", good, version=2)
    await tell(world, "CallMissed", first, version=1)  # late

    assert (await card(world, jan.id)).open_missed_calls == 1


async def test_a_call_that_is_given_to_another_customer_counts_there(world: World) -> None:
    jan, ewa = await world.contact(given_name="Jan"), await world.contact(given_name="Ewa")
    company = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name="Oak"))
    )
    call = missed_call(contact_id=jan.id)
    await tell(world, "CallMissed", call)
    call.contact_id, call.company_id = ewa.id, company.id

    await tell(world, "CallUpdated", call, version=2)

    counts = [(await card(world, each.id)).open_missed_calls for each in (jan, ewa)]
    assert counts == [0, 1]
    assert (await Groups(world).of_company(company.id)).open_missed_calls == 1


async def test_who_took_in_another_card_has_its_missed_calls_too(world: World) -> None:
    jan, twin = await world.contact(**HOLDER), await world.contact(given_name="J.")
    await tell(world, "CallMissed", missed_call(contact_id=twin.id))
    await heard(world)
    await world.tenant.admin.stub(DuplicatesServiceStub).MergeContacts(
        merge_pb2.MergeContactsRequest(id=jan.id, merged_ids=[twin.id])
    )

    await tell(world, "CallMissed", missed_call(contact_id=jan.id))

    assert (await card(world, jan.id)).open_missed_calls == 2


@pytest.mark.large
async def test_of_an_erased_person_no_call_is_kept_nor_noted_late(world: World) -> None:
    jan = await world.contact(**HOLDER)
    call = missed_call(contact_id=jan.id)
    await tell(world, "CallMissed", call)
    await heard(world)

    await erase(world, jan)
    await tell(world, "CallUpdated", call, version=2)
    await heard(world)

    rows = await world.running.rows(
        "contacts", "SELECT contact_id FROM party_calls WHERE tenant_id = $1", world.tenant.id
    )
    assert [row["contact_id"] for row in rows] == [None]


async def test_facts_that_are_computed_anew_are_the_same(world: World) -> None:
    jan, seller = await world.contact(**HOLDER), await world.tenant.person()
    await tell(world, "CallEnded", answered_call(seller.id, contact_id=jan.id))
    await tell(world, "CallEnded", answered_call(seller.id, contact_id=jan.id, direction=Call.DIRECTION_OUTBOUND))  # fmt: skip
    await tell(world, "CallMissed", missed_call(contact_id=jan.id))
    before = await card(world, jan.id)

    await world.running.process.runtimes["contacts"].run_system(
        world.tenant.id,
        Cause("event", uuid7()),
        lambda tx: facts.recompute(tx, "contact", [jan.id]),
    )

    assert before.open_missed_calls == 1
    assert await card(world, jan.id) == before
