"""What each record looks like in the directory that every process reads (INVARIANT: no secret, only a token's hash)."""

from typing import Any

from google.protobuf import json_format

from chassis.times import to_datetime
from crm.identity.v1 import api_token_pb2, department_pb2, role_pb2, tenant_pb2, user_pb2
from services.identity import hours, rules

Entry = dict[str, Any]


def tenant(message: tenant_pb2.Tenant) -> Entry:
    """The company: what services need for defaults, and which features are off."""
    return {
        "name": message.name,
        "state": "suspended" if message.state == tenant_pb2.TENANT_STATE_SUSPENDED else "active",
        "language": message.language,
        "time_zone": message.time_zone,
        "country": message.country,
        "currency": message.currency,
        "features_off": list(message.features_off),
        "retention_days": message.retention.event_days,
        "history_days": message.retention.history_days,
        "settings": {
            key: json_format.MessageToDict(value) for key, value in message.settings.items()
        },
        **hours.entry(message),
    }


def user(message: user_pb2.User) -> Entry:
    """A user; times are epoch seconds, absent ones null. A deactivated user's tokens end with the deactivation."""
    left = message.state == user_pb2.USER_STATE_DEACTIVATED
    return {
        "name": message.name,
        "email": message.email,
        "state": rules.STATE_NAMES[message.state],
        "department_id": message.department_id,
        "role_ids": list(message.role_ids),
        "language": message.language,
        "time_zone": message.time_zone,
        **hours.entry(message),
        "away_from": _epoch(message, "away_from"),
        "away_until": _epoch(message, "away_until"),
        "delegate_id": message.delegate_id,
        "absences": [
            {
                "id": absence.absence_id,
                "from": _epoch(absence, "start_time"),
                "until": _epoch(absence, "end_time"),
                "delegate_id": absence.delegate_id,
            }
            for absence in message.absences
        ],
        "capacity": message.capacity,
        "extension": message.extension,
        "tokens_not_before": message.update_time.seconds + 1 if left else 0,
    }


def department(message: department_pb2.Department) -> Entry:
    """A department's place in the tree and who leads it."""
    return {
        "name": message.name,
        "parent_id": message.parent_id,
        "head_id": message.head_id,
        "deputy_id": message.deputy_id,
        "time_zone": message.time_zone,
        **hours.entry(message),
    }


def role(message: role_pb2.Role) -> Entry:
    """What a role gives and hides."""
    return {
        "name": message.name,
        "grants": rules.grant_rows(message.grants),
        "hidden": list(message.hidden_fields),
        "built_in": message.built_in,
    }


def api_token(message: api_token_pb2.ApiToken, secret_hash: str) -> Entry:
    """A token that works: limits as null where it has none."""
    return {
        "hash": secret_hash,
        "user_id": message.owner_id,
        "name": message.name,
        "methods": list(message.methods) or ["*"],
        "grants": rules.grant_rows(message.grants) or None,
        "readable": _limits(message.readable),
        "writable": _limits(message.writable),
        "expires": message.expire_time.seconds if message.HasField("expire_time") else 0,
        "nats": message.nats,
        "nats_start": _epoch(message, "nats_start_time"),
    }


def _limits(fields: Any) -> dict[str, list[str]] | None:
    return {object: list(allowed.fields) for object, allowed in fields.items()} or None


def _epoch(message: Any, field: str) -> float | None:
    return to_datetime(getattr(message, field)).timestamp() if message.HasField(field) else None
