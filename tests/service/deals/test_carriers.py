"""Carriers: signed calls let deliveries go on, each event once and never backwards, and nobody else is heard."""

import asyncio
import json
import time
from typing import Any

import pytest

from chassis import errors, signed_calls
from chassis.keys import new_key, uuid7
from chassis.testing.installation import Installation
from crm.deals.v1 import carrier_pb2 as pb
from crm.deals.v1 import payment_provider_pb2
from crm.deals.v1.carriers_service_pb2_grpc import CarriersServiceStub
from crm.deals.v1.delivery_pb2 import Delivery
from crm.deals.v1.payment_providers_service_pb2_grpc import PaymentProvidersServiceStub
from tests.service.deals.test_deliveries import Deliveries
from tests.service.deals.world import World
from tests.service.worlds import Refused

SHIPPED, DELIVERED, FAILED = Delivery.STATE_SHIPPED, Delivery.STATE_DELIVERED, Delivery.STATE_FAILED
PAST = "2026-11-20T12:00:00Z"


class Carrier(Deliveries):
    """A carrier of the tenant, and the tenant's deliveries."""

    made: pb.CarrierWithSecret

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world.tables = (
            *self.world.tables, "carriers_history", "carrier_seeds", "carrier_events",
        )  # type: ignore[misc]  # fmt: skip
        self.carriers: Any = self.world.stub(world.tenant.admin, CarriersServiceStub)

    async def create(self, **given: Any) -> pb.CarrierWithSecret:
        carrier = pb.Carrier(**{"name": "Parcels & Co", **given})
        return await self.carriers.CreateCarrier(pb.CreateCarrierRequest(carrier=carrier))

    async def tell(self, what: str, id: str = "e1", *, key: str = "", secret: str = "", age_s: int = 0, **given: Any) -> Delivery:  # fmt: skip
        """The delivery after the carrier's signed event."""
        event = {"id": id, "type": f"delivery.{what}", "time": PAST, **given}
        content = json.dumps(event).encode()
        header = signed_calls.sign(secret or self.made.secret, content, int(time.time()) - age_s)
        request = pb.TakeDeliveryEventRequest(
            key=key or self.made.carrier.key, signature=header, content=content
        )
        receipt = await self.carriers.TakeDeliveryEvent(request)
        return await self.get(Delivery(id=receipt.delivery_id))

    async def sent(self, tracking_number: str = "JD01", **given: Any) -> Delivery:
        """A planned delivery with a number of the carrier."""
        return await self.plan(await self.deal("5"), tracking_number=tracking_number, **given)


@pytest.fixture
async def carrier(world: World) -> Carrier:
    one = Carrier(world)
    one.made = await one.create()
    return one


async def test_a_delivery_goes_on_as_its_carrier_tells(carrier: Carrier) -> None:
    made, other = await carrier.sent(), await carrier.sent("JD02")

    shipped = await carrier.tell("shipped", tracking_number="JD01", tracking_url="https://example.org/JD01")  # fmt: skip
    delivered = await carrier.tell("delivered", "e2", tracking_number=" JD 01 ", time="2026-11-21T09:30:00+01:00")  # fmt: skip

    assert (shipped.id, shipped.state, shipped.carrier) == (made.id, SHIPPED, "Parcels & Co")
    assert (shipped.tracking_url, shipped.ship_time.ToJsonString()) == ("https://example.org/JD01", PAST)  # fmt: skip
    assert (delivered.id, delivered.state) == (made.id, DELIVERED)
    assert delivered.deliver_time.ToJsonString() == "2026-11-21T08:30:00Z"
    assert await carrier.get(other) == other
    for name in ("DeliveryShipped", "DeliveryDelivered"):
        [told] = await carrier.world.events(name)
        assert told["delivery"]["id"] == made.id
        assert told["change"]["actor"] == {"kind": "link", "id": carrier.made.carrier.id}


async def test_our_id_names_a_delivery_that_gets_its_number_so(carrier: Carrier) -> None:
    made = await carrier.plan(await carrier.deal("5"), carrier="By van")

    shipped = await carrier.tell("shipped", reference=made.id.upper(), tracking_number="JD09")
    failed = await carrier.tell("failed", "e2", tracking_number="JD09", reason="nobody was there")

    assert (shipped.id, shipped.tracking_number, shipped.carrier) == (made.id, "JD09", "By van")
    assert (failed.state, failed.fail_reason) == (FAILED, "nobody was there")
    [told] = await carrier.world.events("DeliveryFailed")
    assert told["delivery"]["failReason"] == "nobody was there"


