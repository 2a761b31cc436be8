"""Payment providers, their secrets, and the door through which they tell of payments: anybody may call, whoever signs is heard."""

import re
from datetime import UTC, datetime

from chassis import keys
from chassis.call import Actor, Cause
from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.rights import Rights
from chassis.tx import Tx
from crm.deals.v1 import payment_provider_events_pb2 as events
from crm.deals.v1 import payment_provider_pb2 as pb
from services.deals import errors, provider_secrets, store, visitors, webhooks
from services.deals.rules import webhooks as rules

_KEY = re.compile(r"[A-Za-z0-9_-]{43}")  # as keys.new_key writes them
PATH = "/v1/public/webhooks/payments/"

_Signer = tuple[pb.PaymentProvider, str, errors.WebhookRateLimited | None]


async def check(tx: Tx, new: pb.PaymentProvider, old: pb.PaymentProvider | None) -> None:
    """A new one gets its address."""
    assert tx.tenant is not None
    new.id = new.id or tx.new_id()
    if old is None:
        new.key = keys.new_key(tx.tenant)


def tenant_of(request: pb.TakePaymentEventRequest) -> str:
    """The tenant that the key names; WebhookUnsigned if it is no key."""
    if not _KEY.fullmatch(request.key):
        raise errors.WebhookUnsigned
    return keys.tenant_of(request.key)


class PaymentProviders(standard(store.payment_providers, on_save=check), Servicer):  # type: ignore[misc]
    """`/v1/paymentProviders`."""

    @writes(secret_answer=True)
    async def CreatePaymentProvider(
        self, request: pb.CreatePaymentProviderRequest, tx: Tx
    ) -> pb.PaymentProviderWithSecret:
        made: pb.PaymentProvider = await super().CreatePaymentProvider(request, tx)
        return _shown(made, await provider_secrets.renew(tx, made.id))

    @writes(secret_answer=True)
    async def RenewPaymentProviderSecret(
        self, request: pb.RenewPaymentProviderSecretRequest, tx: Tx
    ) -> pb.PaymentProviderWithSecret:
        provider = await store.payment_providers.get(tx, request.id, etag=request.etag)
        secret = await provider_secrets.renew(tx, provider.id)
        store.payment_providers.save(tx, provider)
        tx.emit(events.PaymentProviderUpdated(payment_provider=provider))
        return _shown(provider, secret)


class PaymentProvidersRpcs(PaymentProviders):
    """Every RPC of payment_providers_service.proto."""

    service = "crm.deals.v1.PaymentProvidersService"

    @writes(tenant=tenant_of)
    async def TakePaymentEvent(
        self, request: pb.TakePaymentEventRequest, tx: Tx
    ) -> pb.PaymentEventReceipt:
        provider, secret = await _signer(tx, request.key)
        # Both clocks are real ones: a test's clock has no say in how old a signature is.
        rules.verify(secret, request.signature, request.content, datetime.now(UTC))
        event = rules.read(request.content)
        tx.actor, tx.cause = Actor("link", provider.id), Cause("link", provider.id)
        tx.rights = Rights.of_system()  # what is signed pays any invoice of the company
        return pb.PaymentEventReceipt(payment_id=await webhooks.take(tx, provider, event))


async def _signer(tx: Tx, key: str) -> tuple[pb.PaymentProvider, str]:
    """Whose signature this address wants, and his secret; counts the call. WebhookUnsigned if it is nobody's.

    In a transaction of its own: a refused call is counted too, and none holds a connection while it waits for another.
    """
    assert tx.tenant is not None

    async def look(own: Tx) -> _Signer | None:
        provider = await store.provider_with_key(own, key)
        if provider is None or provider.retired:
            return None
        refusal = await visitors.count_call(tx, own, provider.id)
        return provider, await provider_secrets.current(own, provider.id), refusal

    found: _Signer | None = await tx.runtime.run_system(tx.tenant, Cause("link"), look)
    if found is None:
        raise errors.WebhookUnsigned
    provider, secret, refusal = found
    if refusal is not None:
        raise refusal
    return provider, secret


def _shown(provider: pb.PaymentProvider, secret: str) -> pb.PaymentProviderWithSecret:
    return pb.PaymentProviderWithSecret(
        payment_provider=provider, secret=secret, path=f"{PATH}{provider.key}"
    )
