"""The audit: what must be accounted for, written in the transaction of the act itself, and the acts that other services tell.

Other services publish an event with a field `audited` (crm.common.v1.AuditedAction); `consumers()` finds each such event of
every contract, so that a service adds one without an edit here.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from chassis import contracts
from chassis.call import Actor
from chassis.handlers import on
from chassis.times import to_datetime
from crm.common.v1 import audit_pb2
from services.identity import rules, store

if TYPE_CHECKING:
    from chassis.tx import Tx
    from crm.identity.v1 import api_token_pb2, department_pb2, role_pb2, tenant_pb2, user_pb2

ADDRESSES_KEPT = timedelta(days=90)
"""How long addresses stay in the audit where the company has not set how long its events are kept."""
_FIELD = "audited"
_MOST_SHOWN = (
    500  # characters of a detail: the audit says what happened, the history holds the whole
)


async def note(
    tx: "Tx",
    kind: str,
    *,
    object: str = "",
    object_id: str = "",
    details: Mapping[str, str] | None = None,
    actor: Actor | None = None,
    address: str | None = None,
) -> None:
    """Adds an entry to this company's audit; the caller did it, from his address, unless said otherwise."""
    actor = actor or tx.actor
    if address is None:
        address = tx.call.peer if tx.call else ""
    await _add(
        tx,
        kind=kind,
        time=tx.now,
        actor={"kind": actor.kind, "id": actor.id, "user_id": actor.user_id},
        user_id=actor.user_id or None,
        session_id=actor.session_id or None,
        object=object,
        object_id=object_id or None,
        details=details or {},
        address=address,
    )


async def _add(tx: "Tx", *, address: str, details: Mapping[str, str], **values: Any) -> None:
    shown = {key: value[:_MOST_SHOWN] for key, value in details.items()}
    await store.add_audit_entry(tx, {"id": tx.new_id(), "details": shown, **values}, address)


def person(user_id: str, session_id: str = "") -> Actor:
    """The actor of acts before and after a session, such as signing in."""
    return Actor("user", user_id, user_id, session_id)


# --- changes of rights ----------------------------------------------------------------------------------------------------


async def role_saved(tx: "Tx", new: "role_pb2.Role", old: "role_pb2.Role | None") -> None:
    """A role was made or changed: which grants and hidden fields it gained and lost."""
    before = _rights(old) if old is not None else set()
    await note(
        tx,
        "role_created" if old is None else "role_updated",
        object="role",
        object_id=new.id,
        details=_difference(_rights(new), before),
    )


def _rights(role: "role_pb2.Role") -> set[str]:
    grants = (f"{r['object']}.{r['action']} ({r['scope']})" for r in rules.grant_rows(role.grants))
    return {*grants, *(f"hides {path}" for path in role.hidden_fields)}


async def user_saved(tx: "Tx", new: "user_pb2.User", old: "user_pb2.User | None") -> None:
    """A user gained or lost roles, or moved to another department, which decides scopes."""
    roles = _difference(set(new.role_ids), set(old.role_ids) if old is not None else set())
    if roles:
        await note(tx, "roles_assigned", object="user", object_id=new.id, details=roles)
    if old is not None and old.department_id != new.department_id:
        moved = {"from": old.department_id, "to": new.department_id}
        await note(tx, "user_moved", object="user", object_id=new.id, details=moved)


async def department_saved(
    tx: "Tx", new: "department_pb2.Department", old: "department_pb2.Department | None"
) -> None:
    """Somebody else leads a department, or it hangs elsewhere in the tree."""
    for field, kind in (
        ("head_id", "department_head_changed"),
        ("deputy_id", "department_deputy_changed"),
        ("parent_id", "department_moved"),
    ):
        before, after = getattr(old, field) if old is not None else "", getattr(new, field)
        if before != after:
            await note(
                tx,
                kind,
                object="department",
                object_id=new.id,
                details={"from": before, "to": after},
            )


async def token_saved(
    tx: "Tx", new: "api_token_pb2.ApiToken", old: "api_token_pb2.ApiToken | None"
) -> None:
    """A program got a key, or its key reaches farther or less far."""
    await note(
        tx,
        "api_token_created" if old is None else "api_token_updated",
        object="api_token",
        object_id=new.id,
        details={"owner": new.owner_id},
    )


async def tenant_saved(tx: "Tx", new: "tenant_pb2.Tenant", old: "tenant_pb2.Tenant | None") -> None:
    """The company's settings of security, or what it has switched off, changed."""
    before = _security(old) if old is not None else set()
    if changed := _difference(_security(new), before):
        await note(tx, "tenant_updated", object="tenant", object_id=new.id, details=changed)


def _security(tenant: "tenant_pb2.Tenant") -> set[str]:
    settings = {
        f"{key}={json_format.MessageToJson(value)}"
        for key, value in tenant.settings.items()
        if key.startswith("identity.")
    }
    return {*settings, *(f"{key} off" for key in tenant.features_off)}


def _difference(new: set[str], old: set[str]) -> dict[str, str]:
    said = {"added": ", ".join(sorted(new - old)), "removed": ", ".join(sorted(old - new))}
    return {key: value for key, value in said.items() if value}


# --- addresses are forgotten ----------------------------------------------------------------------------------------------


def addresses_end(tenant: "tenant_pb2.Tenant", now: datetime) -> datetime:
    """Addresses of entries from before then are forgotten: they are kept as long as the company's events."""
    days = tenant.retention.event_days
    return now - (timedelta(days=days) if days else ADDRESSES_KEPT)


async def forget_addresses(tx: "Tx") -> int:
    """Takes away the company's addresses whose time is over; returns how many."""
    assert tx.tenant is not None
    tenant = await store.tenants.find(tx, tx.tenant)
    return 0 if tenant is None else await store.forget_addresses(tx, addresses_end(tenant, tx.now))


# --- what other services tell ---------------------------------------------------------------------------------------------


async def store_audited(event: Any, tx: "Tx") -> None:
    """One entry per event; the inbox keeps a second delivery from adding another."""
    audited, change = event.audited, event.change
    if change.republished:
        return
    actor = change.actor
    await _add(
        tx,
        kind=audited.action,
        time=to_datetime(change.time),
        actor={"kind": actor.kind, "id": actor.id, "user_id": actor.user_id},
        user_id=actor.user_id or None,
        session_id=audited.session_id or None,
        object=audited.object,
        object_id=audited.object_id or None,
        details=dict(audited.details),
        address=await store.session_address(tx, audited.session_id) if audited.session_id else "",
    )


def consumers() -> list[Callable[..., Any]]:
    """A consumer for each event of any service that says what must be accounted for, and for no other event."""
    found = []
    for name, event in sorted(contracts.events().items()):
        field = event.fields_by_name.get(_FIELD)
        if field is None or field.message_type is not audit_pb2.AuditedAction.DESCRIPTOR:
            continue
        message = contracts.message_class(name)
        assert message is not None

        async def consume(event: Any, tx: "Tx") -> None:
            await store_audited(event, tx)

        durable = f"identity-audit-{contracts.service_of(name)}-{event.name}"
        found.append(on(message, durable=durable)(consume))
    return found