async def test_what_was_shipped_by_hand_gets_the_number_that_it_lacks(carrier: Carrier) -> None:
    made = await carrier.ship(await carrier.plan(await carrier.deal("5")))

    told = await carrier.tell("shipped", reference=made.id, tracking_number="JD03")

    assert (told.state, told.tracking_number, told.ship_time) == (SHIPPED, "JD03", made.ship_time)
    assert len(await carrier.world.events("DeliveryUpdated")) == 1
    assert len(await carrier.world.events("DeliveryShipped")) == 1


@pytest.mark.parametrize("ending", ["delivered", "failed"])
async def test_what_comes_late_or_again_changes_nothing(carrier: Carrier, ending: str) -> None:
    await carrier.sent()
    over = await carrier.tell(ending, "e9", tracking_number="JD01")
    before = await carrier.world.state()

    late = [
        await carrier.tell("shipped", "e1", tracking_number="JD01"),
        await carrier.tell(ending, "e9", tracking_number="JD01", age_s=200),
        await carrier.tell("delivered", "e8", tracking_number="JD01"),
        await carrier.tell("failed", "e7", tracking_number="JD01"),
    ]

    assert late == [over] * 4
    after = await carrier.world.state()
    assert after.pop("carrier_events") == before.pop("carrier_events") + 3
    assert after == before


async def test_an_event_that_comes_many_times_at_once_is_taken_once(carrier: Carrier) -> None:
    await carrier.sent()

    told = await asyncio.gather(
        *(carrier.tell("shipped", tracking_number="JD01") for _ in range(20))
    )

    assert {(each.state, each.etag) for each in told} == {(SHIPPED, told[0].etag)}
    assert len(await carrier.world.events("DeliveryShipped")) == 1


async def test_events_that_come_at_once_end_where_they_would_one_by_one(carrier: Carrier) -> None:
    await carrier.sent()

    await asyncio.gather(
        *(carrier.tell("shipped", f"s{n}", tracking_number="JD01") for n in range(5)),
        *(carrier.tell("delivered", f"d{n}", tracking_number="JD01") for n in range(5)),
    )

    assert (await carrier.tell("shipped", tracking_number="JD01")).state == DELIVERED
    assert len(await carrier.world.events("DeliveryDelivered")) == 1


async def test_a_delivery_that_nobody_knows_is_refused_until_it_is_planned(carrier: Carrier) -> None:  # fmt: skip
    unknown = (carrier.world, errors.FailedPrecondition, "DELIVERY_UNKNOWN")
    gone = await carrier.delete(await carrier.sent("JD05"))

    async with Refused(*unknown, "tracking_number") as refused:
        await carrier.tell("shipped", tracking_number="JD01")
    assert [each.description for each in refused.error.violations] == ["'JD01' is of no delivery"]
    for reference in (uuid7(), gone.id, "ours/7"):
        async with Refused(*unknown, "reference"):
            await carrier.tell("shipped", reference=reference)
    async with Refused(*unknown, "reference", "tracking_number"):
        await carrier.tell("shipped", reference=uuid7(), tracking_number="JD05")
    await carrier.sent()

    assert (await carrier.tell("shipped", tracking_number="JD01")).state == SHIPPED


async def test_a_number_that_is_used_again_is_that_of_the_delivery_under_way(carrier: Carrier) -> None:  # fmt: skip
    old = await carrier.deliver(await carrier.sent())
    new, third = await carrier.sent(), await carrier.plan(await carrier.deal("1"))

    assert (await carrier.tell("shipped", tracking_number="JD01")).id == new.id
    await carrier.update(third, tracking_number="JD01")
    async with Refused(carrier.world, errors.FailedPrecondition, "DELIVERY_AMBIGUOUS", "tracking_number"):  # fmt: skip
        await carrier.tell("delivered", "e2", tracking_number="JD01")
    assert (await carrier.tell("delivered", "e2", reference=new.id)).state == DELIVERED
    assert (await carrier.get(old)).etag == old.etag


async def test_who_does_not_sign_is_not_heard_and_learns_nothing(carrier: Carrier) -> None:
    retired = await carrier.create(name="Retired", retired=True)
    await carrier.sent()
    providers: Any = carrier.world.stub(carrier.world.tenant.admin, PaymentProvidersServiceStub)
    provider = await providers.CreatePaymentProvider(
        payment_provider_pb2.CreatePaymentProviderRequest(
            payment_provider=payment_provider_pb2.PaymentProvider(name="PayFast")
        )
    )
    wrong: tuple[dict[str, Any], ...] = (
        {"secret": "whsec_wrong"},
        {"key": new_key(carrier.world.tenant.id)},
        {"key": new_key(uuid7())},
        {"key": "nonsense"},
        {"key": retired.carrier.key, "secret": retired.secret},
        {"key": provider.payment_provider.key, "secret": provider.secret},
    )
    told = set()

    for given in wrong:
        async with Refused(carrier.world, errors.Unauthenticated, "WEBHOOK_UNSIGNED") as refused:
            await carrier.tell("shipped", tracking_number="JD01", **given)
        told.add(refused.error.message)

    assert len(told) == 1


