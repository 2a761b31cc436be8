"""notifications' manifest: what runs here."""

from chassis.service import Service
from services.notifications import (
    comments,
    consumers,
    delivering,
    erasing,
    push,
    shipped,
    store,
    timers,
)
from services.notifications.rpc import NoticesRpcs
from services.notifications.rpc.comments import CommentsRpcs
from services.notifications.rpc.push import PushRpcs
from services.notifications.settings import Settings

service = Service(
    name="notifications",
    servicers=[NoticesRpcs, PushRpcs, CommentsRpcs],
    consumers=[
        consumers.seed_rules,
        consumers.hear,
        consumers.end_ways,
        *erasing.erased.consumers,
        *erasing.handed_out.consumers,
        push.leaver,
        comments.follow,
        comments.contact_merged,
        comments.company_merged,
        comments.contact_unmerged,
        comments.company_unmerged,
    ],
    timers=[
        timers.digest,
        timers.visit_tomorrow,
        timers.snooze_over,
        timers.clean,
        *erasing.erased.timers,
    ],
    operations=[*erasing.erased.operations, *erasing.handed_out.operations],
    metadata=store.metadata,
    settings=Settings,
    nightly=[push.forget],
    on_start=shipped.seed_all,
    background=[delivering.run],
)
