"""Whose records a scope reaches, as `crm.identity.v1.Scope` says it."""

import pytest

from chassis.rights import Rights

HOME, BELOW, ELSEWHERE = "home", "below", "elsewhere"
ME, COLLEAGUE, APPRENTICE, STRANGER = "me", "colleague", "apprentice", "stranger"
_MEMBERS = {HOME: {ME, COLLEAGUE}, BELOW: {APPRENTICE}, ELSEWHERE: {STRANGER}}


class Company:
    """Two at home, one in the department below, one elsewhere; everybody has the role of this scope."""

    def __init__(self, scope: str) -> None:
        self._role = {"grants": [{"object": "contact", "action": "*", "scope": scope}]}

    def user(self, id: str) -> dict[str, object]:
        department = next(name for name, members in _MEMBERS.items() if id in members)
        return {"department_id": department, "role_ids": ["role"]}

    def role(self, id: str) -> dict[str, object]:
        return self._role

    def members(self, department_id: str) -> frozenset[str]:
        return frozenset(_MEMBERS[department_id])

    def subtree(self, department_id: str) -> frozenset[str]:
        return frozenset({HOME, BELOW} if department_id == HOME else {department_id})


@pytest.mark.parametrize(
    ("scope", "owners", "queues"),
    [
        ("own", {ME}, {HOME}),
        ("team", {ME, COLLEAGUE}, {HOME}),
        ("subtree", {ME, COLLEAGUE, APPRENTICE}, {HOME, BELOW}),
        ("all", {ME, COLLEAGUE, APPRENTICE, STRANGER}, {HOME, BELOW, ELSEWHERE, ""}),
    ],
)
@pytest.mark.parametrize("action", ["read", "update"])
def test_a_scope_reaches_its_owners_and_the_queues_of_their_departments(
    scope: str, owners: set[str], queues: set[str], action: str
) -> None:
    rights = Rights.of_user(Company(scope), ME)

    people = {ME, COLLEAGUE, APPRENTICE, STRANGER}
    assert {one for one in people if rights.reaches("contact", action, one, HOME)} == owners
    departments = {HOME, BELOW, ELSEWHERE, ""}
    assert {one for one in departments if rights.reaches("contact", action, "", one)} == queues


def test_a_follower_reads_and_does_no_more() -> None:
    rights = Rights.of_user(Company("own"), ME)

    assert rights.reaches("contact", "read", STRANGER, ELSEWHERE, [ME])
    assert not rights.reaches("contact", "update", STRANGER, ELSEWHERE, [ME])
    assert not rights.reaches("deal", "read", STRANGER, ELSEWHERE, [ME])
