"""Payment providers, their secrets, and the door through which they tell of payments."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import payment_provider_events_pb2 as events
from crm.deals.v1 import payment_provider_pb2 as pb
from services.deals import payment_webhooks, signed_calls, signing_secrets, store
from services.deals.rules import payment_webhooks as rules

PATH = "/v1/public/webhooks/payments/"
_standard = standard(store.payment_providers, on_save=signed_calls.check)


class PaymentProviders(_standard, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/paymentProviders`."""

    @writes(secret_answer=True)
    async def CreatePaymentProvider(
        self, request: pb.CreatePaymentProviderRequest, tx: Tx
    ) -> pb.PaymentProviderWithSecret:
        made: pb.PaymentProvider = await super().CreatePaymentProvider(request, tx)
        secret = await signing_secrets.renew(tx, store.provider_signers, made.id)
        return _shown(made, secret)

    @writes(secret_answer=True)
    async def RenewPaymentProviderSecret(
        self, request: pb.RenewPaymentProviderSecretRequest, tx: Tx
    ) -> pb.PaymentProviderWithSecret:
        provider = await store.payment_providers.get(tx, request.id, etag=request.etag)
        secret = await signing_secrets.renew(tx, store.provider_signers, provider.id)
        store.payment_providers.save(tx, provider)
        tx.emit(events.PaymentProviderUpdated(payment_provider=provider))
        return _shown(provider, secret)


class PaymentProvidersRpcs(PaymentProviders):
    """Every RPC of payment_providers_service.proto."""

    service = "crm.deals.v1.PaymentProvidersService"

    @writes(tenant=signed_calls.tenant_of)
    async def TakePaymentEvent(
        self, request: pb.TakePaymentEventRequest, tx: Tx
    ) -> pb.PaymentEventReceipt:
        provider = await signed_calls.hear(tx, store.provider_signers, request)
        event = rules.read(request.content)
        return pb.PaymentEventReceipt(payment_id=await payment_webhooks.take(tx, provider, event))


def _shown(provider: pb.PaymentProvider, secret: str) -> pb.PaymentProviderWithSecret:
    return pb.PaymentProviderWithSecret(
        payment_provider=provider, secret=secret, path=f"{PATH}{provider.key}"
    )
