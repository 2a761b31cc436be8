"""What a company decides about its telephony: one record per company, there once somebody has changed it."""

from chassis import codec
from chassis.handlers import Servicer, reads, writes
from chassis.kit import late, showing
from chassis.kit.standard import checked_mask, refuse_unwritable
from chassis.tx import Tx
from crm.telephony.v1 import catalogue_events_pb2 as events
from crm.telephony.v1 import telephony_settings_pb2 as pb
from services.telephony import store


class Settings(Servicer):
    """`/v1/telephonySettings`."""

    @reads
    async def GetTelephonySettings(
        self, request: pb.GetTelephonySettingsRequest, tx: Tx
    ) -> pb.TelephonySettings:
        fields = showing.checked_fields(tx, store.settings, request.fields.paths)
        return showing.limited(tx, store.settings, await store.settings_of(tx), fields)

    @writes
    async def UpdateTelephonySettings(
        self, request: pb.UpdateTelephonySettingsRequest, tx: Tx
    ) -> pb.TelephonySettings:
        sent = request.telephony_settings
        mask = checked_mask(store.settings, request.update_mask.paths)
        refuse_unwritable(tx, store.settings, mask)
        await tx.lock("telephony-settings")  # two first changes at once would both make the record
        old = await store.settings_of(tx)
        if request.etag and request.etag != old.etag:
            await late.check(tx, store.settings, old, sent, mask, request.etag)
        new = pb.TelephonySettings()
        new.CopyFrom(old)
        codec.merge(new, sent, mask)
        store.settings.save(tx, new)
        tx.emit(events.TelephonySettingsUpdated(telephony_settings=new))
        return new
