"""The explanation of a right, and the right itself, against a brute force that shares nothing with the code."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.explaining import Explained, Record, Why, explain, grants_of, hidden_by
from chassis.rights import SCOPES, Rights
from chassis.stand_in import cover_at
from chassis.tenant_view import TenantView

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CASES = 1000
CONTACTS = "/crm.contacts.v1.ContactsService"
FEATURE_OF = {
    "contact": "contacts",
    "company": "contacts",
    "request": "requests",
    "label": "contacts",
}
ACTIONS = ("read", "update", "delete")
# A token's methods -> the rights that they leave of the ones asked about here.
METHODS: dict[tuple[str, ...], Any] = {
    ("*",): lambda object, action: True,
    (f"{CONTACTS}/*",): lambda object, action: True,
    (f"{CONTACTS}/GetContact",): lambda object, action: (object, action) == ("contact", "read"),
    (f"{CONTACTS}/ListCompanies", f"{CONTACTS}/UpdateCompany"): lambda object, action: (
        object == "company" and action != "delete"
    ),
    ("/crm.identity.v1.IdentityService/*",): lambda object, action: False,
}  # fmt: skip


@dataclass
class Firm:
    """A random company."""

    parents: dict[str, str]
    users: dict[str, dict[str, Any]]
    roles: dict[str, list[dict[str, str]]]
    off: set[str]
    leaders: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Department -> head, deputy."""
    hidden: dict[str, set[str]] = field(default_factory=dict)

    def view(self) -> TenantView:
        view = TenantView("t")
        view.put("tenant", "t", {"features_off": sorted(self.off)})
        for id, parent in self.parents.items():
            head, deputy = self.leaders[id]
            entry = {"name": id, "parent_id": parent, "head_id": head, "deputy_id": deputy}
            view.put("department", id, entry)
        for id, grants in self.roles.items():
            view.put("role", id, {"name": id, "grants": grants, "hidden": sorted(self.hidden[id])})
        for id, user in self.users.items():
            view.put("user", id, user)
        return view

    def is_under(self, department: str, top: str) -> bool:
        while department:
            if department == top:
                return True
            department = self.parents.get(department, "")
        return False

    def is_away(self, user: str) -> bool:
        return any(
            a["from"] <= NOW.timestamp() < a["until"]
            for a in self.users.get(user, {}).get("absences", ())
        )

    def acts_for(self, user: str) -> str:
        """Who of the delegates, one after the other, then deputy, head and heads above is there."""
        asked: list[str] = []
        delegate = user
        while delegate and delegate not in asked:
            asked.append(delegate)
            away = list(self.users.get(delegate, {}).get("absences", ()))
            delegate = away[0]["delegate_id"] if away and self.is_away(delegate) else ""
        department = self.users[user]["department_id"]
        if department:
            asked.append(self.leaders[department][1])
        while department:
            asked.append(self.leaders[department][0])
            department = self.parents[department]
        there = [
            u for u in asked if u in self.users and self.users[u]["state"] == "active" and not self.is_away(u)
        ]  # fmt: skip
        return there[0] if there else ""

    def widest(self, grants: list[dict[str, str]], object: str, action: str) -> int:
        """0 for nothing, 1 to 4 for the scopes."""
        best = 0
        for grant in grants:
            if grant["object"] in ("*", object) and grant["action"] in ("*", action):
                best = max(best, 1 + SCOPES.index(grant["scope"]))
        return best

    def grants(self, user: str) -> list[dict[str, str]]:
        return [g for role in self.users[user]["role_ids"] for g in self.roles.get(role, [])]


@dataclass
class Case:
    firm: Firm
    user: str
    object: str
    action: str
    record: Record | None
    token: list[dict[str, str]] | None
    methods: tuple[str, ...]

    def rights(self, view: TenantView) -> Rights:
        covers = cover_at(view, NOW).absent.get(self.user, ())
        rights = Rights.of_user(view, self.user, methods=self.methods, covers=covers)
        return rights if self.token is None else rights.limited(self.token)


