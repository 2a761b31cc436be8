"""Who gets what: the first rule that fits, its people each in turn, what belongs together stays together."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.kit.handover_rules import Described, Rules, catches_all, described, fits, recipients
from chassis.tenant_view import TenantView
from crm.contacts.v1 import contact_pb2
from crm.identity.v1 import handover_pb2 as pb

Rule = pb.HandoverRule


def people(**states: str) -> TenantView:
    view = TenantView("t")
    for id, state in states.items():
        view.put("user", id, {"state": state, "department_id": "d"})
    return view


def rules(
    *rows: dict[str, Any], view: TenantView | None = None, turns: dict[str, int] | None = None
) -> Rules:
    handover = pb.Handover(owner_id="leaver", rules=[Rule(**row) for row in rows])
    view = view or people(a="active", b="active", c="active", leaver="active")
    return Rules(handover, view, {} if turns is None else turns)


@given(st.integers(1, 60), st.integers(1, 5))
def test_turns_differ_by_one_at_most(records: int, count: int) -> None:
    ids = [f"u{n}" for n in range(count)]
    one = rules({"user_ids": ids}, view=people(**dict.fromkeys(ids, "active")))
    given_to = Counter(one.choose("contact", Described(), {}) for _ in range(records))
    assert sum(given_to.values()) == records
    assert max(given_to.values()) - min(given_to.get(id, 0) for id in ids) <= 1


def test_turns_go_on_where_they_stopped() -> None:
    turns: dict[str, int] = {}
    first = [
        rules({"user_ids": ["a", "b"]}, turns=turns).choose("contact", Described(), {})
        for _ in range(3)
    ]
    assert (first, turns) == (["a", "b", "a"], {"0": 3})


def test_the_leaver_and_those_who_left_get_nothing() -> None:
    view = people(a="deactivated", b="invited", c="active", leaver="active")
    assert recipients(Rule(department_id="d"), view, "leaver") == ["c"]
    assert recipients(Rule(user_ids=["b", "c", "a"]), view, "leaver") == ["c"]
    assert rules({"user_ids": ["a"]}, view=view).choose("contact", Described(), {}) == ""


def test_a_rule_whose_people_have_all_left_is_passed_over() -> None:
    view = people(a="deactivated", b="active")
    one = rules({"objects": ["contact"], "user_ids": ["a"]}, {"user_ids": ["b"]}, view=view)
    assert one.choose("contact", Described(), {}) == "b"


def test_what_follows_goes_where_the_rule_allows_it_and_costs_no_turn() -> None:
    one = rules({"user_ids": ["a", "b"]})
    follower = Described(follows=("contact", "1"))
    assert one.choose("request", follower, {("contact", "1"): "b"}) == "b"
    assert one.choose("request", follower, {("contact", "1"): "c"}) == "a"
    assert one.choose("request", follower, {}) == "b"


def test_all_conditions_of_a_rule_must_fit() -> None:
    contact = contact_pb2.Contact(
        label_ids=["vip"], addresses=[{"city": "Kraków", "region": "Małopolska", "country": "PL"}]
    )
    one = described(contact)
    assert fits(Rule(), "contact", one)
    assert fits(
        Rule(objects=["contact"], label_ids=["x", "vip"], regions=[{"city": "krakow"}]),
        "contact",
        one,
    )
    assert not fits(Rule(objects=["company"]), "contact", one)
    assert not fits(Rule(label_ids=["x"]), "contact", one)
    assert fits(
        Rule(regions=[{"country": "CZ"}, {"country": "PL", "region": "malopolska"}]), "contact", one
    )
    assert not fits(Rule(regions=[{"country": "CZ", "city": "Kraków"}]), "contact", one)


def test_a_record_also_says_what_its_customer_says() -> None:
    contact = contact_pb2.Contact(label_ids=["vip"], addresses=[{"country": "PL"}])
    one = described(contact_pb2.Contact(label_ids=["own"]), ("contact", "1"), [contact])
    assert (one.label_ids, one.places, one.follows) == (
        {"own", "vip"},
        (("PL", "", ""),),
        ("contact", "1"),
    )


def test_only_a_rule_without_conditions_catches_all() -> None:
    assert catches_all(Rule(user_ids=["a"]))
    assert not any(
        map(
            catches_all, (Rule(objects=["a"]), Rule(label_ids=["a"]), Rule(regions=[{"city": "a"}]))
        )
    )
