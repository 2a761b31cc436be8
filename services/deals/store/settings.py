"""The settings of deals: one record per company, which is there once somebody has changed it."""

from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import deal_settings_pb2
from services.deals.store.schema import metadata

DealSettings = deal_settings_pb2.DealSettings

FIRST_VALID_DAYS = 14

settings = Resource(DealSettings, metadata, table="deal_settings")


async def settings_of(tx: Tx) -> DealSettings:
    """The company's settings; those that every company begins with where nobody has changed them."""
    assert tx.tenant is not None
    return await settings.find(tx, tx.tenant) or DealSettings(
        id=tx.tenant, quote_valid_days=FIRST_VALID_DAYS
    )