def made(chance: random.Random) -> Case:
    departments = [f"d{n}" for n in range(chance.randint(1, 6))]
    parents = {d: chance.choice(["", *departments[:n]]) for n, d in enumerate(departments)}
    roles = {f"r{n}": some_grants(chance) for n in range(3)}
    users = {
        f"u{n}": {
            "name": f"u{n}",
            "state": chance.choices(["active", "invited", "deactivated"], [18, 1, 1])[0],
            "department_id": chance.choice(["", *departments]),
            "role_ids": chance.sample(["r0", "r1", "r2", "gone"], chance.randint(0, 3)),
        }
        for n in range(chance.randint(2, 6))
    }
    firm = Firm(
        parents, users, roles, set(chance.sample(["contacts", "requests"], chance.choice([0, 0, 0, 1])))
    )  # fmt: skip
    for user in users.values():
        if chance.random() < 0.4:
            begins = NOW.timestamp() + chance.choice([-50, -50, 50])
            user["absences"] = [
                {"id": "a", "from": begins, "until": begins + 90, "delegate_id": chance.choice(["", *users])}
            ]  # fmt: skip
    somebody = ["", *users]
    firm.leaders = {d: (chance.choice(somebody), chance.choice(somebody)) for d in departments}
    firm.hidden = {
        id: set(chance.sample(["contact.a", "contact.b", "company.a"], 2)) for id in roles
    }
    user = chance.choice(list(users))
    record = Record(
        chance.choice(["", "stranger", user, *users, *users]),
        chance.choice(["", *departments]),
        tuple(chance.sample(list(users), chance.choice([0, 0, 1, 2]))),
        unowned=chance.random() < 0.1,
        shared=chance.random() < 0.1,
    )
    return Case(
        firm,
        user,
        chance.choice(["contact", "company", "request"]),
        chance.choice(ACTIONS),
        record if chance.random() < 0.9 else None,
        some_grants(chance) if chance.random() < 0.2 else None,
        chance.choices(list(METHODS), [10, 1, 1, 1, 1])[0],
    )


def some_grants(chance: random.Random) -> list[dict[str, str]]:
    return [
        {
            "object": chance.choice(["contact", "company", "request", "label", "*"]),
            "action": chance.choice([*ACTIONS, "read", "*"]),
            "scope": chance.choice(SCOPES),
        }
        for _ in range(chance.randint(0, 5))
    ]


def brute_force(case: Case) -> Explained:
    """The rule as README and role.proto tell it."""
    firm, object, action, record = case.firm, case.object, case.action, case.record

    def scope(action: str) -> int:
        of_user = firm.widest(firm.grants(case.user), object, action)
        return (
            of_user if case.token is None else min(of_user, firm.widest(case.token, object, action))
        )

    def nothing(action: str) -> Explained:
        user_has = firm.widest(firm.grants(case.user), object, action) > 0
        return Explained(Why.TOKEN_GRANTS if user_has else Why.NOT_GRANTED, action)

    def one(action: str, record: Record) -> Explained:
        reach, home = scope(action), case.firm.users[case.user]["department_id"]

        def within(department: str) -> bool:
            if not department or not home:
                return False
            return department == home or (reach >= 3 and firm.is_under(department, home))

        def path(department: str) -> tuple[str, ...]:
            steps = [department]
            while steps[-1] != home:
                steps.append(firm.parents[steps[-1]])
            return tuple(steps)

        if reach == 4:
            return Explained(Why.EVERYTHING, action)
        if reach and record.owner_id == case.user:
            return Explained(Why.OWNER, action)
        if reach >= 2 and record.owner_id in firm.users:
            theirs = firm.users[record.owner_id]["department_id"]
            if within(theirs):
                return Explained(Why.COLLEAGUE, action, path=path(theirs))
        if reach and action in ("read", "update") and firm.is_away(record.owner_id):
            owner = record.owner_id
            of_owner = firm.widest(firm.grants(owner), object, action)
            active = firm.users[owner]["state"] == "active"
            if active and of_owner and firm.acts_for(owner) == case.user:
                return Explained(Why.STAND_IN, action)
        if reach and not record.owner_id and within(record.department_id):
            return Explained(Why.QUEUE, action, path=path(record.department_id))
        if reach and action == "read" and case.user in record.follower_ids:
            return Explained(Why.FOLLOWER, action)
        if action == "read" and record.shared:
            return Explained(Why.SHARED, action)
        return Explained(Why.OUT_OF_SCOPE, action) if reach else nothing(action)

    if firm.users[case.user]["state"] != "active":
        return Explained(Why.NOT_ACTIVE, action)
    if not METHODS[case.methods](object, action):
        return Explained(Why.TOKEN_METHODS, action)
    if FEATURE_OF[object] in firm.off:
        return Explained(Why.FEATURE_OFF, action, FEATURE_OF[object])
    if not scope(action):
        return nothing(action)
    if record is None or record.unowned:
        return Explained(Why.GRANTED, action)
    readable = one("read", record)
    return readable if action == "read" or not readable.allowed else one(action, record)


