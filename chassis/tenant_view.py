"""One tenant's part of the directory, and what follows from it: trees, members, heads."""

from collections.abc import Mapping
from typing import Any

_NOT_RIGHTS = ("session", "beat", "clock")  # kinds that no right depends on

Entry = Mapping[str, Any]


class TenantView:
    """One tenant's part. The object stays the same; what it answers changes with the directory."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.revision = 0
        """Grows with every change on which rights may depend."""
        self._kinds: dict[str, dict[str, Entry]] = {}
        self._derived: dict[tuple[str, str], frozenset[str]] = {}

    def entry(self, kind: str, id: str) -> Entry | None:
        return self._kinds.get(kind, {}).get(id)

    def entries(self, kind: str) -> Mapping[str, Entry]:
        """All entries of a kind by their ids."""
        return self._kinds.get(kind, {})

    def tenant(self) -> Entry:
        """The tenant's own entry; empty while it is not known."""
        return self.entry("tenant", self.tenant_id) or {}

    def features_off(self) -> frozenset[str]:
        return frozenset(self.tenant().get("features_off", ()))

    def user(self, id: str) -> Entry | None:
        return self.entry("user", id)

    def users(self) -> Mapping[str, Entry]:
        return self.entries("user")

    def department(self, id: str) -> Entry | None:
        return self.entry("department", id)

    def departments(self) -> Mapping[str, Entry]:
        return self.entries("department")

    def role(self, id: str) -> Entry | None:
        return self.entry("role", id)

    def token(self, id: str) -> Entry | None:
        return self.entry("token", id)

    def session(self, id: str) -> Entry | None:
        """Only ended sessions have an entry."""
        return self.entry("session", id)

    def subtree(self, department_id: str) -> frozenset[str]:
        """The department and all below it; empty if there is no such department."""
        key = ("subtree", department_id)
        if key not in self._derived:
            self._derived[key] = frozenset(self._below(department_id))
        return self._derived[key]

    def _below(self, root: str) -> set[str]:
        if root not in self.departments():
            return set()
        children: dict[str, list[str]] = {}
        for id, department in self.departments().items():
            children.setdefault(department.get("parent_id") or "", []).append(id)
        found, waiting = {root}, [root]
        while waiting:  # ids already found are skipped, so a cycle ends too
            fresh = [child for child in children.get(waiting.pop(), ()) if child not in found]
            found.update(fresh)
            waiting.extend(fresh)
        return found

    def members(self, department_id: str) -> frozenset[str]:
        """The users of exactly this department, whatever their state."""
        key = ("members", department_id)
        if key not in self._derived:
            self._derived[key] = frozenset(
                i for i, user in self.users().items() if user.get("department_id") == department_id
            )
        return self._derived[key]

    def head_of(self, department_id: str) -> str:
        """The user who leads the department, or the nearest one above it; "" if nobody does."""
        seen: set[str] = set()
        while department_id and department_id not in seen:
            seen.add(department_id)
            department = self.department(department_id) or {}
            if head := department.get("head_id"):
                return str(head)
            department_id = department.get("parent_id") or ""
        return ""

    def put(self, kind: str, id: str, value: Entry | None) -> bool:
        """Set or (None) remove an entry; True if that changed anything. For the directory only."""
        if self.entry(kind, id) == value:
            return False
        if value is None:
            del self._kinds[kind][id]
        else:
            self._kinds.setdefault(kind, {})[id] = value
        if kind not in _NOT_RIGHTS:
            self._derived.clear()
            self.revision += 1
        return True
