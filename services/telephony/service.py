"""telephony's manifest: what runs here."""

from chassis.service import Service
from services.telephony import consumers_parties, dialling, exchanges, store
from services.telephony.rpc.all_calls import CallsRpcs
from services.telephony.rpc.connections import ConnectionsRpcs
from services.telephony.rpc.exchange_events import ExchangeEventsRpcs
from services.telephony.rpc.lines import LinesRpcs
from services.telephony.rpc.simulator import SimulatorRpcs

service = Service(
    name="telephony",
    servicers=[CallsRpcs, ConnectionsRpcs, ExchangeEventsRpcs, LinesRpcs, SimulatorRpcs],
    consumers=[consumers_parties.follow],
    timers=[dialling.unheard],
    metadata=store.metadata,
    background=[exchanges.run],
)
