"""Why somebody may or may not do something (M21): the steps of the decision itself, in its order, and what each says.

The steps are those that a call takes: is he active, may this token call it, is the feature on (chassis.rpc.interceptors), is it
granted, and does the scope reach the record, first to read it and then to do it (chassis.kit.resource). Grants and scopes are
decided by `Rights.may` and `Rights.way`, here as there.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chassis import contracts
from chassis.contracts import Method
from chassis.hours import path_up
from chassis.rights import Rights, matching
from chassis.tenant_view import TenantView


class Why(StrEnum):
    """What decided. The first eight allow; those that a scope gives are called as in `Way`."""

    GRANTED = "granted"
    EVERYTHING = "everything"
    OWNER = "owner"
    COLLEAGUE = "colleague"
    STAND_IN = "stand_in"
    QUEUE = "queue"
    FOLLOWER = "follower"
    SHARED = "shared"
    NOT_ACTIVE = "not_active"
    TOKEN_METHODS = "token_methods"
    FEATURE_OFF = "feature_off"
    NOT_GRANTED = "not_granted"
    TOKEN_GRANTS = "token_grants"
    OUT_OF_SCOPE = "out_of_scope"


ALLOWING = frozenset(
    {
        Why.GRANTED, Why.EVERYTHING, Why.OWNER, Why.COLLEAGUE, Why.STAND_IN, Why.QUEUE, Why.FOLLOWER,
        Why.SHARED,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """Whose a record is. `unowned`: records of its kind belong to nobody; `shared`: all who read the kind read it."""

    owner_id: str = ""
    department_id: str = ""
    follower_ids: tuple[str, ...] = ()
    unowned: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Explained:
    """The decision. `decided_by` is the action whose grant decided: the one asked about, or read."""

    why: Why
    decided_by: str
    feature: str = ""
    path: tuple[str, ...] = ()
    """Departments from the owner's or the queue's up to the user's own, where they decided."""

    @property
    def allowed(self) -> bool:
        return self.why in ALLOWING


@dataclass(frozen=True, slots=True)
class Granting:
    """A role's grant that counts."""

    role_id: str
    object: str
    action: str
    scope: str


def explain(
    people: TenantView,
    rights: Rights,
    object: str,
    action: str,
    record: Record | None = None,
) -> Explained:
    """Why the owner of these rights may or may not do the action: with this record, or (None) with some record.

    `rights` are the user's, or those of his API token. A token that has ended is for the caller to notice.
    """
    user = people.user(rights.user_id)
    if user is None or user.get("state") != "active":
        return Explained(Why.NOT_ACTIVE, action)
    if not any(rights.allows_method(m.full_name) for m in methods_of(object, action)):
        return Explained(Why.TOKEN_METHODS, action)
    features = [m.permission.feature for m in _plain(object, action)]
    if people.features_off().issuperset(features):
        return Explained(Why.FEATURE_OFF, action, features[0])
    if not rights.may(object, action):
        return _not_granted(people, rights, object, action)
    if record is None or record.unowned:
        return Explained(Why.GRANTED, action)
    found = Explained(Why.GRANTED, action)
    for step in dict.fromkeys(("read", action)):  # what cannot be read is not there to be changed
        found = _reached(people, rights, object, step, record)
        if not found.allowed:
            break
    return found


def grants_of(people: TenantView, user_id: str, object: str, action: str) -> list[Granting]:
    """The user's grants of the widest scope for this, with the roles they come from; no token limits them."""
    widest = Rights.of_user(people, user_id).scope(object, action)
    return [
        Granting(role_id, grant["object"], grant["action"], grant["scope"])
        for role_id in (people.user(user_id) or {}).get("role_ids", ())
        for grant in matching((people.role(role_id) or {}).get("grants", ()), object, action)
        if grant["scope"] == widest
    ]


def hidden_by(people: TenantView, user_id: str, object: str) -> dict[str, tuple[str, ...]]:
    """Path -> the roles that hide it, for each field of such records that the user does not see."""
    roles = [id for id in (people.user(user_id) or {}).get("role_ids", ()) if people.role(id)]
    return {path: tuple(roles) for path in sorted(Rights.of_user(people, user_id).hidden(object))}


@functools.cache
def methods_of(object: str, action: str) -> tuple[Method, ...]:
    """The RPCs that need this right; empty if there is none, that is, no such right."""
    found = (contracts.method_of(m) for service in contracts.services() for m in service.methods)
    return tuple(m for m in found if (m.permission.object, m.permission.action) == (object, action))


@functools.cache
def _plain(object: str, action: str) -> tuple[Method, ...]:
    """The RPCs that people mean by this right: those that answer with the record itself, where there are any.

    Others that need the same right, such as a contact's notes, may hang on another feature.
    """
    every, resource = methods_of(object, action), contracts.resources().get(object)
    plain = tuple(m for m in every if resource and m.output.DESCRIPTOR is resource)
    return plain or every


def _not_granted(people: TenantView, rights: Rights, object: str, action: str) -> Explained:
    of_user = Rights.of_user(people, rights.user_id)
    limited = of_user.may(object, action)  # only a token has fewer rights than its user
    return Explained(Why.TOKEN_GRANTS if limited else Why.NOT_GRANTED, action)


def _reached(
    people: TenantView, rights: Rights, object: str, action: str, record: Record
) -> Explained:
    """One step of the scope."""
    way = rights.way(object, action, record.owner_id, record.department_id, record.follower_ids)
    if way is not None:
        return Explained(Why(way.value), action, path=_path(people, rights.user_id, record, way))
    if action == "read" and record.shared:
        return Explained(Why.SHARED, action)
    if not rights.may(object, action):
        return _not_granted(people, rights, object, action)
    return Explained(Why.OUT_OF_SCOPE, action)


def _path(people: TenantView, user_id: str, record: Record, way: str) -> tuple[str, ...]:
    if way == Why.QUEUE:
        begins = record.department_id
    elif way == Why.COLLEAGUE:
        begins = (people.user(record.owner_id) or {}).get("department_id") or ""
    else:
        return ()
    mine = (people.user(user_id) or {}).get("department_id") or ""
    return _until(path_up(people, begins), mine)


def _until(path: Iterable[str], last: str) -> tuple[str, ...]:
    """The path up to and with `last`."""
    found: list[str] = []
    for id in path:
        found.append(id)
        if id == last:
            break
    return tuple(found)
