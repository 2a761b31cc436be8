"""The settings of telephony: one record per company, which is there once somebody has changed it."""

from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.telephony.v1 import telephony_settings_pb2
from services.telephony.store.schema import metadata

TelephonySettings = telephony_settings_pb2.TelephonySettings

FIRST_RECORDING_DAYS = 365
FIRST_WRAP_UP_SECONDS = 30

settings = Resource(TelephonySettings, metadata, table="telephony_settings")


async def settings_of(tx: Tx) -> TelephonySettings:
    """The company's settings; those that every company begins with where nobody has changed them."""
    assert tx.tenant is not None
    return await settings.find(tx, tx.tenant) or TelephonySettings(
        id=tx.tenant, recording_days=FIRST_RECORDING_DAYS, wrap_up_seconds=FIRST_WRAP_UP_SECONDS
    )
