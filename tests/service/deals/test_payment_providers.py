"""Payment providers: signed calls become payments and refunds, each event once, and nobody else is heard."""

import asyncio
import json
import time
from typing import Any

import pytest

from chassis import errors, signed_calls
from chassis.call import Cause
from chassis.keys import new_key, uuid7
from crm.deals.v1 import payment_provider_pb2 as pb
from crm.deals.v1.payment_providers_service_pb2_grpc import PaymentProvidersServiceStub
from services.deals import signing_secrets, store
from services.deals.visitors import WEBHOOK_LIMIT
from tests.service.deals.invoicing import Invoice
from tests.service.deals.paying import Paying, Payment
from tests.service.deals.world import World
from tests.service.worlds import Refused

_COUNTED = """
INSERT INTO quote_answer_counts (tenant_id, quote_id, sender_hash, minute, count)
SELECT tenant_id, quote_id, sender_hash, minute + n * interval '1 minute', $2 FROM quote_answer_counts, generate_series(0, 1) n
WHERE tenant_id = $1 ON CONFLICT (tenant_id, quote_id, sender_hash, minute) DO UPDATE SET count = excluded.count
"""
"""As many calls as there may be, in this minute and the next: one may end on the way."""


class Provider(Paying):
    """A payment provider of the tenant."""

    made: pb.PaymentProviderWithSecret

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world.tables = (
            *self.world.tables, "payment_providers_history", "payment_provider_seeds", "payment_provider_events",
        )  # type: ignore[misc]  # fmt: skip
        self.providers: Any = self.world.stub(world.tenant.admin, PaymentProvidersServiceStub)

    async def create(self, **given: Any) -> pb.PaymentProviderWithSecret:
        provider = pb.PaymentProvider(**{"name": "PayFast", "way": Payment.WAY_CARD, **given})
        return await self.providers.CreatePaymentProvider(
            pb.CreatePaymentProviderRequest(payment_provider=provider)
        )

    async def tell(self, id: str = "e1", amount: str = "100.00", *, key: str = "", secret: str = "", age_s: int = 0, **given: Any) -> Payment:  # fmt: skip
        """What the provider's signed event has become."""
        event = {
            "id": id, "type": "payment.received", "amount": amount, "currency": "PLN", "reference": "ch_1",
            "time": "2026-11-20T12:00:00Z", "payer_name": "Somebody Else", **given,
        }  # fmt: skip
        content = json.dumps(event).encode()
        header = signed_calls.sign(secret or self.made.secret, content, int(time.time()) - age_s)
        request = pb.TakePaymentEventRequest(
            key=key or self.made.payment_provider.key, signature=header, content=content
        )
        receipt = await self.providers.TakePaymentEvent(request)
        return await self.payment(Payment(id=receipt.payment_id))

    async def refunded(self, id: str = "e2", amount: str = "100.00", **given: Any) -> Payment:
        return await self.tell(id, amount, type="payment.refunded", **given)


@pytest.fixture
async def provider(world: World) -> Provider:
    one = Provider(world)
    one.made = await one.create()
    return one


async def test_a_payment_is_taken_once_and_pays_the_invoice_with_its_number(provider: Provider) -> None:  # fmt: skip
    invoice, _ = await provider.issued(), await provider.issued()
    spelled = invoice.number.replace("/", "-").lower()

    first = await provider.tell(amount="40.00", invoice_number=spelled)
    again = await provider.tell(amount="40.00", invoice_number=spelled, age_s=200)

    assert again == first
    assert (first.source, first.way, first.provider_event_id, first.reference) == (
        Payment.SOURCE_WEBHOOK, Payment.WAY_CARD, "e1", "ch_1",
    )  # fmt: skip
    assert first.time.ToJsonString() == "2026-11-20T12:00:00Z"
    assert first.provider_key == provider.made.payment_provider.key
    assert [(each.invoice_id, each.amount) for each in first.allocations] == [(invoice.id, "40.00")]
    paid = await provider.get(invoice)
    assert (paid.paid_amount, paid.open_amount) == ("40.00", "60.00")
    [told] = await provider.world.events("PaymentReceived")
    assert told["payment"]["id"] == first.id


