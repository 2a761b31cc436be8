"""A segment shows and tells nobody what he may not read."""

import pytest

from chassis import errors
from tests.service.contacts.groups import Groups
from tests.service.contacts.world import Refused, World

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
POLISH = "language = pl"


@pytest.fixture
def groups(world: World) -> Groups:
    return Groups(world)


async def test_members_obey_the_callers_scope(world: World, groups: Groups) -> None:
    own = {"object": "contact", "action": "read", "scope": "own"}
    person = await world.tenant.person([own, {"object": "segment", "action": "*", "scope": "own"}])
    mine = await world.contact(given_name="Mine", language="pl", owner_id=person.id)
    other = await world.contact(given_name="Other", language="pl")
    shared, private = await groups.create(POLISH, shared=True), await groups.create(POLISH)
    reader = Groups(world, person)

    assert (await reader.members(shared), (await reader.count(shared)).count) == (["Mine"], 1)
    assert await reader.contains(shared, contact_id=mine.id)
    with pytest.raises(errors.NotFound):
        await reader.contains(shared, contact_id=other.id)
    for refused in (
        reader.members(private),
        reader.count(private),
        reader.contains(private, contact_id=mine.id),
    ):
        with pytest.raises(errors.NotFound):
            await refused
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await reader.update(shared.id, label="Mine")


async def test_a_hidden_field_is_not_revealed_by_membership(world: World, groups: Groups) -> None:
    jan = await world.contact(given_name="Jan", language="pl")
    made = await groups.create(POLISH, shared=True)
    clerk = Groups(world, await world.tenant.person(EVERYTHING, hidden=["contact.language"]))

    for refused in (clerk.members, clerk.count, lambda s: clerk.contains(s, contact_id=jan.id)):
        async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
            await refused(made)
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await clerk.create(POLISH, told=False)
