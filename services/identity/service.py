"""identity's manifest: what runs here."""

from chassis.service import Service
from services.identity import nats_tasks, tasks
from services.identity.rpc import Identity
from services.identity.settings import Settings
from services.identity.store.schema import metadata

service = Service(
    name="identity",
    servicers=[Identity],
    metadata=metadata,
    settings=Settings,
    on_start=tasks.start,
    background=[
        tasks.beat,
        tasks.watch_over,
        nats_tasks.answer_callouts,
        nats_tasks.keep_consumers,
    ],
)
