"""Saving a record together with its entry in the directory (I6): the one way by which this service changes its records."""

from datetime import datetime
from typing import TYPE_CHECKING

from crm.identity.v1 import (
    absence_pb2,
    api_token_pb2,
    department_pb2,
    events_pb2,
    role_pb2,
    tenant_pb2,
    user_pb2,
)
from services.identity import absence_rules, directory_entries, store

if TYPE_CHECKING:
    from chassis.tx import Tx


def save_tenant(tx: "Tx", tenant: tenant_pb2.Tenant) -> None:
    """Records a company's change."""
    store.tenants.save(tx, tenant)
    tx.directory_put("tenant", tenant.id, directory_entries.tenant(tenant))


def save_user(tx: "Tx", user: user_pb2.User) -> None:
    """Records a user's change."""
    store.users.save(tx, user)
    tx.directory_put("user", user.id, directory_entries.user(user))


async def tell_absences(tx: "Tx", changed: absence_pb2.Absence, *, gone: bool = False) -> None:
    """Shows on the user's own record when he is away, after one of his absences has changed or is not to be."""
    user = await store.users.find(tx, changed.owner_id)
    if user is None:
        return
    others = [a for a in await store.absences_not_over(tx, user.id) if a.id != changed.id]
    mine = others if gone else [*others, changed]
    absence_rules.tell_user(user, sorted(mine, key=lambda a: (a.start_time.ToNanoseconds(), a.id)))
    save_user(tx, user)


def save_role(tx: "Tx", role: role_pb2.Role) -> None:
    """Records a role's change."""
    store.roles.save(tx, role)
    tx.directory_put("role", role.id, directory_entries.role(role))


def put_department(tx: "Tx", department: department_pb2.Department) -> None:
    """Tells the directory about a department that the kit saves."""
    tx.directory_put("department", department.id, directory_entries.department(department))


async def put_token(tx: "Tx", token: api_token_pb2.ApiToken) -> None:
    """Tells the directory about a token that has its hash already."""
    hashes = await store.token_hashes(tx, [token.id])
    tx.directory_put("token", token.id, directory_entries.api_token(token, hashes[token.id]))


def session_ended(
    tx: "Tx",
    user_id: str,
    session_id: str,
    reason: "events_pb2.SessionRevokedReason",
    now: datetime,
) -> None:
    """Tells every process and every listener that a session ended."""
    tx.directory_put("session", session_id, {"revoked": int(now.timestamp())})
    tx.emit(events_pb2.SessionRevoked(user_id=user_id, session_id=session_id, reason=reason))


async def end_sessions(
    tx: "Tx",
    user_id: str,
    reason: "events_pb2.SessionRevokedReason",
    now: datetime,
    besides: str = "",
) -> int:
    """Ends all living sessions of a user, except one, and returns how many."""
    ended = await store.end_sessions(tx, user_id, now, besides)
    for session_id in ended:
        session_ended(tx, user_id, session_id, reason, now)
    return len(ended)
