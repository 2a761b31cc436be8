"""identity's manifest: what runs here."""

from chassis.service import Service
from services.identity import absences, auditing, erasing, handovers, nats_tasks, tasks
from services.identity.rpc import Identity
from services.identity.rpc.absences import Absences
from services.identity.rpc.audit import Audit
from services.identity.rpc.explain import Access, Explain
from services.identity.rpc.handovers import Handovers
from services.identity.rpc.hours import WorkingTime
from services.identity.rpc.oidc import IdentityProviders
from services.identity.rpc.second_factor import SecondFactors
from services.identity.settings import Settings
from services.identity.store.schema import metadata

service = Service(
    name="identity",
    servicers=[
        Identity,
        WorkingTime,
        Explain,
        Access,
        SecondFactors,
        IdentityProviders,
        Audit,
        Absences,
        Handovers,
    ],
    consumers=[
        *auditing.consumers(),
        *handovers.consumers(),
        *erasing.erased.consumers,
        *erasing.handed_out.consumers,
    ],
    operations=[*erasing.erased.operations, *erasing.handed_out.operations],
    timers=[absences.due, handovers.answers_due, handovers.return_due, *erasing.erased.timers],
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
