"""telephony's manifest: what runs here."""

from chassis.service import Service
from services.telephony import (
    consumers,
    consumers_matters,
    consumers_parties,
    consumers_requests,
    dialling,
    erasing,
    exchanges,
    following,
    handovers,
    personal_data,
    recordings,
    store,
)
from services.telephony.rpc.all_calls import CallsRpcs
from services.telephony.rpc.connections import ConnectionsRpcs
from services.telephony.rpc.exchange_events import ExchangeEventsRpcs
from services.telephony.rpc.imports import IMPORT_OPERATIONS, ImportsRpcs, forget_imports
from services.telephony.rpc.lines import LinesRpcs
from services.telephony.rpc.recordings import RecordingsRpcs
from services.telephony.rpc.simulator import SimulatorRpcs

service = Service(
    name="telephony",
    servicers=[
        CallsRpcs,
        ConnectionsRpcs,
        ExchangeEventsRpcs,
        ImportsRpcs,
        LinesRpcs,
        RecordingsRpcs,
        SimulatorRpcs,
    ],
    consumers=[
        consumers.seed,
        consumers.follow_user,
        consumers.follow_exchanges,
        consumers_matters.follow,
        consumers_parties.follow,
        consumers_requests.follow,
        *erasing.erased.consumers,
        *following.parties.consumers,
        *handovers.parts.consumers,
        *personal_data.handed_out.consumers,
    ],
    timers=[
        dialling.unheard,
        recordings.expired,
        *erasing.erased.timers,
        *following.parties.timers,
    ],
    operations=[
        *IMPORT_OPERATIONS,
        *erasing.erased.operations,
        *handovers.parts.operations,
        *personal_data.handed_out.operations,
    ],
    metadata=store.metadata,
    background=[exchanges.run],
    nightly=[forget_imports],
)
