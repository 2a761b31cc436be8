"""telephony's manifest: what runs here."""

from chassis.service import Service
from services.telephony import consumers_parties, dialling, exchanges, recordings, store
from services.telephony.rpc.all_calls import CallsRpcs
from services.telephony.rpc.connections import ConnectionsRpcs
from services.telephony.rpc.imports import IMPORT_OPERATIONS, ImportsRpcs, forget_imports
from services.telephony.rpc.lines import LinesRpcs
from services.telephony.rpc.recordings import RecordingsRpcs
from services.telephony.rpc.simulator import SimulatorRpcs

service = Service(
    name="telephony",
    servicers=[CallsRpcs, ConnectionsRpcs, ImportsRpcs, LinesRpcs, RecordingsRpcs, SimulatorRpcs],
    consumers=[consumers_parties.follow],
    timers=[dialling.unheard, recordings.expired],
    operations=[*IMPORT_OPERATIONS],
    metadata=store.metadata,
    background=[exchanges.run],
    nightly=[forget_imports],
)
