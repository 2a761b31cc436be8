"""What contacts does when others' events (and its own) arrive."""

import uuid
from typing import Any

from google.protobuf.message import Message

from chassis import contracts
from chassis.handlers import on, on_any
from chassis.kit.resource import SCOPE_COLUMNS
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from services.contacts import store, subjects
from services.contacts.rules import catalogues
from services.contacts.rules.requests import user_of_ref

LONGEST_HEADLINE = 300


@on(identity_events.TenantCreated, durable="contacts-first-sources")
async def seed_sources(event: identity_events.TenantCreated, tx: Tx) -> None:
    """A new tenant begins with the five sources of S27; a key that somebody was quicker to use stays his."""
    for source in catalogues.first_sources():
        if not await store.source_id_of(tx, source.key):
            store.sources.save(tx, source)


def _concerns_timeline(event: Any) -> bool:
    """Not an import's: thousands at once, and the import notes the guards itself."""
    option, change = contracts.event_option(event.DESCRIPTOR), getattr(event, "change", None)
    if option is None or change is None or not (option.resource or option.timeline):
        return False
    return bool(change.cause.kind != "import")


@on_any(durable="contacts-timeline", wants=_concerns_timeline, ignores=["import"])
async def record(event: Any, tx: Tx) -> None:
    """One entry per contact and company concerned, and who may read the record behind it, and what stands on it, from now on."""
    option, change = contracts.event_option(event.DESCRIPTOR), event.change
    assert option is not None
    assert tx.event is not None
    if option.resource:
        resource = getattr(event, option.resource)
        await _note_guard(tx, resource, change.version)
        if option.guard in store.SUBJECTS and _scope_changed(change):
            await subjects.follow(tx, option.guard, resource.id)
    if not option.timeline or change.republished:
        return
    headline = contracts.at_path(event, option.headline) if option.headline else ""
    parties = [*_ids(event, option.contact_ids), *_ids(event, option.company_ids)]
    guard_ids = _ids(event, [option.guard_id]) if option.guard_id else []
    await store.add_entry(
        tx,
        list(dict.fromkeys(parties)),
        event_id=tx.event.id,
        time=to_datetime(change.time) if change.HasField("time") else tx.event.time,
        type=tx.event.type,
        kind=option.kind,
        user_id=user_of_ref(change.actor) or None,
        actor={"kind": change.actor.kind, "id": change.actor.id, "user_id": change.actor.user_id},
        cause={"kind": change.cause.kind, "id": change.cause.id},
        headline=str(headline or "")[:LONGEST_HEADLINE],
        headline_field=option.headline.removeprefix(f"{option.resource}."),
        changed=list(change.changed_fields),
        object=option.guard,
        object_id=guard_ids[0] if guard_ids else None,
    )


def _scope_changed(change: Any) -> bool:
    """A step of a handover takes along what stands on its records itself."""
    by_step = change.cause.kind in ("handover", "absence")
    return not by_step and not set(SCOPE_COLUMNS).isdisjoint(change.changed_fields)


async def _note_guard(tx: Tx, resource: Any, version: int) -> None:
    """Only records that have owners, queues or followers are guarded one by one."""
    option = contracts.resource_option(resource.DESCRIPTOR)
    names = resource.DESCRIPTOR.fields_by_name
    if option is None or not resource.id or not any(name in names for name in SCOPE_COLUMNS):
        return
    await store.note_guard(
        tx, option.object, resource.id, version=version,
        owner_id=resource.owner_id if "owner_id" in names else "",
        department_id=resource.department_id if "department_id" in names else "",
        follower_ids=list(resource.follower_ids) if "follower_ids" in names else [],
    )  # fmt: skip


def _ids(event: Message, paths: Any) -> list[str]:
    """The well-formed ids at these paths; an event of a newer program may hold others."""
    found: list[str] = []
    for path in paths:
        value: Any = contracts.at_path(event, path)
        found += [value] if isinstance(value, str) else list(value or ())
    return [id for id in found if _is_uuid(id)]


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
