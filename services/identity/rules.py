"""What identity's records may say, and what may be given away or taken; pure, on resource messages."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from chassis.errors import Violation
from crm.identity.v1 import api_token_pb2, department_pb2, role_pb2, tenant_pb2, user_pb2
from services.identity import errors, hours
from services.identity.features import FEATURES

MAX_DEPTH = 12
"""Levels of departments; deeper trees are a mistake in the import rather than a company."""

ADMINISTRATOR = "administrator"
"""The key of the built-in role that may do everything and that a company never loses."""

SCOPES: dict[str, role_pb2.Scope] = {
    "own": role_pb2.SCOPE_OWN,
    "team": role_pb2.SCOPE_TEAM,
    "subtree": role_pb2.SCOPE_SUBTREE,
    "all": role_pb2.SCOPE_ALL,
}
SCOPE_NAMES: dict[int, str] = {number: name for name, number in SCOPES.items()}

STATE_NAMES: dict[int, str] = {
    user_pb2.USER_STATE_INVITED: "invited",
    user_pb2.USER_STATE_ACTIVE: "active",
    user_pb2.USER_STATE_DEACTIVATED: "deactivated",
}

OWN_PROFILE = frozenset(
    {
        "name",
        "language",
        "time_zone",
        "working_hours",
        "phone",
        "photo_file_id",
        "signature_file_id",
    }
)
"""What everybody may change of himself."""


# --- tenants --------------------------------------------------------------------------------------------------------------


def tenant(new: tenant_pb2.Tenant) -> None:
    """Puts the switched-off features in order; refuses unknown ones."""
    new.name = new.name.strip()
    unknown = sorted(set(new.features_off) - FEATURES.keys())
    if unknown:
        raise errors.FeatureUnknown(unknown, FEATURES)
    if violations := list(hours.violations(new)):
        raise errors.ValueInvalid(violations)
    ordered = [key for key in FEATURES if key in set(new.features_off)]
    del new.features_off[:]
    new.features_off.extend(ordered)


# --- users ----------------------------------------------------------------------------------------------------------------


def email_key(email: str) -> str:
    """The form in which addresses are compared: letter case and outer blanks do not make another person."""
    return email.strip().casefold()


def user(new: user_pb2.User) -> None:
    """Normalises a user in place and refuses meanings that no state could accept, all of them at once."""
    new.email, new.name = email_key(new.email), " ".join(new.name.split())
    roles = list(dict.fromkeys(new.role_ids))
    del new.role_ids[:]
    new.role_ids.extend(roles)
    violations = [*hours.violations(new)]
    if new.delegate_id and new.delegate_id == new.id:
        violations.append(Violation("delegate_id", "must be somebody else"))
    if new.HasField("hourly_cost") and new.hourly_cost.amount.startswith("-"):
        violations.append(Violation("hourly_cost.amount", "must not be negative"))
    if violations:
        raise errors.ValueInvalid(violations)


def unknown_references(
    new: user_pb2.User,
    *,
    departments: Collection[str],
    roles: Collection[str],
    users: Collection[str],
) -> dict[str, str]:
    """Field -> id for each department, role or delegate that the user names and that does not exist."""
    unknown = {f"role_ids[{i}]": id for i, id in enumerate(new.role_ids) if id not in roles}
    if new.department_id and new.department_id not in departments:
        unknown["department_id"] = new.department_id
    if new.delegate_id and new.delegate_id not in users:
        unknown["delegate_id"] = new.delegate_id
    return unknown


def require_state(current: user_pb2.User, *allowed: user_pb2.UserState) -> None:
    """Raises UserStateWrong unless the user is in one of the states."""
    if current.state not in allowed:
        raise errors.UserStateWrong(
            STATE_NAMES[current.state], " or ".join(STATE_NAMES[s] for s in allowed)
        )


def loses_administrator(
    old: user_pb2.User | None, new: user_pb2.User, administrator_ids: Collection[str]
) -> bool:
    """True if `old` worked as an administrator and `new` does not: then another one must be left."""
    return (
        old is not None
        and _administers(old, administrator_ids)
        and not _administers(new, administrator_ids)
    )


def _administers(one: user_pb2.User, administrator_ids: Collection[str]) -> bool:
    return one.state == user_pb2.USER_STATE_ACTIVE and not set(administrator_ids).isdisjoint(
        one.role_ids
    )


# --- departments ----------------------------------------------------------------------------------------------------------


def department_parent(id: str, parent_id: str, parent_of: Callable[[str], str | None]) -> None:
    """Walks up from `parent_id`: refuses a cycle, an unknown parent and a tree deeper than MAX_DEPTH.

    `parent_of(id)` is the parent's id, "" at the top, None for a department that does not exist.
    """
    level, above = 1, parent_id
    while above:
        if above == id:
            raise errors.DepartmentCycle
        higher = parent_of(above)
        if higher is None:
            raise errors.ReferenceUnknown({"parent_id": above})
        level, above = level + 1, higher
        if level > MAX_DEPTH:
            raise errors.DepartmentTooDeep(MAX_DEPTH)


def department(new: department_pb2.Department) -> None:
    """Normalises the name and the hours; a head is not his own deputy."""
    new.name = " ".join(new.name.split())
    if violations := list(hours.violations(new)):
        raise errors.ValueInvalid(violations)
    if new.deputy_id and new.deputy_id == new.head_id:
        raise errors.ValueInvalid([Violation("deputy_id", "must be somebody else than the head")])


# --- roles and what they give ---------------------------------------------------------------------------------------------


def grant_rows(grants: Iterable[role_pb2.Grant]) -> list[dict[str, str]]:
    """The grants as the directory holds them: {object, action, scope}."""
    return [{"object": g.object, "action": g.action, "scope": SCOPE_NAMES[g.scope]} for g in grants]


def grants(rows: Iterable[Mapping[str, str]]) -> list[role_pb2.Grant]:
    """The inverse of `grant_rows`."""
    return [
        role_pb2.Grant(object=r["object"], action=r["action"], scope=SCOPES[r["scope"]])
        for r in rows
    ]


def role(new: role_pb2.Role, old: role_pb2.Role | None) -> None:
    """Normalises a role, each object and action once with its widest scope; the administrator's never changes."""
    if old is not None and old.built_in == ADMINISTRATOR:
        raise errors.RoleBuiltIn
    new.name = " ".join(new.name.split())
    rows = widest(grant_rows(new.grants))
    del new.grants[:]
    new.grants.extend(grants(rows))
    hidden = sorted(set(new.hidden_fields))
    del new.hidden_fields[:]
    new.hidden_fields.extend(hidden)


