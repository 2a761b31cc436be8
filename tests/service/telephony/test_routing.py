"""At which phones a call rings that we lead ourselves: the manager's first, then the queue's (S84)."""

from typing import Any

import pytest

from chassis.testing.installation import Person
from services.telephony import routing, store
from services.telephony.pbx.adapter import Route
from tests.service.telephony import parties
from tests.service.telephony.scenes import CUSTOMER, Scene
from tests.service.telephony.world import World


class Office:
    """Sales with three colleagues, 101 to 103, and a line that names the last two."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def open(self, **line: Any) -> None:
        self.sales = await self.world.tenant.department()
        self.people = [await self.world.agent(self.sales) for _ in range(3)]
        self.exchange = await self.world.exchange()
        for at, person in enumerate(self.people):
            mobile = {"mobile_number": "+48601000103"} if at == 2 else {}
            await self.world.extension(
                self.exchange.id, number=str(101 + at), user_id=person.id, **mobile
            )
        named = [person.id for person in self.people[1:]]
        given = {"connection_id": self.exchange.id, "department_id": self.sales, "user_ids": named}
        self.line = await self.world.line(**{**given, **line})

    async def routed(self, number: str = CUSTOMER) -> Route:
        """Where a call goes that has just come."""
        scene = Scene(self.world, self.exchange)
        await scene.rings(number=number)

        async def look(tx: Any) -> Route:
            connection = await store.connections.find(tx, self.exchange.id)
            assert connection is not None
            return await routing.route(tx, connection, scene.key)

        route: Route = await self.world.system(look)
        return route

    async def customer_of(self, person: Person) -> None:
        await parties.contact(self.world, CUSTOMER, owner_id=person.id)


@pytest.fixture
async def office(world: World) -> Office:
    made = Office(world)
    await made.open()
    return made


QUEUE = ["PJSIP/102", "PJSIP/103", "PJSIP/+48601000103@trunk"]


async def test_a_customer_rings_at_his_manager_and_then_at_the_queue(office: Office) -> None:
    await office.customer_of(office.people[0])
    assert await office.routed() == Route(["PJSIP/101"], 20, False, QUEUE, 60)


async def test_a_manager_of_the_queue_rings_first_and_once(office: Office) -> None:
    await office.customer_of(office.people[1])
    assert await office.routed() == Route(["PJSIP/102"], 20, False, QUEUE[1:], 60)


async def test_a_stranger_rings_at_the_queue_at_once(office: Office) -> None:
    assert await office.routed() == Route(QUEUE, 60)


async def test_the_line_says_how_long_and_whether_it_is_recorded(world: World) -> None:
    office = Office(world)
    await office.open(ring_seconds=7, queue_seconds=90, record=True)
    await office.customer_of(office.people[0])
    assert await office.routed() == Route(["PJSIP/101"], 7, True, QUEUE, 90)


async def test_a_line_that_names_nobody_rings_in_its_department(world: World) -> None:
    office = Office(world)
    await office.open(user_ids=[])
    await office.customer_of(office.people[0])
    route = await office.routed()
    assert (list(route.endpoints), sorted(route.others)) == (["PJSIP/101"], sorted(QUEUE))


async def test_a_manager_without_a_phone_leaves_it_to_the_queue(office: Office) -> None:
    await office.customer_of(await office.world.agent(office.sales))
    assert await office.routed() == Route(QUEUE, 60)
