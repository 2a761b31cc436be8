"""What one caller may do, computed from the directory: grants of object x action x scope, and hidden fields."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Protocol

from chassis import contracts

_CAN_REMEMBERED = (
    10_000  # owners and departments that one caller meets between two changes of the directory
)
_COVERED = frozenset({"read", "update"})  # what standing in for somebody lets do with his records
SCOPES = ("own", "team", "subtree", "all")  # each includes the ones before it


class Way(StrEnum):
    """Why a scope includes a record."""

    EVERYTHING = "everything"
    """The scope is all."""
    OWNER = "owner"
    """The user owns it."""
    COLLEAGUE = "colleague"
    """Its owner is in a department of the scope."""
    STAND_IN = "stand_in"
    """Its owner is away and the user stands in for him; that lets him read and update, as far as both may."""
    QUEUE = "queue"
    """Nobody owns it, and it waits in a department of the scope."""
    FOLLOWER = "follower"
    """The user follows it; that lets him read, and no more."""


class People(Protocol):
    """The part of a tenant's directory that decides scopes."""

    def user(self, id: str) -> Mapping[str, Any] | None: ...
    def role(self, id: str) -> Mapping[str, Any] | None: ...
    def members(self, department_id: str) -> frozenset[str]: ...
    def subtree(self, department_id: str) -> frozenset[str]: ...


