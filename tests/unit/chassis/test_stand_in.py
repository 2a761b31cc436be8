"""Who stands in: delegate, his delegate, deputy, head, heads above, administrator; nobody twice."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.stand_in import absence_at, is_away, stand_in
from chassis.tenant_view import TenantView

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def away(delegate_id: str = "", since: float = -3600, until: float | None = 3600) -> dict[str, Any]:
    at = NOON.timestamp()
    absence = {
        "id": "a",
        "from": at + since,
        "until": None if until is None else at + until,
        "delegate_id": delegate_id,
    }
    return {"absences": [absence]}


def people(departments: dict[str, Any] | None = None, **users: dict[str, Any]) -> TenantView:
    view = TenantView("t")
    view.put("role", "boss", {"built_in": "administrator"})
    view.put("role", "seller", {"built_in": "salesperson"})
    for id, user in users.items():
        view.put(
            "user", id, {"state": "active", "department_id": "", "role_ids": ["seller"], **user}
        )
    for id, department in (departments or {}).items():
        view.put("department", id, department)
    return view


def test_who_is_there_acts_himself() -> None:
    assert stand_in(people(ana={}), "ana", NOON) == "ana"
    assert stand_in(people(ana=away(since=60), dewi={}), "ana", NOON) == "ana"
    assert stand_in(people(ana=away(until=0), dewi={}), "ana", NOON) == "ana"


def test_the_absence_s_delegate_comes_before_the_usual_one() -> None:
    view = people(ana={**away("dewi"), "delegate_id": "budi"}, dewi={}, budi={})
    assert stand_in(view, "ana", NOON) == "dewi"
    view = people(ana={**away(), "delegate_id": "budi"}, dewi={}, budi={})
    assert stand_in(view, "ana", NOON) == "budi"


def test_a_delegate_who_is_away_too_passes_it_on() -> None:
    view = people(ana=away("dewi"), dewi=away("budi"), budi={})
    assert stand_in(view, "ana", NOON) == "budi"


TREE = {
    "top": {"parent_id": "", "head_id": "chief", "deputy_id": "vice"},
    "sales": {"parent_id": "top", "head_id": "head", "deputy_id": "deputy"},
}


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        (set(), "deputy"),
        ({"deputy"}, "head"),
        ({"deputy", "head"}, "chief"),
        ({"deputy", "head", "chief"}, "root"),
        ({"deputy", "head", "chief", "root"}, ""),
    ],
)
def test_then_deputy_head_heads_above_and_an_administrator(gone: set[str], expected: str) -> None:
    others = {id: away() if id in gone else {} for id in ("deputy", "head", "chief", "vice")}
    root = {"role_ids": ["boss"], **(away() if "root" in gone else {})}
    view = people(
        TREE, ana={**away("dewi"), "department_id": "sales"}, dewi=away("ana"), root=root, **others
    )
    assert stand_in(view, "ana", NOON) == expected


def test_who_has_left_or_was_only_invited_stands_in_for_nobody() -> None:
    for state in ("deactivated", "invited"):
        view = people(
            TREE,
            ana={**away("dewi"), "department_id": "sales"},
            dewi={"state": state},
            deputy={"state": state},
            head={},
        )
        assert stand_in(view, "ana", NOON) == "head"


def test_a_head_who_is_away_does_not_stand_in_for_himself() -> None:
    view = people(
        {"sales": {"parent_id": "", "head_id": "head"}},
        head={**away(), "department_id": "sales"},
        root={"role_ids": ["boss"]},
    )
    assert stand_in(view, "head", NOON) == "root"


def test_an_absence_that_the_directory_does_not_tell_yet_counts() -> None:
    view = people(ana={"delegate_id": "budi"}, dewi={}, budi={})
    assert stand_in(view, "ana", NOON, absence={"delegate_id": "dewi"}) == "dewi"
    assert stand_in(view, "ana", NOON, absence={"delegate_id": ""}) == "budi"


def test_a_cycle_of_departments_ends() -> None:
    tree = {"a": {"parent_id": "b", "head_id": ""}, "b": {"parent_id": "a", "head_id": ""}}
    assert stand_in(people(tree, ana={**away(), "department_id": "a"}), "ana", NOON) == ""


def test_programs_that_tell_only_the_present_absence_are_understood() -> None:
    at = NOON.timestamp()
    assert is_away({"away_from": at - 1, "away_until": None}, NOON)
    assert not is_away({"away_from": at + 1, "away_until": None}, NOON)
    assert not is_away({"away_from": None, "away_until": None}, NOON)
    assert (absence_at(away("dewi"), NOON) or {})["delegate_id"] == "dewi"