async def test_an_event_that_comes_many_times_at_once_is_one_payment(provider: Provider) -> None:
    invoice = await provider.issued()

    told = await asyncio.gather(
        *(provider.tell(amount="30.00", invoice_number=invoice.number) for _ in range(30))
    )

    assert len({each.id for each in told}) == 1
    assert (await provider.get(invoice)).paid_amount == "30.00"


async def test_what_names_no_invoice_is_matched_like_a_line_or_stays_unallocated(provider: Provider) -> None:  # fmt: skip
    invoice = await provider.issued()

    sure = await provider.tell("e1", "100.00", reference=f"za {invoice.number}")
    unknown = await provider.tell("e2", "55.00", invoice_number="FV/1999/1")
    more = await provider.tell("e3", "7.00", invoice_number=invoice.number)

    assert [each.invoice_id for each in sure.allocations] == [invoice.id]
    assert [(each.unallocated_amount, len(each.allocations)) for each in (unknown, more)] == [
        ("55.00", 0), ("7.00", 0),
    ]  # fmt: skip
    assert (await provider.get(invoice)).state == Invoice.STATE_PAID


async def test_a_refund_pays_back_what_its_reference_names(provider: Provider) -> None:
    invoice = await provider.issued()
    received = await provider.tell(invoice_number=invoice.number)

    back = await provider.refunded(amount="25.00")
    again = await provider.refunded(amount="25.00")

    assert again == back
    assert (back.direction, back.refunded_payment_id, back.reason) == (
        Payment.DIRECTION_REFUNDED, received.id, "told by PayFast",
    )  # fmt: skip
    assert (await provider.get(invoice)).open_amount == "25.00"
    assert len(await provider.world.events("PaymentRefunded")) == 1
    async with Refused(provider.world, errors.FailedPrecondition, "PAYMENT_TOO_LARGE", "amount"):
        await provider.refunded("e3", "75.01")


async def test_a_refund_of_what_was_never_told_is_refused_until_it_is(provider: Provider) -> None:
    other = await provider.create(name="Other")
    unknown = (provider.world, errors.FailedPrecondition, "PROVIDER_PAYMENT_UNKNOWN", "reference")

    async with Refused(*unknown):
        await provider.refunded()
    await provider.tell("e1", currency="EUR", key=other.payment_provider.key, secret=other.secret)
    async with Refused(*unknown):  # of another provider
        await provider.refunded()
    await provider.tell("e1")

    assert (await provider.refunded()).amount == "100.00"


async def test_who_does_not_sign_is_not_heard_and_learns_nothing(provider: Provider) -> None:
    retired = await provider.create(name="Retired", retired=True)
    unsigned = (provider.world, errors.Unauthenticated, "WEBHOOK_UNSIGNED")
    tenant = provider.world.tenant.id
    wrong: tuple[dict[str, Any], ...] = (
        {"secret": "whsec_wrong"},
        {"key": new_key(tenant)},
        {"key": new_key(uuid7())},
        {"key": "nonsense"},
        {"key": provider.made.payment_provider.key + "+"},
        {"key": retired.payment_provider.key, "secret": retired.secret},
        {"key": retired.payment_provider.key},
    )
    told = set()

    for given in wrong:
        async with Refused(*unsigned) as refused:
            await provider.tell(**given)
        told.add(refused.error.message)

    assert len(told) == 1


async def test_an_old_signature_is_refused_in_real_time(provider: Provider) -> None:
    stale = (provider.world, errors.InvalidArgument, "WEBHOOK_STALE", "signature")

    for age_s in (400, -400):
        async with Refused(*stale):
            await provider.tell(age_s=age_s)


async def test_what_cannot_be_a_payment_is_refused(provider: Provider) -> None:
    invalid = (provider.world, errors.InvalidArgument, "VALUES_INVALID")

    async with Refused(*invalid, "amount"):
        await provider.tell(amount="0.00")
    async with Refused(*invalid, "amount"):
        await provider.tell(amount="1.005")
    async with Refused(*invalid, "currency"):
        await provider.tell(currency="XQQ")


