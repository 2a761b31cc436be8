"""contacts and deals together: what deals really publishes becomes facts of cards."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chassis.testing.installation import Installation, installation
from crm.contacts.v1 import contact_pb2, party_pb2
from crm.deals.v1 import deal_pb2, deal_verbs_pb2, pipeline_pb2
from crm.deals.v1.deals_service_pb2_grpc import DealsServiceStub
from services.deals.rules.pipelines import first_pipeline
from tests.service.contacts.groups import Groups, eventually
from tests.service.contacts.world import World

pytestmark = pytest.mark.large


@pytest_asyncio.fixture(scope="module")
async def both() -> AsyncIterator[Installation]:
    async with installation(["contacts", "deals"], past=False) as made:
        yield made


@pytest.fixture
async def firm(both: Installation) -> World:
    return World(both, await both.tenant())


async def test_a_deal_is_on_the_card_until_it_is_won_and_then_a_purchase(firm: World) -> None:
    groups = Groups(firm)
    deals = firm.tenant.admin.stub(DealsServiceStub)
    pipeline = await deals.CreatePipeline(pipeline_pb2.CreatePipelineRequest(pipeline=first_pipeline()))  # fmt: skip
    jan, ewa = await firm.contact(given_name="Jan"), await firm.contact(given_name="Ewa")
    deal = await deals.CreateDeal(
        deal_pb2.CreateDealRequest(
            deal=deal_pb2.Deal(title="Windows", contact_id=jan.id, pipeline_id=pipeline.id, amount="480.00")
        )
    )  # fmt: skip

    async def shown() -> bool:
        facts = await groups.of_contact(jan.id)
        return [(d.deal_id, d.stage, d.value.amount) for d in facts.open_deals] == [
            (deal.id, deal.stage_id, "480.00")
        ]

    await eventually(shown, "the open deal")
    await deals.WinDeal(deal_verbs_pb2.WinDealRequest(id=deal.id))

    async def bought() -> bool:
        facts = await groups.of_contact(jan.id)
        return (facts.won_count, facts.open_deal_count) == (1, 0)

    await eventually(bought, "the purchase")

    async def customer() -> bool:
        found = await firm.admin.GetContact(contact_pb2.GetContactRequest(id=jan.id))
        return bool(found.lifecycle_stage == party_pb2.LIFECYCLE_STAGE_CUSTOMER)

    await eventually(customer, "the stage")
    listed = await firm.admin.ListContacts(
        contact_pb2.ListContactsRequest(order_by="facts.revenue desc")
    )
    assert [found.id for found in listed.contacts] == [jan.id, ewa.id]