def widest(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Each object and action once, with the widest of its scopes, in alphabetical order."""
    best: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["object"], row["action"])
        best[key] = max(best.get(key, 0), SCOPES[row["scope"]])
    return [
        {"object": o, "action": a, "scope": SCOPE_NAMES[s]} for (o, a), s in sorted(best.items())
    ]


def not_held(
    scope_of: Callable[[str, str], str | None], wanted: Iterable[Mapping[str, str]]
) -> list[str]:
    """The wanted grants that the giver's rights do not include, as `object.action (scope)`.

    `scope_of(object, action)` is the giver's widest scope, None for nothing; "*" asks for a grant of everything.
    """
    return [
        f"{w['object']}.{w['action']} ({w['scope']})"
        for w in wanted
        if SCOPES.get(scope_of(w["object"], w["action"]) or "", 0) < SCOPES[w["scope"]]
    ]


def hidden_of(roles: Iterable[Mapping[str, Any]]) -> list[str]:
    """Fields that a holder of these roles does not see: those that every one of them hides."""
    sets = [set(role.get("hidden", ())) for role in roles]
    return sorted(set.intersection(*sets)) if sets else []


# --- API tokens -----------------------------------------------------------------------------------------------------------

_FIXED = ("owner_id", "nats", "nats_start", "nats_start_time")
_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)*")  # a field's path as it stands in masks


def api_token(new: api_token_pb2.ApiToken, old: api_token_pb2.ApiToken | None) -> None:
    """Refuses a token that says nothing sensible, and changes of what is fixed by creation."""
    if old is not None:
        changed = [field for field in _FIXED if getattr(new, field) != getattr(old, field)]
        if changed:
            raise errors.FieldFixed(changed)
    new.name = " ".join(new.name.split())
    violations = []
    for name in ("readable", "writable"):
        for object, allowed in getattr(new, name).items():
            wrong = [path for path in allowed.fields if not _FIELD.fullmatch(path)]
            if wrong:
                violations.append(
                    Violation(f"{name}.{object}", f"{', '.join(wrong)} is not a field")
                )
    violations += _nats(new)
    if violations:
        raise errors.ValueInvalid(violations)


def _nats(new: api_token_pb2.ApiToken) -> Iterable[Violation]:
    if not new.nats:
        if new.nats_start or new.HasField("nats_start_time"):
            yield Violation("nats_start", "needs nats to be true")
        return
    if new.readable or new.grants:
        # A subscriber gets whole events of the whole company: a narrower promise would be a false one.
        yield Violation("nats", "cannot be narrowed by readable or grants; make two tokens")
    if new.nats_start == api_token_pb2.NATS_START_TIME and not new.HasField("nats_start_time"):
        yield Violation("nats_start_time", "must be set for NATS_START_TIME")