async def test_a_secret_is_shown_once_and_ends_with_the_next(provider: Provider) -> None:
    made = provider.made
    request = pb.RenewPaymentProviderSecretRequest(id=made.payment_provider.id, request_id="r1")
    renewed = await provider.providers.RenewPaymentProviderSecret(request)

    assert renewed.secret.startswith("whsec_")
    assert renewed.secret != made.secret
    assert renewed.payment_provider.key == made.payment_provider.key
    assert made.path == renewed.path == f"/v1/public/webhooks/payments/{made.payment_provider.key}"
    async with Refused(provider.world, errors.AlreadyExists, "SECRET_SHOWN_ONCE"):
        await provider.providers.RenewPaymentProviderSecret(request)
    async with Refused(provider.world, errors.Unauthenticated, "WEBHOOK_UNSIGNED"):
        await provider.tell()
    assert (await provider.tell(secret=renewed.secret)).amount == "100.00"

    kept = await provider.world.running.rows(
        "deals", "SELECT doc, json FROM payment_providers WHERE tenant_id = $1", provider.world.tenant.id
    )  # fmt: skip
    told = await provider.world.events("PaymentProviderUpdated")
    for text in (made.secret, renewed.secret):
        assert text not in f"{kept} {told}"


async def test_only_who_may_change_providers_gets_their_secrets(provider: Provider) -> None:
    reads = {"object": "payment_provider", "action": "read", "scope": "all"}
    reader = await provider.world.tenant.person([reads])
    stub = provider.world.stub(reader, PaymentProvidersServiceStub)
    id = provider.made.payment_provider.id

    shown = await stub.GetPaymentProvider(pb.GetPaymentProviderRequest(id=id))

    assert (shown.name, shown.key) == ("PayFast", provider.made.payment_provider.key)
    async with Refused(provider.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await stub.RenewPaymentProviderSecret(pb.RenewPaymentProviderSecretRequest(id=id))


async def test_a_deleted_provider_is_not_heard_until_it_is_back(provider: Provider) -> None:
    id = provider.made.payment_provider.id
    await provider.providers.DeletePaymentProvider(pb.DeletePaymentProviderRequest(id=id))
    async with Refused(provider.world, errors.Unauthenticated, "WEBHOOK_UNSIGNED"):
        await provider.tell()

    await provider.providers.UndeletePaymentProvider(pb.UndeletePaymentProviderRequest(id=id))

    assert (await provider.tell()).amount == "100.00"


async def test_a_name_is_given_once(provider: Provider) -> None:
    async with Refused(provider.world, errors.AlreadyExists, "KEY_TAKEN", "name"):
        await provider.create(name="payfast")


async def test_an_address_that_calls_too_often_waits(provider: Provider) -> None:
    taken = await provider.tell()
    await provider.world.running.rows("deals", _COUNTED, provider.world.tenant.id, WEBHOOK_LIMIT)

    async with Refused(provider.world, errors.ResourceExhausted, "WEBHOOK_RATE_LIMITED") as refused:
        await provider.tell("e2")

    assert 0 < (refused.error.retry_after_s or 0) <= 60
    assert (await provider.payment(taken)).unallocated_amount == "100.00"


async def test_the_secret_depends_on_installation_and_provider(provider: Provider) -> None:
    runtime, other = provider.world.running.process.runtimes["deals"], uuid7()
    id = provider.made.payment_provider.id
    current = await runtime.run_system(
        provider.world.tenant.id,
        Cause("event"),
        lambda tx: signing_secrets.current(tx, store.provider_signers, id),
    )
    seeds = {
        signing_secrets.secret_of(runtime.settings, signers, each, b"seed")
        for signers in (store.provider_signers, store.carrier_signers)
        for each in (id, other)
    }
    assert current == provider.made.secret
    assert len(seeds) == 4
