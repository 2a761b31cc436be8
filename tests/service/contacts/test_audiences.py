"""Who is in a segment, asked by an event and answered by events, page by page."""

from typing import Any

import orjson
import pytest

from chassis.keys import uuid7
from chassis.testing.events import eventually
from services.contacts import audiences
from tests.service.contacts.groups import Groups
from tests.service.contacts.world import World

OWN = [{"object": "contact", "action": "read", "scope": "own"}]
_FILL = """
INSERT INTO contacts SELECT copy.* FROM contacts c CROSS JOIN generate_series(1, $2) AS n
CROSS JOIN LATERAL jsonb_populate_record(c, jsonb_build_object('id', md5(c.id::text || n)::uuid)) AS copy WHERE c.id = $1
"""


@pytest.fixture
def groups(world: World) -> Groups:
    return Groups(world)


async def request(world: World, segment_id: str, event_id: str = "", **values: str) -> str:
    """Publishes the question as notifications will; returns its id."""
    audience_id, event_id = values.pop("audience_id", "") or uuid7(), event_id or uuid7()
    type = "crm.notifications.v1.AudienceRequested"
    headers = {"ce-id": event_id, "ce-type": type, "ce-subject": audience_id}
    body = {"audienceId": audience_id, "segmentId": segment_id, **values}
    nats = world.running.process.nats
    await nats.ensure_streams(["notifications"])
    await nats.js.publish(
        f"crm.{world.tenant.id}.notifications.AudienceRequested",
        orjson.dumps(body),
        headers=headers,
    )
    return audience_id


async def pages(world: World, audience_id: str) -> list[dict[str, Any]]:
    """All pages of the answer, once the last is there."""
    last = await world.running.events(world.tenant, "AudienceResolved")
    count = max(int(page["pageCount"]) for page in last if page["audienceId"] == audience_id)
    found = await world.running.events(world.tenant, "AudienceResolved", count=count)
    return [page for page in found if page["audienceId"] == audience_id]


async def test_an_audience_comes_in_pages_of_one_moment(world: World, groups: Groups) -> None:
    jan = await world.contact(given_name="Jan", language="pl")
    await world.contact(given_name="Budi", language="id")
    await world.running.rows("contacts", _FILL, jan.id, 2 * audiences.PAGE + 7)
    made = await groups.create("language = pl", told=False)
    campaign = uuid7()

    found = await pages(world, await request(world, made.id, campaignId=campaign))

    total = 2 * audiences.PAGE + 8
    assert [(p["page"], p["pageCount"], p.get("last", False), len(p["contactIds"])) for p in found] == [
        (1, 3, False, audiences.PAGE), (2, 3, False, audiences.PAGE), (3, 3, True, 8),
    ]  # fmt: skip
    ids = {id for page in found for id in page["contactIds"]}
    living = await world.running.rows(
        "contacts",
        "SELECT id FROM contacts WHERE tenant_id = $1 AND language = 'pl'",
        world.tenant.id,
    )
    assert ids == {str(row["id"]) for row in living}
    assert len(ids) == total
    assert len({p["resolveTime"] for p in found}) == 1
    assert {
        (p["campaignId"], p["segmentId"], p["totalCount"], p["segmentVersion"]) for p in found
    } == {(campaign, made.id, str(total), "1")}
    assert await world.count("audience_pages") == 0


async def test_an_empty_audience_has_one_page(world: World, groups: Groups) -> None:
    made = await groups.create("language = pl")
    (page,) = await pages(world, await request(world, made.id))
    assert (page["page"], page["pageCount"], page["last"], "contactIds" in page) == (
        1,
        1,
        True,
        False,
    )
    assert "refusal" not in page


async def test_only_whom_the_asking_user_may_read(world: World, groups: Groups) -> None:
    person = await world.tenant.person(OWN)
    mine = await world.contact(given_name="Mine", language="pl", owner_id=person.id)
    await world.contact(given_name="Other", language="pl")
    made = await groups.create("language = pl")

    (page,) = await pages(world, await request(world, made.id, userId=person.id))

    assert page["contactIds"] == [mine.id]


async def test_whose_customers_the_asking_user_looks_after_are_his_meanwhile(
    world: World, groups: Groups
) -> None:
    person, away, other = [await world.tenant.person(OWN) for _ in range(3)]
    owners = [person.id, away.id, other.id]
    made = [await world.contact(given_name="Jan", language="pl", owner_id=id) for id in owners]
    user = world.running.process.directory.of(world.tenant.id).user(away.id) or {}
    absence = {"id": uuid7(), "from": 0, "until": None, "delegate_id": person.id}
    await world.tenant.put("user", away.id, {**user, "absences": [absence]})
    segment = await groups.create("language = pl")

    (page,) = await pages(world, await request(world, segment.id, userId=person.id))

    assert sorted(page["contactIds"]) == sorted(contact.id for contact in made[:2])


async def test_who_may_not_read_the_field_gets_a_refusal_instead(
    world: World, groups: Groups
) -> None:
    person = await world.tenant.person(OWN, hidden=["contact.language"])
    await world.contact(given_name="Mine", language="pl", owner_id=person.id)
    made = await groups.create("language = pl")
    (page,) = await pages(world, await request(world, made.id, userId=person.id))
    assert (page["refusal"], page["last"], "contactIds" in page) == ("FIELD_HIDDEN", True, False)


async def test_a_segment_that_is_not_there_is_said_so(world: World) -> None:
    (page,) = await pages(world, await request(world, uuid7()))
    assert (page["refusal"], page["pageCount"], page["last"]) == ("SEGMENT_UNKNOWN", 1, True)


async def test_a_question_that_comes_twice_is_answered_once(world: World, groups: Groups) -> None:
    made = await groups.create("language = pl")
    audience, event = uuid7(), uuid7()
    for _ in range(3):
        await request(world, made.id, event, audience_id=audience)
    other = await request(world, made.id)

    async def both() -> bool:
        found = await world.running.rows(
            "contacts",
            "SELECT state FROM operations WHERE tenant_id = $1 AND kind = $2",
            world.tenant.id,
            audiences.RESOLVE,
        )
        return [row["state"] for row in found] == ["done", "done"]

    await eventually(both, "one answer to each question")
    found = await world.running.events(world.tenant, "AudienceResolved", count=2)
    assert sorted(page["audienceId"] for page in found) == sorted([audience, other])
