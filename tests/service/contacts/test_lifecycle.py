"""The lifecycle stage moves by facts and by hand."""

from datetime import timedelta

import pytest

from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.times import to_datetime, to_timestamp
from crm.contacts.v1 import contact_pb2, events_pb2, party_pb2
from tests.service.contacts.groups import Groups
from tests.service.contacts.test_card_facts import answer, ask, consume
from tests.service.contacts.world import World

LEAD, PROSPECT = party_pb2.LIFECYCLE_STAGE_LEAD, party_pb2.LIFECYCLE_STAGE_PROSPECT


@pytest.fixture
def groups(world: World) -> Groups:
    return Groups(world)


async def stage(world: World, id: str) -> int:
    return (await world.contact(id)).lifecycle_stage


async def test_a_lead_who_was_answered_is_a_prospect_and_history_says_why(
    world: World, groups: Groups
) -> None:
    request = await world.submitted(await world.form(), name="Jan", phone="601234567")
    assert await stage(world, request.contact_id) == LEAD
    await answer(world, request.id)

    async def moved() -> bool:
        return await stage(world, request.contact_id) == PROSPECT

    await eventually(moved, "the stage")
    history = await world.admin.ListContactHistory(
        contact_pb2.ListContactHistoryRequest(id=request.contact_id)
    )
    change = history.revisions[0]
    assert ([c.field for c in change.changes], change.cause.kind, change.actor.kind) == (
        ["lifecycle_stage"],
        "event",
        "system",
    )


async def test_a_stage_set_by_hand_wins_until_a_later_fact(world: World, groups: Groups) -> None:
    contact = await world.contact(given_name="Jan", lifecycle_stage=LEAD)
    request = await ask(world, contact_id=contact.id)
    await groups.until_facts(contact.id, open_requests=1)
    byhand = await groups.change(contact.id, lifecycle_stage=party_pb2.LIFECYCLE_STAGE_PROSPECT)
    byhand = await groups.change(contact.id, lifecycle_stage=LEAD)

    def answered(seconds: float) -> events_pb2.RequestAnswered:
        event = events_pb2.RequestAnswered(request=request)
        event.change.time.CopyFrom(
            to_timestamp(to_datetime(byhand.update_time) + timedelta(seconds=seconds))
        )
        return event

    await consume(world, answered(-1), uuid7())
    assert await stage(world, contact.id) == LEAD
    await consume(world, answered(1), uuid7())
    assert await stage(world, contact.id) == PROSPECT
    again = answered(2)
    again.change.republished = True  # the state sent again is no fact
    await groups.change(contact.id, lifecycle_stage=LEAD)
    await consume(world, again, uuid7())
    assert await stage(world, contact.id) == LEAD
