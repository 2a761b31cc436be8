"""telephony's manifest: what runs here."""

from chassis.service import Service
from services.telephony import (
    consumers_matters,
    consumers_parties,
    dialling,
    exchanges,
    following,
    store,
)
from services.telephony.rpc.all_calls import CallsRpcs
from services.telephony.rpc.connections import ConnectionsRpcs
from services.telephony.rpc.lines import LinesRpcs
from services.telephony.rpc.simulator import SimulatorRpcs

service = Service(
    name="telephony",
    servicers=[CallsRpcs, ConnectionsRpcs, LinesRpcs, SimulatorRpcs],
    consumers=[consumers_parties.follow, consumers_matters.follow, *following.parties.consumers],
    timers=[dialling.unheard, *following.parties.timers],
    metadata=store.metadata,
    background=[exchanges.run],
)
