"""The catalogues agree with the contracts of all services."""

from chassis import contracts
from crm.identity.v1 import reasons_pb2
from crm.options.v1 import options_pb2
from services.identity import errors, rules
from services.identity.builtin_roles import BUILT_IN
from services.identity.features import FEATURES


def permissions() -> list[options_pb2.Permission]:
    methods = [contracts.method_of(m) for service in contracts.services() for m in service.methods]
    assert len(methods) > 50
    return [method.permission for method in methods]


def test_every_feature_of_the_contracts_is_in_the_catalogue() -> None:
    assert {p.feature for p in permissions()} - {""} <= FEATURES.keys()


def test_built_in_roles_grant_only_what_some_call_asks_for() -> None:
    asked = {(p.object, p.action) for p in permissions()}
    objects = {object for object, _ in asked}
    granted = {(g["object"], g["action"]) for role in BUILT_IN for g in role.grants}
    assert {o for o, _ in granted} - {"*"} <= objects
    assert {(o, a) for o, a in granted if a != "*"} <= asked


def test_only_the_administrator_may_change_people_and_rights() -> None:
    for role in BUILT_IN[1:]:
        changes = {g["object"] for g in role.grants if g["action"] not in ("read", "explain")}
        assert changes.isdisjoint(
            {"*", "tenant", "user", "department", "role", "api_token", "signing_key"}
        ), role.key
    assert BUILT_IN[0].key == rules.ADMINISTRATOR


def test_hidden_fields_of_built_in_roles_exist() -> None:
    resources = contracts.resources()
    for role in BUILT_IN:
        for path in role.hidden:
            object, _, field = path.partition(".")
            assert field in resources[object].fields_by_name, path


def test_every_refusal_has_its_reason_in_the_contract_and_every_reason_its_refusal() -> None:
    classes = [
        c
        for c in vars(errors).values()
        if isinstance(c, type) and c.__module__.startswith(errors.__name__)
    ]
    raised = {c.reason for c in classes}
    published = {
        name.removeprefix("REASON_") for name in reasons_pb2.Reason.DESCRIPTOR.values_by_name
    } - {"UNSPECIFIED"}
    assert raised == published
