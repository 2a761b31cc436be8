"""Twins in a large base: the scan after an import, and the one namesake among many who are only alike."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.events import eventually
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import duplicate_pb2 as pb
from services.contacts.rules import duplicates as rules
from tests.service.contacts.files import Clerk
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import World

TWINS = "Name,Phone\nJan Kowalski,601234567\nKowalski Jan,601234568\n"  # equal names alone: 45
_TIMERS = "SELECT key, due_at FROM timers WHERE tenant_id = $1 AND kind = 'scan-duplicates'"
_FIRE = "UPDATE timers SET due_at = now(), try_at = now() WHERE tenant_id = $1 AND kind = 'scan-duplicates'"
_ALIKE = """
INSERT INTO match_keys SELECT $1, 'contact', key, gen_random_uuid()
FROM unnest($2::bigint[]) AS key CROSS JOIN generate_series(1, $3)
"""


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


@pytest.mark.large
async def test_what_an_import_brought_is_looked_through_a_minute_later(
    world: World, clerk: Clerk
) -> None:
    merging = Merging(world)
    await clerk.imported(TWINS)

    async def timers() -> list[Any]:
        return await world.running.rows("contacts", _TIMERS, world.tenant.id)

    async def both_are_set() -> bool:
        return {row["key"] for row in await timers()} == {"contact", "company"}

    await eventually(both_are_set, "a timer for each kind of record")
    (finished,) = await world.running.rows(
        "contacts",
        "SELECT max(create_time) AS at FROM contacts WHERE tenant_id = $1",
        world.tenant.id,
    )
    for row in await timers():
        assert timedelta(seconds=55) < row["due_at"] - finished["at"] < timedelta(seconds=90)
    assert await world.count("contacts") == 2
    assert await world.count("duplicates") == 0  # not compared row by row

    # The clock cannot be moved for one test of a shared process, so the timers are.
    await world.running.rows("contacts", _FIRE, world.tenant.id)

    async def found() -> bool:
        return await world.count("duplicates") == 1

    await eventually(found, "the pair to be found", 30)
    (pair,) = (await merging.stub.ListDuplicates(pb.ListDuplicatesRequest())).duplicates
    assert (pair.score, pair.object) == (45, "contact")
    assert await timers() == []


async def test_a_namesake_is_found_among_more_who_are_alike_than_are_looked_at(
    world: World,
) -> None:
    merging = Merging(world)
    alike = rules.profile(contact_pb2.Contact(given_name="Jan", family_name="Kowalczyk"))
    keys = sorted(rules.keys(alike))
    await world.running.rows("contacts", _ALIKE, world.tenant.id, keys, 2 * rules.MOST_SHARING)
    namesake = await world.contact(given_name="Kowalski", family_name="Jan")

    async def looked_at() -> bool:
        sql = "SELECT FROM match_keys WHERE tenant_id = $1 AND record_id = $2"
        return bool(await world.running.rows("contacts", sql, world.tenant.id, namesake.id))

    await eventually(looked_at, "the keys of the namesake")
    request = pb.FindContactDuplicatesRequest(name="Jan Kowalski")
    answer = await merging.stub.FindContactDuplicates(request)
    assert answer.found[0].contact.id == namesake.id
    assert (answer.found[0].score, len(answer.found)) == (45, 1)
