"""Imports of payments of the past: found deals show what was paid, and nothing else follows."""

import pytest

from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1.party_pb2 import Phone
from crm.deals.v1 import payment_pb2
from crm.deals.v1.payment_pb2 import Payment
from crm.deals.v1.payments_service_pb2_grpc import PaymentsServiceStub
from tests.service.deals.deal_files import OVERWRITE, SKIP, Clerk, Options, counts, told
from tests.service.deals.test_imports import deals
from tests.service.deals.world import World

TEXT = """\
Payment id,Date,Amount,Method,Payer,Deal,Phone
p1,2024-05-03 10:00,"1,000.00",cash,Ana,7,
p2,2024-05-04,250,transfer,Ana,7,
p3,2024-05-05,5,,,,+48601234567
p4,2024-05-05,5,,,8,
p5,2024-05-05,-5,,,,
p6,,5,,,,
"""


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world)


async def payments(world: World) -> dict[str, Payment]:
    """The living payments by the number that the file gave them."""
    stub = world.stub(world.tenant.admin, PaymentsServiceStub)
    listed = await stub.ListPayments(payment_pb2.ListPaymentsRequest(page_size=200))
    return {each.provider_event_id: each for each in listed.payments}


async def sold(world: World) -> list[tuple[str, int, bool]]:
    rows = await world.running.rows(
        "deals", "SELECT kind, sum(amount)::int AS n, counts FROM sales_facts WHERE tenant_id = $1 GROUP BY 1, 3 ORDER BY 1",
        world.tenant.id,
    )  # fmt: skip
    return [(row["kind"], row["n"], row["counts"]) for row in rows]


async def test_past_payments_reach_their_deals_and_come_off_again(
    world: World, clerk: Clerk
) -> None:
    known = contact_pb2.Contact(id=uuid7(), phones=[Phone(number="+48601234567")])
    await world.pipeline()
    await told(world, known)
    await clerk.imported("Id,Title,Value\n7,Roof,2000\n")

    done = await clerk.imported(TEXT, resource="payments")

    assert counts(done.plan) == {"created": 3, "failed": 3}
    assert done.plan == done.outcome
    assert [(line, why.partition(":")[0]) for line, why in await clerk.refusals(done)] == [
        (5, "deal"), (6, "amount"), (7, "time"),
    ]  # fmt: skip
    found, roof = await payments(world), (await deals(world))["Roof"]
    first = found["p1"]
    assert (first.deal_id, first.amount, first.way) == (roof.id, "1000.00", Payment.WAY_CASH)
    assert (first.owner_id, first.currency, first.payer_name) == (roof.owner_id, "PLN", "Ana")
    assert to_datetime(first.time).date().isoformat() == "2024-05-03"
    assert (found["p3"].contact_id, found["p3"].deal_id) == (known.id, "")
    assert roof.paid_amount == "1250.00"
    assert await sold(world) == [("received", 1250, False)]
    assert await world.events("PaymentCreated", 3)
    assert await _named(world, "PaymentReceived") == 0

    undone = await clerk.undo(done)

    assert counts(undone.undo) == {"deleted": 3}
    assert (await deals(world))["Roof"].paid_amount == "0.00"
    assert await payments(world) == {}


async def test_the_same_payments_twice_are_paid_once(world: World, clerk: Clerk) -> None:
    await world.pipeline()
    await clerk.imported("Id,Title,Value\n7,Roof,2000\n")
    text = "Date,Amount,Reference,Deal\n2024-05-03,10,a,7\n2024-05-03,10,b,7\n"
    await clerk.imported(text, resource="payments")

    again = await clerk.imported(text, resource="payments")
    skipping = await clerk.imported(text, resource="payments", options=Options(on_match=SKIP))

    assert counts(again.outcome) == {"unchanged": 2}
    assert counts(skipping.outcome) == {"failed": 2}
    assert (await deals(world))["Roof"].paid_amount == "20.00"


async def test_what_was_paid_is_not_changed_by_a_file(world: World, clerk: Clerk) -> None:
    await clerk.imported("Id,Date,Amount\n1,2024-05-03,10\n", resource="payments")

    done = await clerk.imported(
        "Id,Date,Amount,Note\n1,2024-06-03,99,in two parts\n", resource="payments",
        options=Options(on_match=OVERWRITE),
    )  # fmt: skip

    assert counts(done.outcome) == {"updated": 1}
    (payment,) = (await payments(world)).values()
    assert (payment.amount, payment.note) == ("10.00", "in two parts")
    assert to_datetime(payment.time).date().isoformat() == "2024-05-03"


async def _named(world: World, name: str) -> int:
    """How many events of this name there are."""
    await world.published()
    stream = await world.running.process.nats.js.stream_info(
        "DEALS", subjects_filter=f"crm.{world.tenant.id}.deals.{name}"
    )
    return sum((stream.state.subjects or {}).values())
