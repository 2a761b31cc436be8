"""Carriers, their secrets, and the door through which they tell of deliveries."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import carrier_events_pb2 as events
from crm.deals.v1 import carrier_pb2 as pb
from services.deals import delivery_webhooks, signed_calls, signing_secrets, store
from services.deals.rules import delivery_webhooks as rules

PATH = "/v1/public/webhooks/deliveries/"
_standard = standard(store.carriers, on_save=signed_calls.check)


class Carriers(_standard, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/carriers`."""

    @writes(secret_answer=True)
    async def CreateCarrier(self, request: pb.CreateCarrierRequest, tx: Tx) -> pb.CarrierWithSecret:
        made: pb.Carrier = await super().CreateCarrier(request, tx)
        secret = await signing_secrets.renew(tx, store.carrier_signers, made.id)
        return _shown(made, secret)

    @writes(secret_answer=True)
    async def RenewCarrierSecret(
        self, request: pb.RenewCarrierSecretRequest, tx: Tx
    ) -> pb.CarrierWithSecret:
        carrier = await store.carriers.get(tx, request.id, etag=request.etag)
        secret = await signing_secrets.renew(tx, store.carrier_signers, carrier.id)
        store.carriers.save(tx, carrier)
        tx.emit(events.CarrierUpdated(carrier=carrier))
        return _shown(carrier, secret)


class CarriersRpcs(Carriers):
    """Every RPC of carriers_service.proto."""

    service = "crm.deals.v1.CarriersService"

    @writes(tenant=signed_calls.tenant_of)
    async def TakeDeliveryEvent(
        self, request: pb.TakeDeliveryEventRequest, tx: Tx
    ) -> pb.DeliveryEventReceipt:
        carrier = await signed_calls.hear(tx, store.carrier_signers, request)
        event = rules.read(request.content)
        return pb.DeliveryEventReceipt(delivery_id=await delivery_webhooks.take(tx, carrier, event))


def _shown(carrier: pb.Carrier, secret: str) -> pb.CarrierWithSecret:
    return pb.CarrierWithSecret(carrier=carrier, secret=secret, path=f"{PATH}{carrier.key}")