async def test_old_signatures_and_wrong_values_are_refused(carrier: Carrier) -> None:
    await carrier.sent()
    for age_s in (400, -400):
        async with Refused(carrier.world, errors.InvalidArgument, "WEBHOOK_STALE", "signature"):
            await carrier.tell("shipped", tracking_number="JD01", age_s=age_s)
    invalid = (carrier.world, errors.InvalidArgument, "VALUES_INVALID")
    async with Refused(*invalid, "type"):
        await carrier.tell("lost", tracking_number="JD01")
    async with Refused(*invalid, "tracking_number"):
        await carrier.tell("shipped", tracking_number=" ")
    async with Refused(carrier.world, errors.InvalidArgument, "INVALID_FIELDS", "tracking_url"):
        await carrier.tell("shipped", tracking_number="JD01", tracking_url="javascript:alert(1)")


async def test_a_carrier_of_another_company_reaches_nothing_here(
    carrier: Carrier, running: Installation
) -> None:
    made = await carrier.sent()
    stranger = Carrier(World(running, await running.tenant()))
    stranger.made = await stranger.create()

    async with Refused(stranger.world, errors.FailedPrecondition, "DELIVERY_UNKNOWN"):
        await stranger.tell("delivered", reference=made.id, tracking_number="JD01")
    async with Refused(carrier.world, errors.Unauthenticated, "WEBHOOK_UNSIGNED"):
        await stranger.tell("delivered", key=carrier.made.carrier.key, tracking_number="JD01")

    assert await carrier.get(made) == made


async def test_a_secret_is_shown_once_and_ends_with_the_next(carrier: Carrier) -> None:
    made, tenant = carrier.made, carrier.world.tenant
    await carrier.sent()
    request = pb.RenewCarrierSecretRequest(id=made.carrier.id, request_id="r1")
    renewed = await carrier.carriers.RenewCarrierSecret(request)

    assert made.path == renewed.path == f"/v1/public/webhooks/deliveries/{made.carrier.key}"
    async with Refused(carrier.world, errors.AlreadyExists, "SECRET_SHOWN_ONCE"):
        await carrier.carriers.RenewCarrierSecret(request)
    async with Refused(carrier.world, errors.Unauthenticated, "WEBHOOK_UNSIGNED"):
        await carrier.tell("shipped", tracking_number="JD01")
    told = await carrier.tell("shipped", tracking_number="JD01", secret=renewed.secret)
    assert told.state == SHIPPED
    kept = await carrier.world.running.rows(
        "deals", "SELECT doc, json FROM carriers WHERE tenant_id = $1", tenant.id
    )
    events = await carrier.world.events("CarrierUpdated")
    assert not any(text in f"{kept} {events}" for text in (made.secret, renewed.secret))
    reads = {"object": "carrier", "action": "read", "scope": "all"}
    reader = carrier.world.stub(await tenant.person([reads]), CarriersServiceStub)
    shown = await reader.GetCarrier(pb.GetCarrierRequest(id=made.carrier.id))
    assert (shown.name, shown.key) == ("Parcels & Co", made.carrier.key)
    async with Refused(carrier.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await reader.RenewCarrierSecret(pb.RenewCarrierSecretRequest(id=made.carrier.id))


async def test_a_deleted_carrier_is_not_heard_until_it_is_back(carrier: Carrier) -> None:
    id, world = carrier.made.carrier.id, carrier.world
    await carrier.sent()
    await carrier.carriers.DeleteCarrier(pb.DeleteCarrierRequest(id=id))
    async with Refused(world, errors.Unauthenticated, "WEBHOOK_UNSIGNED"):
        await carrier.tell("shipped", tracking_number="JD01")

    await carrier.carriers.UndeleteCarrier(pb.UndeleteCarrierRequest(id=id))

    assert (await carrier.tell("shipped", tracking_number="JD01")).state == SHIPPED
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "name"):
        await carrier.create(name="parcels & co")
    for name in ("CarrierCreated", "CarrierDeleted", "CarrierUndeleted"):
        assert len(await world.events(name)) == 1