class Rights:
    """The rights of one caller. Immutable: the directory's revision decides how long an instance is used."""

    def __init__(
        self,
        people: People | None,
        user_id: str,
        grants: Iterable[Mapping[str, str]],
        hidden: Iterable[str] = (),
        *,
        readable: Mapping[str, Iterable[str]] | None = None,
        writable: Mapping[str, Iterable[str]] | None = None,
        methods: Iterable[str] | None = None,
        covers: Iterable[str] = (),
    ) -> None:
        """`covers` are those who are away and for whom the user stands in (chassis.stand_in)."""
        self._people, self.user_id, self.covers = people, user_id, frozenset(covers)
        self._grants = tuple(grants)
        self._scopes: dict[tuple[str, str], str | None] = {}
        self._owners: dict[str, frozenset[str] | None] = {}
        self._covered: dict[tuple[str, str], frozenset[str]] = {}
        self._hidden: dict[str, frozenset[str]] = {}
        self._can: dict[tuple[str, str, str, bool], tuple[str, ...]] = {}
        for path in hidden:
            object, _, field = path.partition(".")
            self._hidden[object] = self._hidden.get(object, frozenset()) | _telling(object, field)
        self.readable = (
            {k: frozenset(v) for k, v in readable.items()} if readable is not None else None
        )
        self.writable = (
            {k: frozenset(v) for k, v in writable.items()} if writable is not None else None
        )
        self.methods = tuple(methods) if methods is not None else None

    @classmethod
    def of_user(cls, people: People, user_id: str, **limits: Any) -> "Rights":
        """The union of the user's roles; a field is hidden only if every role of his hides it."""
        user = people.user(user_id) or {}
        roles = [role for id in user.get("role_ids", ()) if (role := people.role(id))]
        hidden = (
            set.intersection(*(set(role.get("hidden", ())) for role in roles)) if roles else set()
        )
        return cls(
            people, user_id, [g for role in roles for g in role.get("grants", ())], hidden, **limits
        )

    @classmethod
    def of_system(cls) -> "Rights":
        """Everything: consumers, timers and jobs act for the tenant itself."""
        return cls(None, "", [{"object": "*", "action": "*", "scope": "all"}])

    def scope(self, object: str, action: str) -> str | None:
        """The widest scope granted for this object and action; None if nothing is granted."""
        key = (object, action)
        if key not in self._scopes:
            granted = [SCOPES.index(g["scope"]) for g in matching(self._grants, object, action)]
            self._scopes[key] = SCOPES[max(granted)] if granted else None
        return self._scopes[key]

    def may(self, object: str, action: str) -> bool:
        """True if the action is granted at any scope."""
        return self.scope(object, action) is not None

    def limited(self, grants: Iterable[Mapping[str, str]]) -> "Rights":
        """These rights cut down to `grants`: a token never gets more than its user has."""
        both = [
            {
                "object": object,
                "action": action,
                "scope": SCOPES[min(SCOPES.index(a), SCOPES.index(b))],
            }
            for object, action in contracts.rights()
            if (a := self.scope(object, action))
            and (b := Rights(None, "", grants).scope(object, action))
        ]
        limited = Rights(self._people, self.user_id, both, covers=self.covers)
        limited._hidden, limited.methods = self._hidden, self.methods
        limited.readable, limited.writable = self.readable, self.writable
        return limited

    def allows_method(self, full_name: str) -> bool:
        """True unless the caller is a token that is limited to other methods."""
        if self.methods is None:
            return True
        service = full_name.rpartition("/")[0]
        return full_name in self.methods or f"{service}/*" in self.methods or "*" in self.methods

    def owners(self, object: str, action: str) -> frozenset[str] | None:
        """The owners whose records the action reaches, by its scope or for those who are away; None means all."""
        within, covered = self._within(object, action), self._stands_in_for(object, action)
        return within | covered if within is not None and covered else within

    def _within(self, object: str, action: str) -> frozenset[str] | None:
        """The owners whose records the scope includes; None means all."""
        scope = self.scope(object, action)
        if scope is None:
            return frozenset()
        if scope not in self._owners:
            self._owners[scope] = self._owners_of(scope)
        return self._owners[scope]

    def _stands_in_for(self, object: str, action: str) -> frozenset[str]:
        """Those away whose records the user may treat as his own: what both may do, and no more than read and update."""
        if not self.covers or self._people is None or not self.may(object, action):
            return frozenset()
        if action not in _COVERED or object in contracts.personal_objects():
            return frozenset()
        key = (object, action)
        if key not in self._covered:
            people = self._people
            self._covered[key] = frozenset(
                id for id in self.covers if Rights.of_user(people, id).may(object, action)
            )
        return self._covered[key]

    def departments(self, object: str, action: str) -> frozenset[str] | None:
        """The departments whose queues the scope includes; None means all.

        Even the scope "own" includes the queue of one's own department: what waits there has no owner, so that otherwise
        nobody who works in that department could take from it.
        """
        scope = self.scope(object, action)
        if scope == "all":
            return None
        mine = self._department()
        if scope is None or mine is None or self._people is None:
            return frozenset()
        return self._people.subtree(mine) if scope == "subtree" else frozenset({mine})

    @property
    def hides_anything(self) -> bool:
        """True if some field of some object is hidden from this caller."""
        return bool(self._hidden)

    def hidden(self, object: str) -> frozenset[str]:
        """Paths of this object's fields that the caller must never see."""
        return self._hidden.get(object, frozenset())

    def reaches(
        self,
        object: str,
        action: str,
        owner_id: str = "",
        department_id: str = "",
        follower_ids: Iterable[str] = (),
    ) -> bool:
        """True if the action's scope includes a record with this owner, department and followers (they may read).

        The department counts only where there is no owner: then the record waits in its queue.
        """
        return self.way(object, action, owner_id, department_id, follower_ids) is not None

    def way(
        self,
        object: str,
        action: str,
        owner_id: str = "",
        department_id: str = "",
        follower_ids: Iterable[str] = (),
    ) -> Way | None:
        """Why the action's scope includes such a record; None if it does not. The one place that decides it."""
        owners = self._within(object, action)
        if owners is None:
            return Way.EVERYTHING
        if owner_id and owner_id in owners:
            return Way.OWNER if owner_id == self.user_id else Way.COLLEAGUE
        if owner_id and owner_id in self._stands_in_for(object, action):
            return Way.STAND_IN
        if department_id and not owner_id:
            departments = self.departments(object, action)
            if departments is None or department_id in departments:
                return Way.QUEUE
        if (
            action == "read"
            and self.may(object, "read")
            and self.user_id != ""
            and self.user_id in follower_ids
        ):
            return Way.FOLLOWER
        return None

    def can(
        self,
        object: str,
        owner_id: str = "",
        department_id: str = "",
        follower_ids: Iterable[str] = (),
    ) -> tuple[str, ...]:
        """The actions that the caller may do with such a record, in alphabetical order."""
        key = (object, owner_id, department_id, self.user_id in follower_ids)
        known = self._can.get(key)
        if known is None:
            if len(self._can) >= _CAN_REMEMBERED:
                self._can.clear()
            known = self._can[key] = tuple(
                action
                for action in contracts.record_actions().get(object, ())
                if self.may(object, action)
                and self.reaches(object, action, owner_id, department_id, follower_ids)
            )
        return known

    def _department(self) -> str | None:
        user = self._people.user(self.user_id) if self._people else None
        return (user or {}).get("department_id") or None

    def _owners_of(self, scope: str) -> frozenset[str] | None:
        if scope == "all":
            return None
        mine = frozenset({self.user_id} - {""})
        department = self._department()
        if scope == "own" or department is None or self._people is None:
            return mine
        if scope == "team":
            return mine | self._people.members(department)
        return mine.union(*(self._people.members(id) for id in self._people.subtree(department)))


def _telling(object: str, field: str) -> frozenset[str]:
    """The field, and those that would tell of it or of what lies in it."""
    found = {field}
    for source, paths in contracts.revealing(object).items():
        if source == field or source.startswith(f"{field}."):
            found |= paths
    return frozenset(found)


def matching(
    grants: Iterable[Mapping[str, str]], object: str, action: str
) -> list[Mapping[str, str]]:
    """Those of the grants that speak of this object and action; "*" speaks of every one."""
    return [g for g in grants if g["object"] in (object, "*") and g["action"] in (action, "*")]
