"""What identity's records may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.rights import Rights
from crm.identity.v1 import (
    api_token_pb2,
    department_pb2,
    role_pb2,
    tenant_pb2,
    user_pb2,
    working_hours_pb2,
)
from services.identity import errors, rules

ACTIVE, LEFT = user_pb2.USER_STATE_ACTIVE, user_pb2.USER_STATE_DEACTIVATED


def hours(weekday: int, start: str, end: str) -> working_hours_pb2.WorkingHours:
    return working_hours_pb2.WorkingHours(weekday=weekday, start=start, end=end)


def grant(object: str, action: str, scope: str) -> dict[str, str]:
    return {"object": object, "action": action, "scope": scope}


def test_a_user_is_put_in_normal_form() -> None:
    user = user_pb2.User(
        email=" Dewi@Example.COM ",
        name="Dewi   Lestari ",
        role_ids=["r2", "r1", "r2"],
        working_hours=[
            hours(2, "09:00", "17:00"),
            hours(1, "13:00", "17:00"),
            hours(1, "09:00", "12:00"),
        ],
    )
    rules.user(user)
    assert (user.email, user.name, list(user.role_ids)) == (
        "dewi@example.com",
        "Dewi Lestari",
        ["r2", "r1"],
    )
    assert [(h.weekday, h.start) for h in user.working_hours] == [
        (1, "09:00"),
        (1, "13:00"),
        (2, "09:00"),
    ]


def test_every_wrong_value_of_a_user_is_named_at_once() -> None:
    user = user_pb2.User(id="me", email="a@b.pl", name="A", delegate_id="me")
    user.working_hours.extend(
        [hours(1, "09:00", "12:00"), hours(1, "11:00", "17:00"), hours(3, "17:00", "09:00")]
    )
    user.hourly_cost.currency, user.hourly_cost.amount = "PLN", "-1"
    with pytest.raises(errors.ValueInvalid) as refusal:
        rules.user(user)
    assert [v.field for v in refusal.value.violations] == [
        "working_hours",
        "working_hours",
        "delegate_id",
        "hourly_cost.amount",
    ]


def test_unknown_references_are_named_by_field() -> None:
    user = user_pb2.User(role_ids=["r1", "rX"], department_id="dX", delegate_id="u1")
    assert rules.unknown_references(user, departments={"d1"}, roles={"r1"}, users={"u1"}) == {
        "role_ids[1]": "rX",
        "department_id": "dX",
    }


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ((ACTIVE, ["a"]), (ACTIVE, ["s"]), True),
        ((ACTIVE, ["a"]), (LEFT, ["a"]), True),
        ((ACTIVE, ["a"]), (ACTIVE, ["a", "s"]), False),
        ((LEFT, ["a"]), (LEFT, ["s"]), False),
        ((ACTIVE, ["s"]), (LEFT, ["s"]), False),
    ],
)
def test_who_stops_being_an_administrator(
    before: tuple[user_pb2.UserState, list[str]],
    after: tuple[user_pb2.UserState, list[str]],
    loses: bool,
) -> None:
    old = user_pb2.User(state=before[0], role_ids=before[1])
    new = user_pb2.User(state=after[0], role_ids=after[1])
    assert rules.loses_administrator(old, new, {"a"}) is loses


TREE = {"top": "", "mid": "top", "leaf": "mid", "other": ""}


@pytest.mark.parametrize(
    ("id", "parent"), [("new", "leaf"), ("leaf", "other"), ("mid", ""), ("other", "leaf")]
)
def test_a_department_may_move_where_no_cycle_arises(id: str, parent: str) -> None:
    rules.department_parent(id, parent, TREE.get)


@pytest.mark.parametrize(("id", "parent"), [("top", "top"), ("top", "leaf"), ("mid", "leaf")])
def test_a_department_is_never_below_itself(id: str, parent: str) -> None:
    with pytest.raises(errors.DepartmentCycle):
        rules.department_parent(id, parent, TREE.get)


def test_an_unknown_parent_and_a_bottomless_tree_are_refused() -> None:
    with pytest.raises(errors.ReferenceUnknown):
        rules.department_parent("new", "gone", TREE.get)
    with pytest.raises(errors.DepartmentTooDeep, match="at most 12 levels"):
        rules.department_parent("new", "1", lambda id: str(int(id) + 1))


def test_a_head_is_not_his_own_deputy() -> None:
    with pytest.raises(errors.ValueInvalid):
        rules.department(department_pb2.Department(name="Sales", head_id="u1", deputy_id="u1"))


def test_a_role_keeps_the_widest_scope_of_each_grant() -> None:
    rows = [
        grant("contact", "read", "own"),
        grant("contact", "read", "subtree"),
        grant("company", "read", "all"),
    ]
    role = role_pb2.Role(
        name=" Sales ",
        grants=rules.grants(rows),
        hidden_fields=["contact.notes", "contact.birthday"] * 2,
    )
    rules.role(role, None)
    assert rules.grant_rows(role.grants) == [
        grant("company", "read", "all"),
        grant("contact", "read", "subtree"),
    ]
    assert list(role.hidden_fields) == ["contact.birthday", "contact.notes"]
    assert role.name == "Sales"


def test_the_administrator_role_stays_as_it_is() -> None:
    old = role_pb2.Role(built_in="administrator")
    with pytest.raises(errors.RoleBuiltIn):
        rules.role(role_pb2.Role(built_in="administrator", name="Boss"), old)


@pytest.mark.parametrize(
    ("held", "wanted", "missing"),
    [
        ([grant("*", "*", "all")], [grant("contact", "merge", "all"), grant("*", "*", "all")], []),
        ([grant("contact", "*", "team")], [grant("contact", "read", "team")], []),
        (
            [grant("contact", "read", "team")],
            [grant("contact", "read", "all")],
            ["contact.read (all)"],
        ),
        ([grant("contact", "read", "all")], [grant("*", "read", "own")], ["*.read (own)"]),
        ([grant("contact", "read", "all")], [grant("contact", "*", "own")], ["contact.* (own)"]),
        ([], [grant("user", "read", "own")], ["user.read (own)"]),
    ],
)
def test_nobody_gives_away_what_he_does_not_hold(
    held: list[dict[str, str]], wanted: list[dict[str, str]], missing: list[str]
) -> None:
    assert rules.not_held(Rights(None, "", held).scope, wanted) == missing


_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "object": st.sampled_from(["contact", "deal", "*"]),
            "action": st.sampled_from(["read", "update", "*"]),
            "scope": st.sampled_from(["own", "team", "subtree", "all"]),
        }
    ),
    max_size=6,
)


@given(_ROWS, _ROWS)
def test_whoever_holds_a_set_of_rights_may_give_any_part_of_it(
    held: list[dict[str, str]], more: list[dict[str, str]]
) -> None:
    assert rules.not_held(Rights(None, "", held + more).scope, held) == []
    assert rules.not_held(Rights(None, "", rules.widest(held)).scope, held) == []


def test_a_field_is_hidden_only_if_every_role_hides_it() -> None:
    assert rules.hidden_of([{"hidden": ["a.x", "a.y"]}, {"hidden": ["a.y", "b.z"]}]) == ["a.y"]
    assert rules.hidden_of([{"hidden": ["a.x"]}, {}]) == []
    assert rules.hidden_of([]) == []


def test_features_are_kept_in_catalogue_order_and_unknown_ones_refused() -> None:
    tenant = tenant_pb2.Tenant(name="Okna", features_off=["timeline", "contacts", "timeline"])
    rules.tenant(tenant)
    assert list(tenant.features_off) == ["contacts", "timeline"]
    with pytest.raises(errors.FeatureUnknown, match="no such feature: rockets"):
        rules.tenant(tenant_pb2.Tenant(name="Okna", features_off=["rockets"]))


def test_a_token_that_subscribes_cannot_promise_narrow_fields() -> None:
    token = api_token_pb2.ApiToken(name="shop", nats=True)
    token.readable["contact"].fields.append("display_name")
    with pytest.raises(errors.ValueInvalid, match="cannot be narrowed"):
        rules.api_token(token, None)


def test_where_a_subscriber_begins_is_fixed() -> None:
    old = api_token_pb2.ApiToken(
        name="shop", nats=True, nats_start=api_token_pb2.NATS_START_ALL, owner_id="u1"
    )
    new = api_token_pb2.ApiToken(
        name="shop", nats=True, nats_start=api_token_pb2.NATS_START_NEW, owner_id="u2"
    )
    with pytest.raises(errors.FieldFixed, match="owner_id, nats_start cannot be changed"):
        rules.api_token(new, old)


@pytest.mark.parametrize(
    ("token", "field"),
    [
        (api_token_pb2.ApiToken(name="a", nats_start=api_token_pb2.NATS_START_ALL), "nats_start"),
        (
            api_token_pb2.ApiToken(name="a", nats=True, nats_start=api_token_pb2.NATS_START_TIME),
            "nats_start_time",
        ),
    ],
)
def test_a_token_says_where_its_subscriber_begins(
    token: api_token_pb2.ApiToken, field: str
) -> None:
    with pytest.raises(errors.ValueInvalid) as refusal:
        rules.api_token(token, None)
    assert [v.field for v in refusal.value.violations] == [field]


def test_field_lists_hold_field_paths_only() -> None:
    token = api_token_pb2.ApiToken(name="a")
    token.writable["contact"].fields.extend(["display_name", "custom.shoe_size", "drop table"])
    with pytest.raises(errors.ValueInvalid, match="drop table is not a field"):
        rules.api_token(token, None)
