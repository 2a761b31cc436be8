"""A company for tests of ladders: a directory that is written as identity writes it."""

from datetime import UTC, datetime
from typing import Any

from chassis.tenant_view import TenantView

OFFICE = [{"weekday": day, "start": "09:00", "end": "18:00"} for day in range(1, 6)]
MONDAY = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
"""A Monday, nine o'clock in London and ten in Warsaw."""


class Firm:
    """Sales with a head and his deputy, below the company with a chief; one administrator."""

    def __init__(self, *, zone: str = "UTC", hours: list[dict[str, Any]] | None = None) -> None:
        self.view = TenantView("t")
        self.view.put(
            "tenant", "t",
            {"time_zone": zone, "country": "PL", "working_hours": hours or []},
        )  # fmt: skip
        self.view.put("role", "r-admin", {"built_in": "administrator"})
        self.view.put("role", "r-sales", {"built_in": "salesperson"})
        self.department("company", head="chief")
        self.department("sales", parent="company", head="head", deputy="deputy")
        self.user("chief", "company")
        for id in ("head", "deputy", "anna", "bob"):
            self.user(id, "sales")
        self.user("admin", "", role_ids=["r-admin"])

    def user(self, id: str, department_id: str, **entry: Any) -> None:
        """Writes a user's entry anew."""
        known = {"name": id, "state": "active", "role_ids": ["r-sales"], **entry}
        self.view.put("user", id, {"department_id": department_id, **known})

    def change(self, id: str, **entry: Any) -> None:
        """Changes some of a user's entry."""
        self.view.put("user", id, {**(self.view.user(id) or {}), **entry})

    def away(self, id: str, since: datetime, until: datetime, delegate_id: str = "") -> None:
        absence = {
            "id": "a",
            "from": since.timestamp(),
            "until": until.timestamp(),
            "delegate_id": delegate_id,
        }
        self.change(id, absences=[absence])

    def department(self, id: str, *, parent: str = "", head: str = "", deputy: str = "") -> None:
        self.view.put("department", id, {"parent_id": parent, "head_id": head, "deputy_id": deputy})
