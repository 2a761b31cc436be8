"""What a company decides about its deals: one record per company, there once somebody has changed it."""

from chassis import codec
from chassis.handlers import Servicer, reads, writes
from chassis.kit import late, showing
from chassis.kit.standard import checked_mask, refuse_unwritable
from chassis.tx import Tx
from crm.deals.v1 import catalogue_events_pb2 as events
from crm.deals.v1 import deal_settings_pb2 as pb
from services.deals import converting, errors, people, store


class Settings(Servicer):
    """`/v1/dealSettings`."""

    @reads
    async def GetDealSettings(self, request: pb.GetDealSettingsRequest, tx: Tx) -> pb.DealSettings:
        fields = showing.checked_fields(tx, store.settings, request.fields.paths)
        return showing.limited(tx, store.settings, await store.settings_of(tx), fields)

    @writes
    async def UpdateDealSettings(
        self, request: pb.UpdateDealSettingsRequest, tx: Tx
    ) -> pb.DealSettings:
        sent = request.deal_settings
        mask = checked_mask(store.settings, request.update_mask.paths)
        refuse_unwritable(tx, store.settings, mask)
        await tx.lock("deal-settings")  # two first changes at once would both make the record
        old = await store.settings_of(tx)
        if request.etag and request.etag != old.etag:
            await late.check(tx, store.settings, old, sent, mask, request.etag)
        new = pb.DealSettings()
        new.CopyFrom(old)
        codec.merge(new, sent, mask)
        await _refer(tx, new, old)
        ours = people.currency_of(tx)
        if (new.base_currency or ours) != (old.base_currency or ours):
            await converting.fill_anew(tx)
        store.settings.save(tx, new)
        tx.emit(events.DealSettingsUpdated(deal_settings=new))
        return new


async def _refer(tx: Tx, new: pb.DealSettings, old: pb.DealSettings) -> None:
    """ReferenceUnknown for a pipeline that does not exist."""
    id = new.default_pipeline_id
    if id and id != old.default_pipeline_id and await store.pipelines.find(tx, id) is None:
        raise errors.ReferenceUnknown([("default_pipeline_id", f"pipeline {id}")])