def test_equal_to_brute_force_in_a_thousand_random_cases() -> None:
    chance = random.Random(21)
    seen: dict[Why, int] = dict.fromkeys(Why, 0)
    for number in range(CASES):
        case = made(chance)
        view = case.firm.view()
        found = explain(view, case.rights(view), case.object, case.action, case.record)
        expected = brute_force(case)
        assert found == expected, (number, case)
        seen[found.why] += 1
    assert all(seen.values()), seen  # every reason came up, so every branch was compared


def test_the_explanation_allows_exactly_what_the_decision_allows() -> None:
    chance = random.Random(22)
    for number in range(CASES):
        case = made(chance)
        record, view = case.record, case.firm.view()
        if record is None or record.unowned or record.shared:
            continue
        rights = case.rights(view)
        facts = (record.owner_id, record.department_id, record.follower_ids)
        decided = (
            case.firm.users[case.user]["state"] == "active"
            and METHODS[case.methods](case.object, case.action)
            and FEATURE_OF[case.object] not in case.firm.off
            and rights.may(case.object, case.action)
            and rights.reaches(case.object, "read", *facts)
            and rights.reaches(case.object, case.action, *facts)
        )
        found = explain(view, rights, case.object, case.action, record)
        assert found.allowed == decided, (number, case)


def test_the_grants_named_are_those_of_the_widest_scope() -> None:
    chance = random.Random(23)
    for _ in range(CASES // 4):
        case = made(chance)
        firm, named = case.firm, grants_of(case.firm.view(), case.user, case.object, case.action)
        widest = firm.widest(firm.grants(case.user), case.object, case.action)
        expected = [
            (role, grant["object"], grant["action"], grant["scope"])
            for role in firm.users[case.user]["role_ids"]
            for grant in firm.roles.get(role, [])
            if grant["object"] in ("*", case.object)
            and grant["action"] in ("*", case.action)
            and 1 + SCOPES.index(grant["scope"]) == widest
        ]
        assert [(g.role_id, g.object, g.action, g.scope) for g in named] == expected


def test_a_field_is_hidden_by_all_roles_or_not_at_all() -> None:
    chance = random.Random(24)
    for _ in range(CASES // 4):
        case = made(chance)
        firm = case.firm
        roles = [role for role in firm.users[case.user]["role_ids"] if role in firm.roles]
        expected = {
            path.partition(".")[2]: tuple(roles)
            for path in ("contact.a", "contact.b", "company.a")
            if roles
            and path.startswith(f"{case.object}.")
            and all(path in firm.hidden[role] for role in roles)
        }
        assert hidden_by(firm.view(), case.user, case.object) == expected


@pytest.mark.parametrize("action", ["read", "update"])
def test_somebody_nobody_knows_may_nothing(action: str) -> None:
    view = TenantView("t")
    found = explain(view, Rights.of_user(view, "x"), "contact", action, Record(owner_id="x"))
    assert found == Explained(Why.NOT_ACTIVE, action)
