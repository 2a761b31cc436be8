"""telephony's manifest: what runs here."""

from chassis.service import Service
from services.telephony import consumers_parties, store
from services.telephony.rpc.all_calls import CallsRpcs
from services.telephony.rpc.connections import ConnectionsRpcs
from services.telephony.rpc.lines import LinesRpcs

service = Service(
    name="telephony",
    servicers=[CallsRpcs, ConnectionsRpcs, LinesRpcs],
    consumers=[consumers_parties.follow],
    metadata=store.metadata,
)
